"""The tasks of a run. Ids in, nothing out, safe to run twice: a run that is not at the task's place is left alone.

Celery's task events, for Flower, come from the first and the last of them: three events a step were a third of its
time, and every step is in the run's own log.
"""

from celery import Task

from apps.agents.states import CLASSIFY, FINALIZE, PLAN, STEP
from kernel.task_names import TaskName
from workers import canvas
from workers.celery import app


@app.task(name=TaskName.RUN_START, bind=True)
def start(self: Task, run_id: str) -> None:
    """A run was accepted, resumed or found: send what is still to do."""
    canvas.start(self, run_id)


@app.task(name=TaskName.RUN_CLASSIFY, bind=True, send_events=False)
def classify(self: Task, run_id: str) -> None:
    """Phase 1."""
    canvas.go(self, run_id, CLASSIFY)


@app.task(name=TaskName.RUN_PLAN, bind=True, send_events=False)
def plan(self: Task, run_id: str) -> None:
    """Phase 2; the steps it plans replace the rest of its chain."""
    canvas.go(self, run_id, PLAN)


@app.task(name=TaskName.RUN_STEP, bind=True, send_events=False)
def step(self: Task, run_id: str, index: int) -> None:
    """Phase 3, one step."""
    canvas.go(self, run_id, STEP, index)


@app.task(name=TaskName.RUN_FINALIZE, bind=True)
def finalize(self: Task, run_id: str) -> None:
    """Phase 4."""
    canvas.go(self, run_id, FINALIZE)
