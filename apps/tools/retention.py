"""Invocations, and calls that waited for a person, are not remembered for ever. Runs as the engine's role, across
tenants."""

import structlog
from django.conf import settings

from kernel import engine_db

log = structlog.get_logger("retention")


def clean() -> dict[str, int]:
    """Delete what is as old as jobs may become, a batch at a time; how many of each. Safe at any time.

    What runs at this moment stays. With an invocation goes its Idempotency-Key.
    """
    done = {
        "tool_invocations": _in_batches(
            "DELETE FROM tool_invocations WHERE id IN (SELECT id FROM tool_invocations WHERE created_at < now() - "
            "make_interval(days => %(days)s) AND NOT (status = 'running' AND lost_at > now()) LIMIT %(batch)s)"
        ),
        "tool_approvals": _in_batches(
            "DELETE FROM tool_approvals WHERE id IN (SELECT id FROM tool_approvals WHERE expires_at < now() - "
            "make_interval(days => %(days)s) LIMIT %(batch)s)"
        ),
    }
    log.info("tools_cleaned", **done)
    return done


def _in_batches(statement: str) -> int:
    return engine_db.in_batches(statement, {"days": settings.JOB_RETENTION_DAYS})
