"""Error reports are not kept for ever. Runs as the engine's role, across tenants."""

from django.conf import settings

from kernel import engine_db

BATCH = 1000


def clean() -> int:
    """Delete reports as old as jobs may become; how many. Safe at any time."""
    total = 0
    while True:
        with engine_db.cursor() as cursor:
            cursor.execute(
                "DELETE FROM error_reports WHERE id IN (SELECT id FROM error_reports WHERE created_at < now() - "
                "make_interval(days => %(days)s) LIMIT %(batch)s)",
                {"days": settings.JOB_RETENTION_DAYS, "batch": BATCH},
            )
            total += cursor.rowcount
            if cursor.rowcount < BATCH:
                return total
