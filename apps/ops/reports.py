"""Errors that people, programs and agents report: kept for their tenant, shown to who reported them and administrators.

Secrets and personal data are taken out before a report is kept; what a tenant calls personal is its PII mode's to say.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.audit.scrubbing import scrubbed, scrubbed_text
from apps.identity.principal import Principal
from apps.ops.models import ErrorReport
from apps.tenancy import hiding
from kernel.clock import now
from kernel.errors import ConflictError, NotFoundError, ValidationError
from kernel.request_context import current
from kernel.tenant_context import tenant_scope

MESSAGE_MAX = 4_000
METADATA_MAX_BYTES = 8 * 1024
OPEN_MOST = 1_000  # of one caller, not cleared


@dataclass(frozen=True, slots=True)
class Reported:
    """What went wrong, in the words of who reports it."""

    error_type: str
    message: str
    metadata: dict[str, Any] = field(default_factory=dict)
    run_id: UUID | None = None
    session_id: UUID | None = None


def record(principal: Principal, report_id: UUID, said: Reported) -> tuple[ErrorReport, bool]:
    """Keep a report, once for each id; and whether it is new. ConflictError for who has too many open ones."""
    clean = _clean(principal, {"type": said.error_type, "message": said.message, "metadata": scrubbed(said.metadata)})
    if len(str(clean["metadata"]).encode(errors="replace")) > METADATA_MAX_BYTES:
        raise ValidationError(
            f"metadata may have {METADATA_MAX_BYTES:,} bytes at most. Keep what is needed to find the cause.",
            code="metadata_too_large",
        )
    with tenant_scope(principal.tenant_id):
        known = _visible_to(principal).filter(id=report_id).first()
        if known is not None:
            return known, False
        if ErrorReport.objects.filter(owner_sub=principal.sub, cleared_at=None).count() >= OPEN_MOST:
            raise ConflictError(
                f"You have {OPEN_MOST:,} reports that nobody cleared. Clear what is dealt with.",
                code="too_many_reports",
            )
        row = ErrorReport.objects.create(
            id=report_id,
            tenant_id=principal.tenant_id,
            owner_sub=principal.sub,
            error_type=clean["type"][:100],
            message=scrubbed_text(clean["message"], MESSAGE_MAX),
            metadata=clean["metadata"],
            run_id=said.run_id,
            session_id=said.session_id,
            correlation_id=current().correlation_id,
        )
        row.refresh_from_db()  # created_at is the database's
        return row, True


def list_reports(
    principal: Principal, *, error_type: str | None, since: datetime | None, with_cleared: bool, limit: int
) -> tuple[list[ErrorReport], int]:
    """The newest reports that this caller may see, and how many there are."""
    with tenant_scope(principal.tenant_id):
        rows = _visible_to(principal)
        if not with_cleared:
            rows = rows.filter(cleared_at=None)
        if error_type is not None:
            rows = rows.filter(error_type=error_type)
        if since is not None:
            rows = rows.filter(created_at__gte=since)
        return list(rows.order_by("-created_at", "-id")[:limit]), rows.count()


def get_report(principal: Principal, report_id: UUID) -> ErrorReport:
    """One report, cleared or not. NotFoundError for another's, except to administrators of the tenant."""
    with tenant_scope(principal.tenant_id):
        row = _visible_to(principal).filter(id=report_id).first()
    if row is None:
        raise NotFoundError("There is no such error report.", code="error_report_not_found")
    return row


def clear(principal: Principal, *, report_id: UUID | None, error_type: str | None) -> int:
    """Mark reports that this caller may see as dealt with: one, those of a type, or all. How many were open. Safe to
    repeat."""
    if report_id is not None:
        get_report(principal, report_id)
    with tenant_scope(principal.tenant_id):
        rows = _visible_to(principal).filter(cleared_at=None)
        if report_id is not None:
            rows = rows.filter(id=report_id)
        if error_type is not None:
            rows = rows.filter(error_type=error_type)
        return rows.update(cleared_at=now(), cleared_by=principal.sub)


def _visible_to(principal: Principal) -> QuerySet[ErrorReport]:
    """Inside the tenant's scope."""
    rows = ErrorReport.objects.filter(tenant_id=principal.tenant_id)
    return rows if principal.is_admin else rows.filter(owner_sub=principal.sub)


def _clean(principal: Principal, document: dict[str, Any]) -> dict[str, Any]:
    clean: dict[str, Any] = hiding.scrubber(principal.tenant_id)(document)
    return clean
