"""Scheduled upkeep. Each task is one call, safe to run twice."""

from apps.agents import retention as session_retention
from apps.audit import upkeep
from apps.files import retention as file_retention
from apps.graph import retention as graph_retention
from apps.identity.services import purge_expired_tokens
from apps.jobs import retention
from apps.llm.money import budgets
from apps.ops import retention as report_retention
from apps.tools import retention as tool_retention
from kernel.task_names import TaskName
from workers.celery import app


@app.task(name=TaskName.MAINTENANCE_CLEANUP)
def cleanup() -> None:
    """Hourly: expired idempotency keys, old jobs, workers long gone, sessions that were idle too long, old
    books of language models, old error reports, old calls of tools."""
    retention.clean()
    session_retention.clean()
    budgets.clean()
    graph_retention.clean()
    file_retention.clean()
    report_retention.clean()
    tool_retention.clean()


@app.task(name=TaskName.MAINTENANCE_TOKENS)
def tokens() -> None:
    """Hourly: the built-in issuer's expired tokens."""
    purge_expired_tokens()


@app.task(name=TaskName.MAINTENANCE_PARTITIONS)
def partitions() -> None:
    """Hourly: the months' partitions of job events and audit rows that will be needed; audit heads to the log."""
    retention.ensure_partitions()
    upkeep.ensure_partitions()
    upkeep.publish_heads()
