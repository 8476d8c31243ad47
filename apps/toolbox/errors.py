"""Errors that callers report, for the people who look after them."""

from typing import Annotated, Any, Literal
from uuid import UUID, uuid5

from pydantic import Field, JsonValue, StringConstraints

from apps.ops import reports
from apps.ops.models import ErrorReport
from apps.toolbox.parts.moments import Moment
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.spec import Rate, ToolInput, ToolOutput, tool
from kernel.clock import iso

REPORT_NAMES = UUID("2d1f3a52-2f0e-4d39-9d3e-6f1a8a1c0b77")  # of ids made from idempotency keys
ErrorType = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_.:-]+$")]
BRIEF_CHARS = 300


class ReportIn(ToolInput):
    action: Literal["record", "list", "get", "clear"]
    error_id: UUID | None = Field(None, description="Which report: for get, and for clearing one.")
    error_type: ErrorType | None = Field(None, description="A short name, as Timeout. For list and clear: only these.")
    message: str | None = Field(
        None, min_length=1, max_length=reports.MESSAGE_MAX, description="For record: what went wrong, in a sentence."
    )
    metadata: dict[str, JsonValue] = Field(default_factory=dict, max_length=100, description="For record: what helps.")
    since: Moment | None = Field(None, description="For list: reported then or later, with its offset.")
    include_cleared: bool = Field(False, description="For list: also what was dealt with.")
    limit: int = Field(20, ge=1, le=100, description="For list: at most so many, newest first.")


class Report(ToolOutput):
    error_id: UUID
    error_type: str
    message: str
    metadata: dict[str, Any] | None = Field(None, description="Only with record and get.")
    reported_by: str
    reported_at: str | None
    run_id: UUID | None
    session_id: UUID | None
    correlation_id: str
    cleared_at: str | None
    cleared_by: str | None


class ReportOut(ToolOutput):
    action: str
    report: Report | None = None
    is_new: bool | None = Field(None, description="With record: false when this very call had recorded it before.")
    reports: list[Report] | None = None
    total: int | None = Field(None, description="With list: how many there are.")
    cleared: int | None = None


@tool(
    "errors.report",
    effect="write",
    title="Error reports",
    reading_actions=("list", "get"),
    rate=Rate(60, 60),
    example={"action": "record", "error_type": "Timeout", "message": "The search took longer than a minute."},
)
def report(context: ToolContext, given: ReportIn) -> ReportOut:
    """Report that something went wrong, and look at what was reported.

    record keeps error_type, message and metadata, without secrets and personal data; list and get show them; clear
    marks one report (error_id), those of an error_type, or all as dealt with: they are not listed any more and go with
    age. You see your own reports; administrators of the tenant see everybody's, and clear what they see.
    """
    match given.action:
        case "record":
            return _record(context, given)
        case "list":
            rows, total = reports.list_reports(
                context.principal,
                error_type=given.error_type,
                since=given.since,
                with_cleared=given.include_cleared,
                limit=given.limit,
            )
            return ReportOut(action="list", reports=[_shown(row, is_whole=False) for row in rows], total=total)
        case "get":
            if given.error_id is None:
                raise ToolFailed("Say which report with error_id; list shows their ids.", code="error_id_missing")
            row = reports.get_report(context.principal, given.error_id)
            return ReportOut(action="get", report=_shown(row, is_whole=True))
        case "clear":
            cleared = reports.clear(context.principal, report_id=given.error_id, error_type=given.error_type)
            return ReportOut(action="clear", cleared=cleared)


def _record(context: ToolContext, given: ReportIn) -> ReportOut:
    if given.error_type is None or given.message is None:
        raise ToolFailed("To record an error, say error_type and message.", code="report_incomplete")
    said = reports.Reported(given.error_type, given.message, dict(given.metadata), context.run_id, context.session_id)
    report_id = uuid5(REPORT_NAMES, f"{context.tenant_id}:{context.principal.sub}:{context.idempotency_key}")
    row, is_new = reports.record(context.principal, report_id, said)
    return ReportOut(action="record", report=_shown(row, is_whole=True), is_new=is_new)


def _shown(row: ErrorReport, *, is_whole: bool) -> Report:
    cut = row.message if is_whole or len(row.message) <= BRIEF_CHARS else f"{row.message[:BRIEF_CHARS]}..."
    return Report(
        error_id=row.id,
        error_type=row.error_type,
        message=cut,
        metadata=row.metadata if is_whole else None,
        reported_by=row.owner_sub,
        reported_at=iso(row.created_at),
        run_id=row.run_id,
        session_id=row.session_id,
        correlation_id=row.correlation_id,
        cleared_at=iso(row.cleared_at),
        cleared_by=row.cleared_by or None,
    )
