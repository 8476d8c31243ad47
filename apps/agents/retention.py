"""Sessions that were idle too long end; ended ones, and ended runs, go after a while. As the engine's role, across
tenants. With a run go its steps, its log and its tape."""

import structlog
from django.conf import settings

from kernel import engine_db

log = structlog.get_logger("retention")


def clean() -> dict[str, int]:
    """Expire and delete, a batch at a time. Safe at any time. Returns how many of each."""
    done = {
        "runs_deleted": _in_batches(
            "DELETE FROM agent_runs WHERE id IN (SELECT id FROM agent_runs WHERE status IN ('succeeded', 'failed', "
            "'cancelled') AND finished_at < now() - make_interval(days => %(run_days)s) LIMIT %(batch)s)"
        ),
        "expired": _in_batches(
            "UPDATE sessions SET status = 'completed', ended_reason = 'expired', updated_at = now(), "
            "version = version + 1 WHERE id IN (SELECT id FROM sessions WHERE status = 'active' "
            "AND expires_at <= now() LIMIT %(batch)s FOR UPDATE SKIP LOCKED)"
        ),
        "deleted": _in_batches(
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE status <> 'active' "
            "AND updated_at < now() - make_interval(days => %(days)s) AND NOT EXISTS (SELECT 1 FROM agent_runs "
            "WHERE agent_runs.session_id = sessions.id) LIMIT %(batch)s)"
        ),
    }
    log.info("sessions_cleaned", **done)
    return done


def _in_batches(statement: str) -> int:
    days = {"days": settings.SESSION_RETENTION_DAYS, "run_days": settings.JOB_RETENTION_DAYS}
    return engine_db.in_batches(statement, days)
