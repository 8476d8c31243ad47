"""Queries of people, programs and models: through the gate, to the door. No other way leads from a text there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.core import signing

from apps.audit import trail
from apps.graph import client
from apps.graph.cypher import tree
from apps.graph.cypher.errors import CypherSyntaxError
from apps.graph.cypher.parser import parse
from apps.graph.cypher.printer import print_statement
from apps.graph.gate.check import inspect
from apps.graph.gate.draft import HIDDEN
from apps.graph.gate.limits import Limits
from apps.graph.gate.verdict import GateRefusal, Passed
from apps.graph.results import Plan, Rows
from apps.identity.principal import Principal
from kernel import metrics
from kernel.errors import BadRequestError

AUDITED_CHARS = 2_000
ONE_MORE = 1  # row than is shown is asked for, to know whether there are more


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a query's rows; ``passed`` is what ran for it."""

    passed: Passed
    rows: Rows
    next_token: str | None


@dataclass(frozen=True, slots=True)
class Explained:
    """A query's plan; nothing ran."""

    passed: Passed
    plan: Plan


def limits() -> Limits:
    """What the settings allow a query."""
    return Limits(timeout_s=settings.GRAPH_TIMEOUT_S, rows=settings.GRAPH_ROW_LIMIT + ONE_MORE)


def inspected(
    principal: Principal,
    cypher: str,
    parameters: Mapping[str, Any],
    *,
    rows: int | None = None,
    timeout_s: float | None = None,
) -> Passed:
    """What the gate lets through for this caller. GateRefusal, which is counted and audited, otherwise.

    Its ``row_limit`` is one more than ``rows``, or than the settings allow: ``read`` shows one less.
    """
    try:
        return inspect(
            cypher,
            parameters,
            tenant_id=str(principal.tenant_id),
            limits=limits(),
            dialect=printer_dialect(),
            rows=None if rows is None else rows + ONE_MORE,
            timeout_s=timeout_s,
        )
    except GateRefusal as refusal:
        note_refusal(principal, "graph.query", refusal, cypher)
        raise


def note_refusal(principal: Principal, action: str, refusal: GateRefusal, cypher: str) -> None:
    """Count it, and leave it in the audit log."""
    metrics.GATE_REFUSALS.labels(refusal.layer).inc()
    trail.note(
        **trail.by(principal),
        action=action,
        resource_type="graph",
        details={"layer": refusal.layer, "reason": refusal.message[:500], "cypher": cypher[:AUDITED_CHARS]},
    )


def printer_dialect() -> str:
    """What the printer calls the server's language."""
    return "memgraph" if client.engine() == "memgraph" else "opencypher"


def run(
    principal: Principal,
    cypher: str,
    parameters: Mapping[str, Any],
    *,
    limit: int,
    timeout_s: float | None = None,
    page_token: str | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Page:
    """One page of at most ``limit`` rows. ``cancelled`` as in client.read.

    A query with an ORDER BY at its end can be paged through: ``next_token`` leads on, for the same text, parameters and
    caller only. A query that asks for EXPLAIN or PROFILE is refused here: BadRequestError says where it is answered.
    """
    scope = f"graph:{principal.tenant_id}:{principal.sub}:{cypher}:{sorted(parameters.items(), key=str)}"
    offset = _offset(page_token, scope)
    text, can_page = _window(cypher, offset)
    passed = inspected(principal, text, parameters, rows=limit, timeout_s=timeout_s)
    if passed.mode != "run":
        raise BadRequestError(
            f"{passed.mode.upper()} runs nothing. Send it to /v1/graph/explain, without that word.",
            code="explain_elsewhere",
        )
    rows = read(principal, passed, cancelled=cancelled)
    more = _token(offset + len(rows.rows), scope) if can_page and rows.truncated and rows.rows else None
    return Page(passed, rows, more)


def read(principal: Principal, passed: Passed, *, cancelled: Callable[[], bool] | None = None) -> Rows:
    """The rows of what the gate let through; ``truncated`` when there are more than were asked for."""
    return client.read(
        passed.text,
        passed.parameters,
        tenant_id=principal.tenant_id,
        row_limit=passed.row_limit - ONE_MORE,
        timeout_s=passed.timeout_s,
        cancelled=cancelled,
    )


def explain(
    principal: Principal, cypher: str, parameters: Mapping[str, Any], *, timeout_s: float | None = None
) -> Explained:
    """The server's plan of a query that the gate lets through; nothing runs."""
    passed = inspected(principal, cypher, parameters, timeout_s=timeout_s)
    return Explained(passed, client.explain(passed.text, passed.parameters, timeout_s=passed.timeout_s))


def shown(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's own parameters; the gate's are the platform's business."""
    return {name: value for name, value in parameters.items() if not name.startswith(HIDDEN)}


def _window(cypher: str, offset: int) -> tuple[str, bool]:
    """The text from its ``offset``-th row on, and whether its rows have an order to page by.

    What does not parse is left as it is: the gate says what is wrong with it.
    """
    try:
        statement = parse(cypher)
    except CypherSyntaxError:
        return cypher, False
    branches = statement.query.branches
    last = branches[-1].clauses[-1]
    if len(branches) != 1 or not isinstance(last, tree.Return) or not last.projection.order:
        return cypher, False
    present = last.projection
    skip, most = _number(present.skip), _number(present.limit)
    if (present.skip is not None and skip is None) or (present.limit is not None and most is None):
        return cypher, False
    if offset == 0:
        return cypher, True
    left = None if most is None else tree.Const(max(0, most - offset))
    ending = tree.Return(replace(present, skip=tree.Const((skip or 0) + offset), limit=left))
    branch = replace(branches[0], clauses=(*branches[0].clauses[:-1], ending))
    return print_statement(replace(statement, query=tree.Query((branch,))), mode=True), True


def _number(part: tree.Expr | None) -> int | None:
    """The whole number that stands there; None for nothing, and for anything else."""
    value = part.value if isinstance(part, tree.Const) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _token(offset: int, scope: str) -> str:
    return signing.Signer(salt=f"page:{scope}").sign_object(offset)


def _offset(token: str | None, scope: str) -> int:
    if not token:
        return 0
    try:
        return int(signing.Signer(salt=f"page:{scope}").unsign_object(token))
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise BadRequestError(
            "page_token belongs to another query. Send the text and the parameters of the first page, or leave it out.",
            code="invalid_cursor",
        ) from error
