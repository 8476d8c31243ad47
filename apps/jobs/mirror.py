"""The Redis half of a job: state hash, event ring, wake-up, queue. Written after the commit that made it true.

All of it is a hint. A failed write is counted and forgotten; the sweeper and the streams' own reads make up for it.
"""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import redis
import structlog
from django.conf import settings

from apps.jobs.ring import event_line, queue_events
from apps.jobs.states import RUNNING, TERMINAL
from apps.jobs.types import JOB_TYPES
from kernel import metrics
from kernel.clock import iso
from kernel.redis_client import availability, client, load_script
from kernel.redis_keys import IDEMPOTENCY, JOBS_CANCEL, JOBS_EVENTS, JOBS_QUEUE, JOBS_QUEUE_HIGH, JOBS_STATE
from kernel.wakeups import queue_wakeup

log = structlog.get_logger("mirror")
Row = dict[str, Any]
REFRESH_TTL_EVERY = 50  # events of a running job


def queue_key(job_type: str, priority: int) -> str:
    """The list that carries this job's id."""
    known = JOB_TYPES.get(job_type)
    return known.queue(priority) if known else (JOBS_QUEUE_HIGH if priority > 0 else JOBS_QUEUE)(type=job_type)


def _state(row: Row) -> list[Any]:
    """The state hash after this move, as field, value, field, value."""
    return [
        *("status", row["status"]),
        *("type", row["type"]),
        *("owner_sub", row["owner_sub"]),
        *("tenant_id", str(row["tenant_id"])),
        *("last_seq", row["last_seq"]),
        *("attempt", row["attempt"]),
        *("worker_id", row["lease_owner"] or ""),
        *("progress", "" if row["progress_percent"] is None else row["progress_percent"]),
        *("updated_at", iso(row["created_at"]) or ""),
    ]


def _mirror(pipe: redis.client.Pipeline, rows: Iterable[Row]) -> None:
    by_job: dict[UUID, list[Row]] = {}
    for row in rows:
        by_job.setdefault(row["id"], []).append(row)
    wake: dict[str, int] = {}
    for job_id, lines in by_job.items():
        last = lines[-1]
        state, ring = JOBS_STATE(id=job_id), JOBS_EVENTS(id=job_id)
        pipe.hset(state, items=_state(last))
        queue_events(pipe, ring, lines, last["last_seq"])
        if last["status"] in TERMINAL:
            pipe.delete(JOBS_CANCEL(id=job_id))
        if last["status"] != RUNNING or last["last_seq"] % REFRESH_TTL_EVERY == 0:
            pipe.expire(state, JOBS_STATE.ttl_s or 0)
            pipe.expire(ring, JOBS_EVENTS.ttl_s or 0)
        wake[str(job_id)] = last["last_seq"]
    queue_wakeup(pipe, wake)


def _attempt(where: str, talk: Callable[[], Any]) -> bool:
    """Talk to Redis; False when it did not listen."""
    if not availability.usable():
        metrics.REDIS_ERRORS.labels(where).inc()
        return False
    try:
        talk()
    except redis.RedisError as error:
        availability.failed()
        metrics.REDIS_ERRORS.labels(where).inc()
        log.warning("redis_write_failed", where=where, error=type(error).__name__)
        return False
    return True


def publish(rows: list[Row]) -> bool:
    """Show committed moves and events: state, ring, wake-up. ``rows`` as apps.jobs.ledger returns them."""
    return announce(rows, [])


def enqueue(row: Row, *, idempotency: str | None = None) -> bool:
    """A job was accepted: show it, then put its id on the queue (LPUSH), in one round trip. Nobody watches it yet."""
    state = JOBS_STATE(id=row["id"])
    keys = [
        state,
        JOBS_EVENTS(id=row["id"]),
        queue_key(row["type"], row["priority"]),
        IDEMPOTENCY(key=idempotency) if idempotency else state,
    ]
    values = [
        str(row["id"]),
        event_line(row),
        JOBS_STATE.ttl_s,
        JOBS_EVENTS.ttl_s,
        settings.IDEMPOTENCY_TTL_S if idempotency else 0,
        *_state(row),
    ]
    return _attempt("enqueue", lambda: load_script("enqueue_job")(keys=keys, args=values))


def announce(shown: list[Row], returned: list[Row]) -> bool:
    """Show moves and events; then put the ids of ``returned``, jobs that are queued again, at the taking end (RPUSH),
    ahead of those that never started."""

    def talk() -> None:
        pipe = client().pipeline(transaction=False)
        _mirror(pipe, shown)
        for row in returned:
            pipe.rpush(queue_key(row["type"], row["priority"]), str(row["id"]))
        pipe.execute()

    return not shown or _attempt("announce", talk)


def rehint(job_type: str, high: bool, ids: list[UUID]) -> bool:
    """Ids that fell out go back to the taking end; the oldest, first in ``ids``, will be taken first."""
    key = queue_key(job_type, 1 if high else 0)
    return not ids or _attempt("rehint", lambda: client().rpush(key, *(str(job_id) for job_id in reversed(ids))))


def request_cancel(job_id: UUID) -> None:
    """Raise the flag that the job's worker looks at twice a second."""
    if not availability.usable():
        return
    try:
        load_script("cancel_job")(keys=[JOBS_STATE(id=job_id), JOBS_CANCEL(id=job_id)], args=[JOBS_CANCEL.ttl_s or 0])
    except redis.RedisError:
        availability.failed()
        metrics.REDIS_ERRORS.labels("cancel").inc()
