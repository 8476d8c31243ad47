"""The wire shapes of /v1/jobs (SPEC 5; the contract's 2.1, 2.2 and 12.7 as a superset)."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from apps.jobs.models import Job
from apps.jobs.types import JOB_TYPES, PUBLIC_TYPES
from kernel.clock import iso
from kernel.errors import BadRequestError
from kernel.web.etag import strong_etag
from kernel.web.fields import Lookup, RequestBody

JobStatus = Literal["queued", "running", "finished", "failed", "cancelled"]


class JobError(BaseModel):
    """Why a job failed."""

    model_config = ConfigDict(extra="allow")

    message: str


class JobCreate(RequestBody):
    """Body of POST /v1/jobs."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"type": "demo", "payload": {"duration_ms": 3000}, "priority": 0}]},
    )

    type: Lookup = Field(min_length=1, max_length=100, description="One of GET /v1/jobs/types.")
    payload: dict[str, Any] = Field(default_factory=dict, description="Fits the type's JSON Schema.")
    priority: int = Field(0, ge=-100, le=100, description="Above 0: taken before jobs of 0 and less.")


class JobAccepted(BaseModel):
    """Body of the 202 (SPEC 5) and of its replays."""

    id: str
    job_id: str
    type: str
    status: str
    owner: str
    owner_sub: str
    tenant_id: str
    priority: int
    created_at: str


class JobOut(BaseModel):
    """A job, under SPEC's names and the predecessor's."""

    id: UUID
    job_id: UUID
    type: str
    job_type: str
    status: JobStatus
    owner: str
    owner_sub: str
    tenant_id: UUID
    priority: int
    payload: dict[str, Any]
    result: Any = Field(description="What the handler returned; null before the end.")
    error: JobError | None = Field(description="Why a failed job failed.")
    progress: float | None = Field(description="Percent, as last reported.")
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = Field(description="Start of the latest attempt.")
    completed_at: datetime | None
    queue_latency_ms: int | None = Field(description="created_at to the first start.")
    exec_latency_ms: int | None = Field(description="started_at to completed_at.")
    attempt: int = Field(description="How often a worker has started it.")
    max_attempts: int
    cancel_requested_at: datetime | None
    dead_lettered_at: datetime | None
    retry_of: UUID | None
    last_event_id: int = Field(description="Number of its latest event.")
    etag: str
    withheld: str | None = Field(
        description="Why payload and result are left out: of a tool that you may not call so now."
    )


class JobPage(BaseModel):
    """A page of jobs, newest first."""

    items: list[JobOut]
    total: int = Field(description="Exact up to 10,000.")
    limit: int
    offset: int
    has_more: bool
    next_page_token: str | None


class JobCancelled(BaseModel):
    """What a cancellation found or did."""

    id: UUID
    status: JobStatus


class JobTypeOut(BaseModel):
    """A job type and the JSON Schema of its payload."""

    type: str
    description: str
    time_limit_s: int
    queue: str
    payload_schema: dict[str, Any]


class JobTypePage(BaseModel):
    """All job types."""

    items: list[JobTypeOut]
    total: int


class JobStatsOut(BaseModel):
    """Counts of jobs created in the last hours."""

    window_hours: int
    total: int
    by_status: dict[str, int]
    by_type: dict[str, dict[str, int]]
    dead_letters: int


class EventOut(BaseModel):
    """One event of a job."""

    id: int
    seq_id: int
    type: str
    event: str
    data: dict[str, Any]
    created_at: datetime
    timestamp: datetime


class EventPage(BaseModel):
    """Events after the one asked for, in order."""

    job_id: UUID
    status: JobStatus
    items: list[EventOut]
    events: list[EventOut]
    last_event_id: int
    has_more: bool


def job_etag(job: Job, withheld: str | None) -> str:
    """Changes with every event of the job, with the request to cancel it, and with what its reader may see."""
    seen = (job.id, job.status, job.last_seq, job.attempt, job.cancel_requested_at, job.dead_lettered_at)
    return strong_etag(*seen, *([] if withheld is None else [withheld]))


def job_out(job: Job, withheld: str | None) -> dict[str, Any]:
    """A job as GET shows it. ``withheld``: why this caller sees neither payload nor result, or None."""
    return {
        "id": job.id,
        "job_id": job.id,
        "type": job.type,
        "job_type": job.type,
        "status": job.status,
        "owner": job.owner_sub,
        "owner_sub": job.owner_sub,
        "tenant_id": job.tenant_id,
        "priority": job.priority,
        "payload": job.payload_json if withheld is None else {},
        "result": job.result_json if withheld is None else None,
        "error": job.error_json,
        "progress": job.progress_percent,
        "created_at": iso(job.created_at),
        "updated_at": iso(job.updated_at),
        "started_at": iso(job.started_at),
        "completed_at": iso(job.completed_at),
        "queue_latency_ms": job.queue_latency_ms,
        "exec_latency_ms": job.exec_latency_ms,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "cancel_requested_at": iso(job.cancel_requested_at),
        "dead_lettered_at": iso(job.dead_lettered_at),
        "retry_of": job.retry_of,
        "last_event_id": job.last_seq,
        "etag": job_etag(job, withheld).strip('"'),
        "withheld": withheld,
    }


def types_out() -> dict[str, Any]:
    """GET /v1/jobs/types."""
    return {
        "items": [
            {
                "type": job_type.name,
                "description": job_type.description,
                "time_limit_s": job_type.time_limit_s,
                "queue": job_type.queue(),
                "payload_schema": job_type.schema,
            }
            for job_type in JOB_TYPES.values()
            if job_type.is_for_everybody
        ],
        "total": len(PUBLIC_TYPES),
    }


def parse_event_id(raw: str | None) -> int:
    """The last event a client has seen; 0 for none. BadRequestError when it is no number."""
    if raw is None or raw == "":
        return 0
    if not raw.isascii() or not raw.isdigit() or len(raw) > 18:
        raise BadRequestError("Last-Event-ID (or ?after=) must be the number of an event.", code="invalid_event_id")
    return int(raw)


def event_page(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events as GET .../events?format=json shows them (and the predecessor's panel reads them)."""
    return [
        {
            "id": row["seq_id"],
            "seq_id": row["seq_id"],
            "type": row["event_type"],
            "event": row["event_type"],
            "data": row["event_json"],
            "created_at": iso(row["created_at"]),
            "timestamp": iso(row["created_at"]),
        }
        for row in rows
    ]
