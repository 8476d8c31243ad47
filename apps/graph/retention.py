"""Proposed changes of the graph are not remembered for ever. Runs as the engine's role, across tenants."""

from django.conf import settings

from kernel import engine_db


def clean() -> int:
    """Delete changes that were proposed as long ago as jobs are kept; how many. Safe at any time."""
    return engine_db.in_batches(
        "DELETE FROM graph_changes WHERE id IN (SELECT id FROM graph_changes WHERE created_at < now() - "
        "make_interval(days => %(days)s) LIMIT %(batch)s)",
        {"days": settings.JOB_RETENTION_DAYS},
    )
