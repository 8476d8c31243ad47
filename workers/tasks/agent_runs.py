"""The tasks of a run. Ids in, nothing out, safe to run twice: a run that is not at the task's place is left alone.

They follow each other as workers/runs/onward.py says.
"""

from typing import Any

from celery import Task

from apps.agents.states import CLASSIFY, FINALIZE, PLAN, STEP
from kernel.task_names import TaskName
from workers import canvas
from workers.celery import app

RUN: dict[str, Any] = {"bind": True, "Strategy": "workers.runs.onward:strategy"}


@app.task(name=TaskName.RUN_START, **RUN)
def start(self: Task, run_id: str) -> None:
    """A run was accepted, resumed or found: send what is still to do."""
    canvas.start(self, run_id)


@app.task(name=TaskName.RUN_CLASSIFY, **RUN)
def classify(self: Task, run_id: str) -> None:
    """Phase 1."""
    canvas.go(self, run_id, CLASSIFY)


@app.task(name=TaskName.RUN_PLAN, **RUN)
def plan(self: Task, run_id: str) -> None:
    """Phase 2; the steps it plans replace the rest of its chain."""
    canvas.go(self, run_id, PLAN)


@app.task(name=TaskName.RUN_STEP, **RUN)
def step(self: Task, run_id: str, index: int) -> None:
    """Phase 3, one step."""
    canvas.go(self, run_id, STEP, index)


@app.task(name=TaskName.RUN_FINALIZE, **RUN)
def finalize(self: Task, run_id: str) -> None:
    """Phase 4."""
    canvas.go(self, run_id, FINALIZE)
