"""What is kept how long. Runs as the engine's role; DDL goes through two functions that the owner defined."""

import structlog
from django.conf import settings

from kernel import engine_db

log = structlog.get_logger("retention")
MONTHS_AHEAD = 3
WORKER_GONE_S = 300


def ensure_partitions() -> None:
    """Make sure that job_events has a partition for this month and the next ones. Cheap when they exist."""
    with engine_db.cursor() as cursor:
        for month in range(MONTHS_AHEAD + 1):
            cursor.execute("SELECT ensure_job_events_partition((now() + make_interval(months => %s))::date)", [month])


def clean() -> dict[str, int]:
    """Delete what has expired, a batch at a time. Returns rows deleted by table."""
    deleted = {
        "idempotency_keys": _delete(
            "DELETE FROM idempotency_keys WHERE id IN "
            "(SELECT id FROM idempotency_keys WHERE expires_at < now() ORDER BY expires_at LIMIT %(batch)s)"
        ),
        "jobs": _delete(
            "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE status IN ('finished', 'failed', 'cancelled') "
            "AND dead_lettered_at IS NULL AND completed_at < now() - make_interval(days => %(days)s) LIMIT %(batch)s)"
        ),
        "worker_heartbeats": _delete(
            "DELETE FROM worker_heartbeats WHERE worker IN (SELECT worker FROM worker_heartbeats "
            "WHERE seen_at < now() - make_interval(secs => %(gone_s)s) LIMIT %(batch)s)"
        ),
    }
    log.info("cleaned", **deleted)
    return deleted


def _delete(statement: str) -> int:
    return engine_db.in_batches(statement, {"days": settings.JOB_RETENTION_DAYS, "gone_s": WORKER_GONE_S})
