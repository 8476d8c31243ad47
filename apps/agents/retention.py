"""Sessions that were idle too long end; ended ones go after a while. Runs as the engine's role, across tenants."""

import structlog
from django.conf import settings

from kernel import engine_db

log = structlog.get_logger("retention")
BATCH = 1000


def clean() -> dict[str, int]:
    """Expire and delete, a batch at a time. Safe at any time. Returns how many of each."""
    done = {
        "expired": _in_batches(
            "UPDATE sessions SET status = 'completed', ended_reason = 'expired', updated_at = now(), "
            "version = version + 1 WHERE id IN (SELECT id FROM sessions WHERE status = 'active' "
            "AND expires_at <= now() LIMIT %(batch)s FOR UPDATE SKIP LOCKED)"
        ),
        "deleted": _in_batches(
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE status <> 'active' "
            "AND updated_at < now() - make_interval(days => %(days)s) LIMIT %(batch)s)"
        ),
    }
    log.info("sessions_cleaned", **done)
    return done


def _in_batches(sql: str) -> int:
    total = 0
    while True:
        with engine_db.cursor() as cursor:
            cursor.execute(sql, {"batch": BATCH, "days": settings.SESSION_RETENTION_DAYS})
            total += cursor.rowcount
            if cursor.rowcount < BATCH:
                return total
