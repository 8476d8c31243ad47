"""The caller's tenant's audit log: looking at it, and adding to it (contract 7.3). Nothing is ever taken out."""

from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db.models import Count, Q
from pydantic import Field, JsonValue, StringConstraints
from pydantic_core import to_json

from apps.audit import trail
from apps.audit.models import AuditLog
from apps.audit.selectors import Chain, Filters
from apps.toolbox.parts.moments import Moment
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.spec import ToolInput, ToolOutput, tool
from kernel.clock import iso, now
from kernel.tenant_context import tenant_scope

CUSTOM = "custom."
# Who was let in, who was refused, and who acted for whom.
ACCESS = Q(outcome=trail.DENIED) | Q(action__startswith="auth.") | Q(action__startswith="admin.sign_")
ACCESS |= Q(action__in=("access.refused", "tenant.acted_for", "audit.read", "audit.verified"))
SHOWN_BYTES = 150_000
STATS_MOST = 50
STATS_LONGEST = timedelta(days=31)
Text = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00]+$")]
Event = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$")]


class AuditIn(ToolInput):
    action: Literal["access", "list", "stats", "custom", "clear"]
    filter_action: Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00*]+\*?$")] | None = Field(
        None, description="Only this act, as tenant.updated, or those that begin so: tenant.*"
    )
    actor: Text | None = None
    resource_type: Text | None = None
    resource_id: Text | None = None
    outcome: Literal["success", "denied", "failed"] | None = None
    correlation_id: Text | None = None
    since: Moment | None = Field(None, description="Then or later; for stats a day ago where it is left out.")
    until: Moment | None = Field(None, description="Before this moment.")
    before_seq: int | None = Field(None, ge=1, description="Older than this row: next_before_seq of the last answer.")
    limit: int = Field(20, ge=1, le=100)
    event: Event | None = Field(None, description="For custom: what happened, as review.finished.")
    details: dict[str, JsonValue] = Field(default_factory=dict, max_length=50, description="For custom.")


class AuditRow(ToolOutput):
    id: UUID
    seq: int = Field(description="1, 2, 3 ... without a gap.")
    at: str | None
    actor: str
    actor_tenant_id: UUID | None = Field(description="The actor's own tenant, where it acted on another.")
    act: str
    resource_type: str
    resource_id: str
    outcome: str
    error_message: str | None
    details: dict[str, Any]
    request_id: str | None
    correlation_id: str | None


class ActCount(ToolOutput):
    act: str
    outcome: str
    count: int


class Actor(ToolOutput):
    actor: str
    count: int


class AuditOut(ToolOutput):
    action: str
    rows: list[AuditRow] = Field(default=[], description="Newest first.")
    next_before_seq: int | None = Field(None, description="There are older ones: ask again with it as before_seq.")
    total: int | None = Field(None, description="With stats: rows in that time.")
    by_act: list[ActCount] = Field(default=[], description=f"With stats: the {STATS_MOST} most frequent.")
    by_actor: list[Actor] = Field(default=[], description="With stats: the ten busiest.")
    recorded: str | None = Field(None, description="With custom: the act as it stands in the log.")
    is_new: bool | None = Field(None, description="With custom: false when this very call had recorded it before.")


@tool(
    "security.audit",
    effect="write",
    title="Audit log",
    permissions=("audit:read",),
    reading_actions=("access", "list", "stats"),
    example={"action": "stats"},
    example_role="auditor",
)
def audit(context: ToolContext, given: AuditIn) -> AuditOut:
    """Who did what in your tenant: the audit log, which can be added to and never changed.

    list shows rows, newest first; access only sign-ins, refusals and acts for another tenant; stats counts by act and
    actor (of a day, or from since, at most 31 days). custom adds a row `custom.<event>` in your name. clear is refused.
    """
    match given.action:
        case "access" | "list":
            return _rows(context, given)
        case "stats":
            return _stats(context, given)
        case "custom":
            return _custom(context, given)
        case "clear":
            raise ToolFailed(
                "The audit log is append-only: what was done stays on record, and nobody can clear it.",
                code="audit_append_only",
            )


def _rows(context: ToolContext, given: AuditIn) -> AuditOut:
    wanted = _filters(given).as_query()
    if given.action == "access":
        wanted &= ACCESS
    if given.before_seq is not None:
        wanted &= Q(seq__lt=given.before_seq)
    with Chain(context.tenant_id).open() as rows:
        found = list(rows.filter(wanted).order_by("-seq")[: given.limit + 1])
    shown: list[AuditRow] = []
    size = 0
    for row in found[: given.limit]:
        one = _shown(row)
        size += len(to_json(one))
        if size > SHOWN_BYTES and shown:
            break
        shown.append(one)
    return AuditOut(action=given.action, rows=shown, next_before_seq=shown[-1].seq if len(shown) < len(found) else None)


def _stats(context: ToolContext, given: AuditIn) -> AuditOut:
    moment = now()
    since = given.since or moment - timedelta(days=1)
    if (given.until or moment) - since > STATS_LONGEST:
        raise ToolFailed("stats counts 31 days at most: say a later since.", code="too_long")
    wanted = _filters(given.model_copy(update={"since": since})).as_query()
    with Chain(context.tenant_id).open() as rows:
        rows = rows.filter(wanted).order_by()
        total = rows.count()
        by_act = rows.values_list("action", "outcome").annotate(n=Count("*")).order_by("-n", "action")[:STATS_MOST]
        by_actor = rows.values_list("actor").annotate(n=Count("*")).order_by("-n", "actor")[:10]
        return AuditOut(
            action="stats",
            total=total,
            by_act=[ActCount(act=act, outcome=outcome, count=count) for act, outcome, count in by_act],
            by_actor=[Actor(actor=actor, count=count) for actor, count in by_actor],
        )


def _custom(context: ToolContext, given: AuditIn) -> AuditOut:
    if given.event is None:
        raise ToolFailed("Say with event what happened, as review.finished.", code="event_missing")
    principal, act = context.principal, f"{CUSTOM}{given.event}"
    call = uuid5(NAMESPACE_URL, f"audit:{principal.sub}:{context.idempotency_key}").hex
    with tenant_scope(principal.tenant_id):
        mine = AuditLog.objects.filter(tenant_id=principal.tenant_id, actor=principal.sub, action=act)
        if mine.filter(details__call=call).exists():
            return AuditOut(action="custom", recorded=act, is_new=False)
        trail.record(
            **trail.by(principal),
            action=act,
            resource_type=given.resource_type or "",
            resource_id=given.resource_id or "",
            outcome=given.outcome or trail.SUCCESS,
            details={"call": call, "said": dict(given.details)},
        )
    return AuditOut(action="custom", recorded=act, is_new=True)


def _filters(given: AuditIn) -> Filters:
    return Filters(
        action=given.filter_action,
        actor=given.actor,
        resource_type=given.resource_type,
        resource_id=given.resource_id,
        outcome=given.outcome,
        correlation_id=given.correlation_id,
        since=given.since,
        until=given.until,
    )


def _shown(row: AuditLog) -> AuditRow:
    return AuditRow(
        id=row.id,
        seq=row.seq,
        at=iso(row.created_at),
        actor=row.actor,
        actor_tenant_id=row.actor_tenant_id,
        act=row.action,
        resource_type=row.resource_type,
        resource_id=row.resource_id,
        outcome=row.outcome,
        error_message=row.error_message or None,
        details=row.details,
        request_id=row.request_id or None,
        correlation_id=row.correlation_id or None,
    )
