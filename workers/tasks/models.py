"""Scheduled looks at language models and their books. Each task is one call, safe to run twice."""

from apps.llm import monitoring
from apps.llm.money import budgets
from kernel.task_names import TaskName
from workers.celery import app


@app.task(name=TaskName.MAINTENANCE_PROVIDERS)
def providers() -> None:
    """Once a minute: does each provider answer (SPEC 12)?"""
    monitoring.look_at_all()


@app.task(name=TaskName.MAINTENANCE_LOST_CALLS)
def lost_calls() -> None:
    """Twice a minute: what calls of dead processes still hold counts as spent."""
    budgets.release_lost()
