"""The Redis half of a run: its ring of events and the wake-up of its streams. Written after the commit that made it
true; all of it is a hint, as for jobs (apps/jobs/mirror.py)."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import redis
import structlog

from apps.jobs.ring import queue_events
from kernel import metrics
from kernel.redis_client import availability, client
from kernel.redis_keys import RUNS_EVENTS
from kernel.wakeups import queue_wakeup

log = structlog.get_logger("mirror")
REFRESH_TTL_EVERY = 50


def publish(rows: Iterable[dict[str, Any]]) -> bool:
    """Show committed events of any runs: {run_id, seq_id, event_type, event_json, created_at}, those of one run in
    order. False when Redis did not listen; then the streams find them by their poll."""
    by_run: dict[UUID, list[dict[str, Any]]] = {}
    for row in rows:
        by_run.setdefault(row["run_id"], []).append(row)
    if not by_run:
        return True
    if not availability.usable():
        metrics.REDIS_ERRORS.labels("run_events").inc()
        return False
    try:
        pipe = client().pipeline(transaction=False)
        wake: dict[str, int] = {}
        for run_id, events in by_run.items():
            ring, first, last = RUNS_EVENTS(id=run_id), events[0]["seq_id"], events[-1]["seq_id"]
            queue_events(pipe, ring, events, last)
            due = last // REFRESH_TTL_EVERY > (first - 1) // REFRESH_TTL_EVERY
            if first == 1 or due or events[-1]["event_type"] == "end":
                pipe.expire(ring, RUNS_EVENTS.ttl_s or 0)
            wake[str(run_id)] = last
        queue_wakeup(pipe, wake)
        pipe.execute()
    except redis.RedisError as error:
        availability.failed()
        metrics.REDIS_ERRORS.labels("run_events").inc()
        log.warning("redis_write_failed", where="run_events", error=type(error).__name__)
        return False
    return True


def forget(run_id: UUID) -> None:
    """Take the ring away, because what it holds is not what the log says any more: streams read PostgreSQL."""
    if not availability.usable():
        return
    try:
        client().delete(RUNS_EVENTS(id=run_id))
    except redis.RedisError:
        availability.failed()
        metrics.REDIS_ERRORS.labels("run_events").inc()
