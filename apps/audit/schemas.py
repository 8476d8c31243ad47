"""The wire shapes of the audit log, and how its filters are read."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.http import QueryDict
from pydantic import BaseModel, Field
from pydantic_core import to_json

from apps.audit.models import AuditLog
from apps.audit.selectors import Filters
from apps.audit.verification import Report
from kernel.clock import iso
from kernel.errors import BadRequestError

OUTCOMES = ("success", "denied", "failed")
TEXT_FILTERS = ("action", "actor", "resource_type", "resource_id", "outcome", "correlation_id")
FILTERS = frozenset({*TEXT_FILTERS, "since", "until", "tenant"})
FILTER_MAX = 300
PLATFORM = "platform"


class AuditRow(BaseModel):
    """One act. ``timestamp``, ``user_id`` and ``success`` repeat created_at, actor and outcome for old clients."""

    id: UUID
    seq: int
    tenant_id: UUID | None = Field(description="null: the platform's own chain.")
    created_at: datetime
    timestamp: datetime
    actor: str
    user_id: str
    actor_tenant_id: UUID | None
    action: str
    resource_type: str
    resource_id: str
    outcome: str
    success: bool
    error_message: str | None
    details: dict[str, Any]
    request_id: str | None
    correlation_id: str | None
    trace_id: str | None
    client_ip: str | None
    prev_hash: str
    hash: str


class AuditPage(BaseModel):
    """Newest first."""

    items: list[AuditRow]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_page_token: str | None


class AuditHead(BaseModel):
    """Where a chain ends."""

    seq: int
    hash: str | None


class AuditBreak(BaseModel):
    """The first link that does not hold."""

    fault: str = Field(description="hash_mismatch, wrong_prev, gap, duplicate, missing_tail or head_mismatch.")
    seq: int
    detail: str
    id: UUID | None
    created_at: datetime | None


class AuditVerification(BaseModel):
    """The proof of a chain. Not ``complete``: time ran out; go on with from_seq=next_seq."""

    ok: bool
    complete: bool
    checked: int
    next_seq: int
    head: AuditHead
    first_broken: AuditBreak | None


def row_out(row: AuditLog) -> dict[str, Any]:
    """A row as lists show it."""
    created_at = iso(row.created_at)
    return {
        "id": row.id,
        "seq": row.seq,
        "tenant_id": row.tenant_id if row.tenant_id.int else None,
        "created_at": created_at,
        "timestamp": created_at,
        "actor": row.actor,
        "user_id": row.actor,
        "actor_tenant_id": row.actor_tenant_id,
        "action": row.action,
        "resource_type": row.resource_type,
        "resource_id": row.resource_id,
        "outcome": row.outcome,
        "success": row.success,
        "error_message": row.error_message or None,
        "details": row.details,
        "request_id": row.request_id or None,
        "correlation_id": row.correlation_id or None,
        "trace_id": row.trace_id or None,
        "client_ip": row.client_ip or None,
        "prev_hash": bytes(row.prev_hash).hex(),
        "hash": bytes(row.hash).hex(),
    }


def line_out(row: AuditLog, details_text: str) -> bytes:
    """A row as a line of NDJSON. ``details`` is PostgreSQL's own text, so that the hash can be made again from it."""
    shown = row_out(row)
    del shown["details"]
    return to_json(shown)[:-1] + b',"details":' + details_text.encode() + b"}\n"


def parse_filters(query: QueryDict) -> Filters:
    """BadRequestError for what cannot be meant."""
    texts = {name: _text(name, query.get(name)) for name in TEXT_FILTERS}
    if texts["outcome"] not in (None, *OUTCOMES):
        raise BadRequestError(f"outcome must be one of {', '.join(OUTCOMES)}.", code="invalid_filter")
    if "*" in (texts["action"] or "")[:-1]:
        raise BadRequestError("action: the sign * stands at the end only (tenant.*).", code="invalid_filter")
    return Filters(**texts, since=_moment("since", query.get("since")), until=_moment("until", query.get("until")))


def parse_seq(name: str, raw: str | None, default: int | None) -> int | None:
    """A row's number, 1 or more."""
    if raw is None or raw == "":
        return default
    if not raw.isascii() or not raw.isdigit() or len(raw) > 18 or int(raw) < 1:
        raise BadRequestError(f"{name} must be a whole number from 1.", code="invalid_filter")
    return int(raw)


def _text(name: str, raw: str | None) -> str | None:
    if not raw:
        return None
    if "\0" in raw or len(raw) > FILTER_MAX:
        raise BadRequestError(f"{name}: at most {FILTER_MAX} characters, none of them NUL.", code="invalid_filter")
    return raw


def _moment(name: str, raw: str | None) -> datetime | None:
    if not raw:
        return None
    try:
        moment = datetime.fromisoformat(
            raw.replace(" ", "+") if "T" in raw else raw
        )  # an unescaped + arrives as a space
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC)  # PostgreSQL takes no offset beyond 15:59
    except (ValueError, OverflowError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadRequestError(
            f"{name} must be a time with its offset, such as 2026-01-31T12:00:00Z.", code="invalid_filter"
        )
    return moment


def report_out(report: Report) -> dict[str, Any]:
    """A verification as the API shows it: the chain is the caller's own or was named by it."""
    body = report.as_json()
    del body["tenant_id"]
    return body
