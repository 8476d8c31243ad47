"""The one door to the graph. Every call has a bound, and ends on the server when it is reached.

Texts come from the gate (apps/graph/gate) or from this app's own constants, never from a caller. Errors are those of
errors.py; nothing of what the server says reaches a caller.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import Error as DatabaseError

from apps.audit import trail
from apps.graph import epoch, switch
from apps.graph.door import transactions
from apps.graph.door.calls import Ticket, call
from apps.graph.door.links import Links, known
from apps.graph.door.transactions import Asked
from apps.graph.engines.dialect import Dialect, Laid
from apps.graph.errors import ResultRefusedError
from apps.graph.results import Plan, Rows, Written
from kernel import metrics
from kernel.errors import PlatformError

log = structlog.get_logger("graph")
PING_S = 2.0
AUDITED_CHARS = 2000
DEFINE_S = 60.0


def read(
    text: str,
    parameters: Mapping[str, Any],
    *,
    tenant_id: UUID | str,
    row_limit: int | None = None,
    timeout_s: float | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Rows:
    """The rows of a query that only reads, as the reader: the server refuses writes.

    At most ``row_limit`` rows (GRAPH_ROW_LIMIT) and about GRAPH_ANSWER_BYTES; further ones are not fetched, and
    ``truncated`` says so. After ``timeout_s`` (GRAPH_TIMEOUT_S) the query is ended on the server: QueryTimeoutError.
    ``cancelled`` is asked ten times a second: QueryCancelledError. ResultRefusedError when anything in the answer is
    not the tenant's. GraphStaleError when the graph was emptied or exchanged; ``stale`` says so when it is an old copy.
    """
    stale = epoch.check()
    ticket = Ticket("read", "reader", timeout_s or settings.GRAPH_TIMEOUT_S)
    asked = _asked(ticket, text, parameters, tenant_id, settings.GRAPH_ROW_LIMIT if row_limit is None else row_limit)
    with _refusals_audited(asked):
        rows, elapsed_ms = call(ticket, lambda links: transactions.read(links, asked), cancelled=cancelled)
    metrics.GRAPH_ROWS.labels("read").inc(len(rows.rows))
    return Rows(rows.columns, rows.rows, rows.truncated, elapsed_ms, stale, rows.nodes, rows.edges)


def write(
    text: str,
    parameters: Mapping[str, Any],
    *,
    tenant_id: UUID | str,
    timeout_s: float | None = None,
    commit: bool = True,
    cancelled: Callable[[], bool] | None = None,
    though_read_only: bool = False,
) -> Written:
    """A change in one transaction, and what it did. With ``commit`` False it is undone: what it would do.

    GraphReadOnlyError while the tenant's graph takes no changes (switch.py), unless ``though_read_only``: for the end
    of a tenant.

    A change that meets another is tried again a few times; then, and where a rule of the graph is broken,
    GraphConflictError.
    """
    if commit and not though_read_only:
        switch.require_writable(tenant_id)
    ticket = Ticket("write", "writer", timeout_s or settings.GRAPH_TIMEOUT_S)
    asked = _asked(ticket, text, parameters, tenant_id, settings.GRAPH_ROW_LIMIT)
    epoch.check()
    with _refusals_audited(asked):
        written, _ = call(ticket, lambda links: transactions.write(links, asked, commit=commit), cancelled=cancelled)
    if commit and written.counters:
        _advance()
    return written


def explain(text: str, parameters: Mapping[str, Any], *, timeout_s: float | None = None) -> Plan:
    """How the server would run a query. Nothing runs."""
    ticket = Ticket("explain", "reader", timeout_s or settings.GRAPH_TIMEOUT_S)
    asked = Asked(text, parameters, ticket.mark, ticket.timeout_s)
    return call(ticket, lambda links: transactions.explain(links, asked))[0]


def define(statements: Callable[[Dialect], tuple[str, ...]], *, timeout_s: float = DEFINE_S) -> int:
    """Statements about the schema in the server's dialect, one after the other; returns how many were new to it."""
    ticket = Ticket("define", "writer", timeout_s)

    async def work(links: Links) -> int:
        asked = (Asked(text, {}, ticket.mark, timeout_s) for text in statements(links.dialect))
        return sum([await transactions.define(links, one) for one in asked])

    return call(ticket, work)[0]


def laid() -> list[Laid]:
    """Every index and every constraint of the graph, whoever made it."""
    ticket = Ticket("define", "writer", DEFINE_S)

    async def work(links: Links) -> list[Laid]:
        rows = [await transactions.listed(links, text) for text in links.dialect.list_laid]
        return links.dialect.laid(rows)

    return call(ticket, work)[0]


def engine() -> str:
    """The name of the server's dialect, without a call once it is known. GraphUnavailableError when nobody is there."""
    connected = known()
    return connected.dialect.name if connected else str(ping()["dialect"])


def ping() -> dict[str, Any]:
    """Ask the server who it is and for one row. GraphUnavailableError when it does not answer."""
    ticket = Ticket("ping", "reader", PING_S)

    async def work(links: Links) -> dict[str, Any]:
        await transactions.read(links, Asked("RETURN 1 AS one", {}, ticket.mark, PING_S, row_limit=1, byte_limit=100))
        return {"dialect": links.dialect.name, "agent": links.agent, "bolt": links.bolt}

    return call(ticket, work)[0]


@contextmanager
def _refusals_audited(asked: Asked) -> Iterator[None]:
    """An answer with another tenant's data is a fault of ours: whoever looks into it needs the query."""
    try:
        yield
    except ResultRefusedError:
        trail.note(
            tenant_id=_uuid(asked.tenant_id),
            actor="system",
            action="graph.result_refused",
            resource_type="graph",
            details={"cypher": asked.text[:AUDITED_CHARS], "mark": asked.mark},
        )
        raise


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None


def _advance() -> None:
    """The change is made: what cannot be noted of it now is noted with the next one."""
    try:
        epoch.advance()
    except (PlatformError, DatabaseError) as error:
        log.warning("graph_epoch_not_advanced", error=type(error).__name__)


def _asked(ticket: Ticket, text: str, parameters: Mapping[str, Any], tenant_id: UUID | str, row_limit: int) -> Asked:
    return Asked(
        text, parameters, ticket.mark, ticket.timeout_s, str(tenant_id), row_limit, settings.GRAPH_ANSWER_BYTES
    )
