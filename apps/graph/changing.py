"""Changes that administrators write: proposed with what they would touch, confirmed once, then made (SPEC 2.3).

# See docs/gate.md
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from apps.audit import trail
from apps.graph import client, queries, selectors, turns
from apps.graph.gate.change import inspect_change
from apps.graph.gate.verdict import GateRefusal, PassedChange
from apps.graph.models import DONE, FAILED, PROPOSED, RUNNING, GraphChange
from apps.graph.results import Written
from apps.identity.principal import Principal
from kernel.clock import now
from kernel.errors import ConflictError, NotFoundError, PlatformError
from kernel.tenant_context import tenant_scope

EXPIRES_IN_S = 300


@dataclass(frozen=True, slots=True)
class Made:
    """A change that was made, and what it did."""

    change: GraphChange
    written: Written


def propose(principal: Principal, cypher: str, parameters: Mapping[str, Any]) -> GraphChange:
    """What the change would touch; nothing changes. Its id confirms it within EXPIRES_IN_S.

    GateRefusal when it may not be made at all.
    """
    passed = _inspected(principal, cypher, parameters)
    would_change = _counted(principal, passed)
    with tenant_scope(principal.tenant_id):
        change = GraphChange.objects.create(
            tenant_id=principal.tenant_id,
            owner_sub=principal.sub,
            cypher=passed.text,
            parameters=dict(parameters),
            sha256=passed.sha256,
            would_change=would_change,
            expires_at=now() + timedelta(seconds=EXPIRES_IN_S),
        )
        _record(principal, "graph.change.propose", change)
    return change


def carry_out(principal: Principal, cypher: str, parameters: Mapping[str, Any], *, token: str) -> Made:
    """The change that ``token`` confirms, once.

    NotFoundError for a token that is not the caller's; ConflictError when it was used, when it has expired, when it
    confirms another text or other parameters, and when the change would by now touch more or less than was confirmed.
    """
    passed = _inspected(principal, cypher, parameters)
    change = _taken(principal, passed, parameters, token, would_change=_counted(principal, passed))
    try:
        with turns.of_many(principal.tenant_id):
            written = client.write(
                passed.text, passed.parameters, tenant_id=principal.tenant_id, timeout_s=passed.timeout_s
            )
    except PlatformError as error:
        _close(principal, change, FAILED, error_code=error.code)
        raise
    selectors.forget(principal.tenant_id)
    _close(principal, change, DONE, counters=asdict(written.counters))
    return Made(change, written)


def _inspected(principal: Principal, cypher: str, parameters: Mapping[str, Any]) -> PassedChange:
    try:
        return inspect_change(cypher, parameters, tenant_id=str(principal.tenant_id), limits=queries.limits())
    except GateRefusal as refusal:
        queries.note_refusal(principal, "graph.change", refusal, cypher)
        raise


def _counted(principal: Principal, passed: PassedChange) -> dict[str, int]:
    """What the change would touch now."""
    found = client.read(
        passed.count_text, passed.parameters, tenant_id=principal.tenant_id, row_limit=1, timeout_s=passed.timeout_s
    )
    return {name: int(value or 0) for name, value in found.as_records()[0].items()} if found.rows else {}


def _typed(value: Any) -> Any:
    """A JSON value in which true is not 1."""
    if isinstance(value, Mapping):
        return {key: _typed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_typed(one) for one in value]
    return (value,) if isinstance(value, bool) else value


def _taken(
    principal: Principal,
    passed: PassedChange,
    parameters: Mapping[str, Any],
    token: str,
    *,
    would_change: dict[str, int],
) -> GraphChange:
    """The proposal, which is nobody else's from here on."""
    try:
        wanted = UUID(token)
    except ValueError as error:
        raise NotFoundError("There is no such confirmation_token.", code="confirmation_not_found") from error
    with tenant_scope(principal.tenant_id):
        change = GraphChange.objects.filter(id=wanted, owner_sub=principal.sub).first()
        if change is None:
            raise NotFoundError("There is no such confirmation_token.", code="confirmation_not_found")
        if change.sha256 != passed.sha256 or _typed(change.parameters) != _typed(parameters):
            raise ConflictError(
                "This confirmation_token is for another change. Leave it out to get one for this change.",
                code="confirmation_mismatch",
            )
        if change.status == PROPOSED and change.would_change != would_change:
            raise ConflictError(
                "Meanwhile the graph has changed: this change would touch other numbers than were confirmed. "
                "Leave the confirmation_token out to see them.",
                code="confirmation_outdated",
            )
        mine = GraphChange.objects.filter(id=wanted, status=PROPOSED, expires_at__gt=now())
        if not mine.update(status=RUNNING, executed_at=now()):
            raise ConflictError(
                "This confirmation_token was used or has expired. Leave it out to get a new one.",
                code="confirmation_used",
            )
    return change


def _close(
    principal: Principal,
    change: GraphChange,
    status: str,
    *,
    counters: dict[str, int] | None = None,
    error_code: str = "",
) -> None:
    with tenant_scope(principal.tenant_id):
        GraphChange.objects.filter(id=change.id).update(status=status, counters=counters, error_code=error_code)
        _record(
            principal,
            "graph.change",
            change,
            outcome=trail.SUCCESS if status == DONE else trail.FAILED,
            counters=counters,
            error_code=error_code,
        )


def _record(
    principal: Principal, action: str, change: GraphChange, *, outcome: str = trail.SUCCESS, **details: Any
) -> None:
    trail.record(
        **trail.by(principal),
        action=action,
        resource_type="graph_change",
        resource_id=str(change.id),
        outcome=outcome,
        details={
            "cypher": change.cypher[: queries.AUDITED_CHARS],
            "sha256": change.sha256,
            "would_change": change.would_change,
            **details,
        },
    )
