"""Changes that look before they write take turns, so that what they saw still holds when they write.

Edits of the same thing wait for each other; what changes many things waits for every edit of the tenant, and they for
it. The turn is a lock in PostgreSQL, held as long as a transaction that stays open around the look and the write: it
ends with them, and with the process. So it needs nothing of the graph's server, where MERGE alone may make a
relationship twice and a key is not unique. What bypasses this module may still make a second node of a key:
``indexes.require_unique`` has the server refuse that, too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg

from apps.graph.errors import GraphConflictError
from kernel.tenant_context import prepared_cursor, tenant_scope

TENANTS, THINGS = 20_806, 20_807  # classes of PostgreSQL's advisory locks
WAIT_S = 10.0  # for a turn
HELD_S = 300.0  # longer than any one change takes: a transaction that is idle for longer is ended
_LIMITS = """
SELECT set_config('lock_timeout', %(wait)s, true), set_config('statement_timeout', %(wait)s, true),
    set_config('idle_in_transaction_session_timeout', %(held)s, true)
"""


@contextmanager
def of_thing(tenant_id: UUID, thing: str = "") -> Iterator[None]:
    """Nobody else edits this thing meanwhile, and nobody changes many. ``thing``: the same text for the same thing;
    without one, edits of single things go on beside it. GraphConflictError when the turn does not come in WAIT_S."""
    with _turn(tenant_id, "SELECT pg_advisory_xact_lock_shared(%s, hashtext(%s))", thing):
        yield


@contextmanager
def of_many(tenant_id: UUID) -> Iterator[None]:
    """Nobody else edits anything of the tenant meanwhile. GraphConflictError as above. Keep it short: a batch."""
    with _turn(tenant_id, "SELECT pg_advisory_xact_lock(%s, hashtext(%s))"):
        yield


@contextmanager
def _turn(tenant_id: UUID, lock: str, thing: str = "") -> Iterator[None]:
    with tenant_scope(tenant_id):
        try:
            with prepared_cursor() as cursor:
                cursor.execute(_LIMITS, {"wait": f"{WAIT_S}s", "held": f"{HELD_S}s"})
                cursor.execute(lock, [TENANTS, str(tenant_id)])
                if thing:
                    cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [THINGS, f"{tenant_id} {thing}"])
        except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled) as error:
            raise GraphConflictError("Somebody else changes the same part of the graph just now. Try again.") from error
        yield
