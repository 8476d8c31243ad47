"""The one door to cineca_engine, the narrow role that looks across tenants (claims, sweeps, health).

Everything else reads and writes inside kernel.tenant_context.tenant_scope. A test fails when another module names the
"engine" connection.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.db import connections
from django.db.backends.utils import CursorWrapper

ALIAS = "engine"
BATCH = 1000


def connect(application_name: str, **options: Any) -> psycopg.Connection[Any]:
    """A connection of the caller's own, in autocommit, with keepalives; psycopg.OperationalError when there is none.

    For threads that live as long as the process (ledger, heartbeat, sweeper).
    """
    database = settings.DATABASES[ALIAS]
    tuned = {name: value for name, value in database["OPTIONS"].items() if name != "pool"}
    return psycopg.connect(
        dbname=database["NAME"],
        user=database["USER"],
        password=database["PASSWORD"],
        host=database["HOST"],
        port=database["PORT"],
        autocommit=True,
        **{**tuned, "prepare_threshold": 1, "application_name": application_name, **options},
    )


@contextmanager
def cursor() -> Iterator[CursorWrapper]:
    """A pooled cursor for a short, single statement in a web process or a task."""
    with connections[ALIAS].cursor() as opened:
        yield opened


def in_batches(statement: str, values: Mapping[str, Any], *, batch: int = BATCH) -> int:
    """Repeat a statement that changes at most ``%(batch)s`` rows until it finds fewer; how many in all.

    Each round is a transaction of its own, so that a clean-up holds no lock for long and loses little when it dies.
    """
    total = 0
    while True:
        with cursor() as opened:
            opened.execute(statement, {**values, "batch": batch})
            total += opened.rowcount
            if opened.rowcount < batch:
                return total
