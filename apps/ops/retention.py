"""Error reports are not kept for ever. Runs as the engine's role, across tenants."""

from django.conf import settings

from kernel import engine_db


def clean() -> int:
    """Delete reports as old as jobs may become; how many. Safe at any time."""
    return engine_db.in_batches(
        "DELETE FROM error_reports WHERE id IN (SELECT id FROM error_reports WHERE created_at < now() - "
        "make_interval(days => %(days)s) LIMIT %(batch)s)",
        {"days": settings.JOB_RETENTION_DAYS},
    )
