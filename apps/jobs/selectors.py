"""Reads, inside the caller's tenant scope: a foreign job and a missing one look the same."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, JSONField, Q, QuerySet
from django.db.models.functions import Now

from apps.identity.principal import Principal
from apps.jobs.checks import WITHHELD
from apps.jobs.logs import LogRef
from apps.jobs.models import IdempotencyKey, Job, JobEvent
from apps.jobs.states import TERMINAL
from kernel.errors import NotFoundError
from kernel.pagination import Cursor
from kernel.tenant_context import prepared_cursor, tenant_scope

TOTAL_EXACT_UP_TO = 10_000


_COLUMNS = [field.attname for field in Job._meta.concrete_fields]
_JSON_COLUMNS = [field.attname for field in Job._meta.concrete_fields if isinstance(field, JSONField)]
_ONE_JOB = f"SELECT {', '.join(_COLUMNS)} FROM jobs WHERE id = %s"


def _job(job_id: UUID) -> Job | None:
    """What ``Job.objects.filter(id=job_id).first()`` would give, by a prepared statement: clients poll it."""
    with prepared_cursor() as cursor:
        row = cursor.execute(_ONE_JOB, [job_id]).fetchone()
    if row is None:
        return None
    for name in _JSON_COLUMNS:  # Django's connections hand jsonb over as text
        if row[name] is not None:
            row[name] = json.loads(row[name])
    return Job.from_db("default", _COLUMNS, list(row.values()))


def get_job(principal: Principal, job_id: UUID) -> Job:
    """The caller's job, or any job of its tenant for an admin. NotFoundError otherwise."""
    with tenant_scope(principal.tenant_id):
        job = _job(job_id)
    if job is None or not (principal.is_admin or job.owner_sub == principal.sub):
        raise NotFoundError("There is no such job.", code="job_not_found")
    return job


def withheld(principal: Principal, job: Job) -> str | None:
    """Why this caller may not see what went into the job and came out, as its type has it; None when it may."""
    look = WITHHELD.get(job.type)
    return None if look is None else look(principal, job.payload_json)


def list_jobs(
    principal: Principal,
    *,
    statuses: Sequence[str] = (),
    types: Sequence[str] = (),
    owner_sub: str | None = None,
    dead_letters: bool = False,
    after: Cursor | None = None,
    limit: int,
) -> tuple[list[Job], int]:
    """One page, newest first, with one row more than ``limit`` when there is a next; and the total.

    ``owner_sub`` None means every owner of the tenant (admins). The total is exact up to TOTAL_EXACT_UP_TO.
    """
    with tenant_scope(principal.tenant_id):
        jobs: QuerySet[Job] = Job.objects.filter(tenant_id=principal.tenant_id)
        if owner_sub is not None:
            jobs = jobs.filter(owner_sub=owner_sub)
        if statuses:
            jobs = jobs.filter(status__in=statuses)
        if types:
            jobs = jobs.filter(type__in=types)
        if dead_letters:
            jobs = jobs.filter(dead_lettered_at__isnull=False)
        total = jobs.order_by()[:TOTAL_EXACT_UP_TO].count()
        if after is not None:
            jobs = jobs.filter(Q(created_at__lt=after.created_at) | Q(created_at=after.created_at, id__lt=after.id))
        return list(jobs.order_by("-created_at", "-id")[: limit + 1]), total


def open_job_ids(tenant_id: UUID, *, limit: int = 1000) -> list[UUID]:
    """Jobs of the tenant that have not ended, whosever they are."""
    with tenant_scope(tenant_id):
        return list(
            Job.objects.filter(tenant_id=tenant_id).exclude(status__in=TERMINAL).values_list("id", flat=True)[:limit]
        )


def ref_of(job: Job) -> LogRef:
    """The log of a job that the caller was allowed to read."""
    return LogRef(job.id, job.tenant_id, job.created_at, job.last_seq, job.status in TERMINAL)


def events_after(log: LogRef, after_seq: int, *, limit: int = 1000) -> list[dict[str, Any]]:
    """The job's events with a higher sequence number, in order, from PostgreSQL."""
    with tenant_scope(log.tenant_id):
        rows = JobEvent.objects.filter(job_id=log.id, job_created_at=log.created_at, seq_id__gt=after_seq)
        wanted = rows.order_by("seq_id").values("seq_id", "event_type", "event_json", "created_at")[:limit]
        return [dict(row) for row in wanted]


def last_seqs(tenant_id: UUID, ids: Sequence[UUID]) -> dict[UUID, int]:
    """How many events each of these jobs has, for streams whose callers were allowed to read them."""
    with tenant_scope(tenant_id):
        return dict(Job.objects.filter(id__in=ids).values_list("id", "last_seq"))


def latest_ids(principal: Principal, *, limit: int) -> list[UUID]:
    """Of the caller's own jobs, newest first."""
    with tenant_scope(principal.tenant_id):
        jobs = Job.objects.filter(tenant_id=principal.tenant_id, owner_sub=principal.sub)
        return list(jobs.order_by("-created_at", "-id").values_list("id", flat=True)[:limit])


def job_stats(principal: Principal, *, hours: int, owner_sub: str | None) -> dict[str, Any]:
    """Counts of jobs created in the last ``hours``: by status, by type and status, and dead letters waiting."""
    with tenant_scope(principal.tenant_id):
        jobs = Job.objects.filter(tenant_id=principal.tenant_id, created_at__gt=Now() - timedelta(hours=hours))
        dead = Job.objects.filter(tenant_id=principal.tenant_id, dead_lettered_at__isnull=False)
        if owner_sub is not None:
            jobs, dead = jobs.filter(owner_sub=owner_sub), dead.filter(owner_sub=owner_sub)
        by_type: dict[str, dict[str, int]] = {}
        for row in jobs.order_by().values("type", "status").annotate(n=Count("*")):
            by_type.setdefault(row["type"], {})[row["status"]] = row["n"]
        waiting = dead.count()
    by_status: dict[str, int] = {}
    for counts in by_type.values():
        for status, count in counts.items():
            by_status[status] = by_status.get(status, 0) + count
    return {
        "window_hours": hours,
        "total": sum(by_status.values()),
        "by_status": by_status,
        "by_type": by_type,
        "dead_letters": waiting,
    }


def idempotency_record(principal: Principal, route: str, key: str) -> IdempotencyKey:
    """The record of an earlier request with this key; it exists when an INSERT of the same key did nothing."""
    return IdempotencyKey.objects.get(
        tenant_id=principal.tenant_id, owner_sub=principal.sub, method="POST", route=route, key=key
    )
