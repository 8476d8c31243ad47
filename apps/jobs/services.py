"""Writes from the API's side: accept, cancel, retry. Each is one transaction, one event, and a hint after it."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
from django.conf import settings
from psycopg.types.json import Jsonb
from pydantic_core import to_json

from apps.identity.principal import Principal
from apps.jobs import mirror, selectors
from apps.jobs.admission import CHECKS, admit, check_payload
from apps.jobs.ledger import ISO_NOW
from apps.jobs.oversight import record_act
from apps.jobs.quota import JOBS, claim_room, quota_of
from apps.jobs.states import TERMINAL
from apps.jobs.types import JOB_TYPES
from kernel import metrics
from kernel.clock import iso
from kernel.errors import ConflictError, ForbiddenError, ValidationError
from kernel.failpoints import failpoint
from kernel.idempotency import RequestKey, find_key
from kernel.request_context import current
from kernel.tenant_context import prepared_cursor, tenant_scope

CREATE_ROUTE = "/v1/jobs"
IDEMPOTENCY_WAIT_MS = 1500

INSERT = f"""
WITH key AS (
    INSERT INTO idempotency_keys (tenant_id, owner_sub, method, route, key, request_hash, resource_id, response_body,
        created_at, expires_at)
    SELECT %(tenant_id)s::uuid, %(sub)s::text, 'POST', %(route)s::text, %(key)s::text, %(request_hash)s::text,
        %(id)s::uuid, '',
        now(), now() + make_interval(secs => %(key_ttl_s)s::float8)
    WHERE %(key)s::text IS NOT NULL
    ON CONFLICT (tenant_id, owner_sub, method, route, key) DO UPDATE SET request_hash = EXCLUDED.request_hash,
        resource_id = EXCLUDED.resource_id, response_body = '', created_at = now(), expires_at = EXCLUDED.expires_at
        WHERE idempotency_keys.expires_at < now()
    RETURNING id
), job AS (
    INSERT INTO jobs (id, tenant_id, type, status, owner_sub, payload_json, principal_json, idempotency_key, priority,
        max_attempts, retry_of, request_id, correlation_id, traceparent, last_seq, attempt, crashes, token)
    SELECT %(id)s::uuid, %(tenant_id)s::uuid, %(type)s::text, 'queued', %(sub)s::text, %(payload)s::jsonb,
        %(principal)s::jsonb, %(key)s::text, %(priority)s::int, %(max_attempts)s::int, %(retry_of)s::uuid,
        %(request_id)s::text, %(correlation_id)s::text, %(traceparent)s::text, 1, 0, 0, 0
    WHERE %(key)s::text IS NULL OR EXISTS (SELECT 1 FROM key)
    RETURNING *
), told AS (
    INSERT INTO job_events (job_id, seq_id, job_created_at, tenant_id, event_type, event_json, created_at)
    SELECT id, 1, created_at, tenant_id, 'status', jsonb_build_object('job_id', id, 'from', NULL, 'to', 'queued',
        'status', 'queued', 'timestamp', {ISO_NOW}), created_at
    FROM job RETURNING seq_id, event_type, event_json
)
SELECT job.id, job.tenant_id, job.type, job.owner_sub, job.status, job.attempt, job.last_seq, job.lease_owner,
    job.progress_percent, job.priority, job.created_at, told.seq_id, told.event_type, told.event_json
FROM job CROSS JOIN told
"""


@dataclass(frozen=True)
class Accepted:
    """What POST /v1/jobs answers: the body's bytes, and whether they are a replay of an earlier answer."""

    job_id: UUID
    body: bytes
    replayed: bool = False


def key_digest(principal: Principal, key: str) -> str:
    """The {key} of idempotency:{key}: one per tenant, caller, method, route and header."""
    text = "\x1f".join((str(principal.tenant_id), principal.sub, "POST", CREATE_ROUTE, key))
    return hashlib.sha256(text.encode()).hexdigest()


def _rows(cursor: psycopg.Cursor[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as apps.jobs.mirror takes them. Django's connections hand jsonb over as text."""
    rows = cursor.fetchall()
    for row in rows:
        row["event_json"] = json.loads(row["event_json"])
    return rows


def _accepted_body(row: dict[str, Any]) -> bytes:
    return to_json(
        {
            "id": row["id"],
            "job_id": row["id"],
            "type": row["type"],
            "status": "queued",
            "owner": row["owner_sub"],
            "owner_sub": row["owner_sub"],
            "tenant_id": row["tenant_id"],
            "priority": row["priority"],
            "created_at": iso(row["created_at"]),
        }
    )


def create_job(
    principal: Principal,
    *,
    type_name: str,
    payload: dict[str, Any],
    priority: int = 0,
    idempotency_key: str | None = None,
    request_id: str = "",
    retry_of: UUID | None = None,
    also: Callable[[UUID], None] | None = None,
) -> Accepted:
    """Accept a job: row, first event and idempotency record in one transaction; its id on the queue after the commit.

    The same key with the same request gives the stored answer; with another request a ValidationError; while the
    first is still being answered a ConflictError; beyond the tenant's quota a RateLimitedError. ``also`` gets the new
    job's id and belongs to the transaction.
    """
    check_payload(type_name, payload)
    request_hash = hashlib.sha256(json.dumps([type_name, payload, priority], sort_keys=True).encode()).hexdigest()
    if idempotency_key and type_name in CHECKS:  # what was accepted is not asked about, or counted, again
        with tenant_scope(principal.tenant_id):
            if find_key(RequestKey(principal.tenant_id, principal.sub, CREATE_ROUTE, idempotency_key)) is not None:
                return _replay(principal, idempotency_key, request_hash)
    admit(principal, JOB_TYPES[type_name], payload)
    context = current()
    values: dict[str, Any] = {
        "id": uuid4(),
        "tenant_id": principal.tenant_id,
        "type": type_name,
        "sub": principal.sub,
        "payload": Jsonb(payload),
        "principal": Jsonb(principal.as_json()),
        "key": idempotency_key,
        "key_ttl_s": settings.IDEMPOTENCY_TTL_S,
        "request_hash": request_hash,
        "route": CREATE_ROUTE,
        "priority": priority,
        "max_attempts": JOB_TYPES[type_name].max_attempts or settings.MAX_ATTEMPTS,
        "retry_of": retry_of,
        "request_id": request_id or context.request_id,
        "correlation_id": context.correlation_id,
        "traceparent": context.traceparent,
    }
    quota = quota_of(principal, JOBS)
    try:
        wait_ms = IDEMPOTENCY_WAIT_MS if idempotency_key or quota is not None else None
        with tenant_scope(principal.tenant_id, lock_timeout_ms=wait_ms), prepared_cursor() as cursor:
            if quota is not None:
                claim_room(principal, JOBS, quota, route=CREATE_ROUTE, idempotency_key=idempotency_key)
            cursor.execute(INSERT, values)
            rows = _rows(cursor)
            if not rows:
                return _replay(principal, idempotency_key or "", request_hash)
            body = _accepted_body(rows[0])
            if also is not None:
                also(rows[0]["id"])
            if idempotency_key:
                cursor.execute(
                    "UPDATE idempotency_keys SET response_body = %s WHERE tenant_id = %s AND owner_sub = %s "
                    "AND method = 'POST' AND route = %s AND key = %s",
                    [body.decode(), principal.tenant_id, principal.sub, CREATE_ROUTE, idempotency_key],
                )
    except psycopg.errors.LockNotAvailable as error:
        raise ConflictError(
            "A request with this Idempotency-Key is still being answered. Try again in a second.",
            code="idempotency_in_progress",
            retry_after_s=1,
        ) from error
    failpoint("after_commit_before_push")
    metrics.JOB_CREATED.labels(type_name).inc()
    if idempotency_key:
        metrics.IDEMPOTENCY_CHECKS.labels("new").inc()
    mirror.enqueue(rows[0], idempotency=key_digest(principal, idempotency_key) if idempotency_key else None)
    return Accepted(rows[0]["id"], body)


def _replay(principal: Principal, key: str, request_hash: str) -> Accepted:
    stored = selectors.idempotency_record(principal, CREATE_ROUTE, key)
    if stored.request_hash != request_hash:
        metrics.IDEMPOTENCY_CHECKS.labels("mismatch").inc()
        raise ValidationError(
            "This Idempotency-Key was used for another request. Use a new key for a new job.",
            code="idempotency_key_reused",
        )
    metrics.IDEMPOTENCY_CHECKS.labels("replayed").inc()
    return Accepted(stored.resource_id, stored.response_body.encode(), replayed=True)


CANCEL_QUEUED = f"""
WITH moved AS (
    UPDATE jobs SET status = 'cancelled', completed_at = clock_timestamp(), updated_at = clock_timestamp(),
        cancel_requested_at = clock_timestamp(), result_json = '{{"cancelled": true}}'::jsonb, last_seq = last_seq + 2
    WHERE id = %(id)s AND status = 'queued' RETURNING *
), told AS (
    INSERT INTO job_events (job_id, seq_id, job_created_at, tenant_id, event_type, event_json, created_at)
    SELECT moved.id, line.seq_id, moved.created_at, moved.tenant_id, line.event_type, line.data, clock_timestamp()
    FROM moved CROSS JOIN LATERAL (VALUES
        (last_seq - 1, 'status', jsonb_build_object('job_id', id, 'from', 'queued', 'to', 'cancelled',
            'status', 'cancelled', 'timestamp', {ISO_NOW})),
        (last_seq, 'end', jsonb_build_object('job_id', id, 'final', 'cancelled', 'completed_at', {ISO_NOW}))
    ) AS line(seq_id, event_type, data)
    RETURNING seq_id, event_type, event_json, created_at
)
SELECT moved.id, moved.tenant_id, moved.type, moved.owner_sub, moved.status, moved.attempt, moved.last_seq,
    moved.lease_owner, moved.progress_percent, moved.priority,
    told.seq_id, told.event_type, told.event_json, told.created_at
FROM moved CROSS JOIN told ORDER BY told.seq_id
"""
CANCEL_RUNNING = """
UPDATE jobs SET cancel_requested_at = COALESCE(cancel_requested_at, clock_timestamp())
WHERE id = %(id)s AND status = 'running' RETURNING id
"""


def cancel_job(principal: Principal, job_id: UUID) -> tuple[str, bool]:
    """Ask a job to stop. Returns (status, already_ended).

    A queued one is cancelled at once and never starts; a running one is told, and ends at its next checkpoint.
    NotFoundError for a job that is not the caller's.
    """
    with tenant_scope(principal.tenant_id):
        job = selectors.get_job(principal, job_id)
        if job.status in TERMINAL:
            return job.status, True
        with prepared_cursor() as cursor:
            cursor.execute(CANCEL_QUEUED, {"id": job_id})
            rows = _rows(cursor)
            told = False
            if not rows:
                cursor.execute(CANCEL_RUNNING, {"id": job_id})
                told = cursor.fetchone() is not None
        if not rows and not told:  # it was given back or ended between the two looks
            job = selectors.get_job(principal, job_id)
            if job.status not in TERMINAL:
                raise ConflictError("The job is just changing hands. Try again.", retry_after_s=1)
            return job.status, True
        record_act(principal, job, "job.cancelled_by_admin", status=job.status)
    metrics.JOB_CANCELS.inc()
    if rows:
        metrics.JOBS_ENDED.labels(rows[0]["type"], "cancelled").inc()
        mirror.publish(rows)
        return "cancelled", False
    mirror.request_cancel(job_id)
    return "running", False


def retry_job(
    principal: Principal, job_id: UUID, *, request_id: str = "", as_principal: Principal | None = None
) -> Accepted:
    """Run an ended job again, as a new job that remembers the old one; takes it off the dead-letter list.

    ConflictError while the old one has not ended. The new job is its caller's, not the old owner's; ``as_principal``,
    of the same tenant, is what it acts with when that is less than what it took to see the old one. ForbiddenError for
    another's job whose payload is a wish in its owner's name: it would be carried out with the caller's rights.
    """
    with tenant_scope(principal.tenant_id):
        job = selectors.get_job(principal, job_id)
        if job.status not in TERMINAL:
            raise ConflictError(
                f"The job is still {job.status}. Cancel it or wait for its end before a retry.",
                code="job_not_ended",
            )
    job_type = JOB_TYPES.get(job.type)
    if job_type is not None and job_type.acts_for_owner and job.owner_sub != principal.sub:
        raise ForbiddenError(
            f"Only its owner may have a job of type {job.type!r} run again: it acts in the owner's name.",
            code="not_the_owner",
        )

    def leave_dead_letters(new_id: UUID) -> None:
        with prepared_cursor() as cursor:
            cursor.execute("UPDATE jobs SET dead_lettered_at = NULL WHERE id = %s", [job_id])
        record_act(principal, job, "job.retried_by_admin", new_job_id=str(new_id))

    return create_job(
        as_principal or principal,
        type_name=job.type,
        payload=job.payload_json,
        priority=job.priority,
        request_id=request_id,
        retry_of=job.id,
        also=leave_dead_letters,
    )
