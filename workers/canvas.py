"""Workflow A as Celery has it: the one picture of a run's tasks.

    start ──> classify ──> plan ──replace──> step 0 ──> step 1 ──> ... ──> finalize

A chain carries nothing but the run's id and the place of a step; what a task finds and leaves is the run's row. A task
that does not find the run at its own place does nothing, and its chain ends there: whoever moved the run on sends what
comes next. A step that changed the plan, and whoever finds a run that nobody carries on, makes the rest anew. A thread
that may stay with its run does the next task itself (workers/runs/onward.py).
"""

from typing import Any
from uuid import UUID

from celery import Task, chain, signature
from celery.canvas import Signature

from apps.agents.states import CLASSIFY, FINALIZE, PLAN, STEP
from kernel.task_names import TaskName
from workers.runs import onward
from workers.runs.core import NOTHING, Done, RunEngine
from workers.runs.course import perform

TASKS = {
    CLASSIFY: TaskName.RUN_CLASSIFY,
    PLAN: TaskName.RUN_PLAN,
    STEP: TaskName.RUN_STEP,
    FINALIZE: TaskName.RUN_FINALIZE,
}


def rest_of(run_id: UUID | str, phase: str, index: int, todos: int) -> Signature:
    """What is still to do for a run whose row says ``phase`` and ``index``, with so many todos."""
    if phase == CLASSIFY:
        return chain(_task(TaskName.RUN_CLASSIFY, run_id), _task(TaskName.RUN_PLAN, run_id))
    if phase == PLAN:
        return _task(TaskName.RUN_PLAN, run_id)
    steps = [_task(TaskName.RUN_STEP, run_id, place) for place in range(index, todos)] if phase == STEP else []
    return chain(*steps, _task(TaskName.RUN_FINALIZE, run_id)) if steps else _task(TaskName.RUN_FINALIZE, run_id)


def go(task: Task, run_id: str, phase: str, index: int = 0) -> None:
    """Do one phase or step in a task of Celery; then its chain goes on, is replaced, or ends."""
    known = run_id_of(run_id)
    runs = task.app.runs
    follow(task, run_id, perform(runs, known, phase, index, may_keep=lambda: _stays(runs)) if known else NOTHING)


def start(task: Task, run_id: str) -> None:
    """Send what the run's row says is still to do."""
    known = run_id_of(run_id)
    follow(task, run_id, task.app.runs.where(known) if known else NOTHING)


def run_id_of(text: object) -> UUID | None:
    """None for what no run is called: whoever can write to Redis can put anything there."""
    try:
        return UUID(str(text))
    except ValueError:
        return None


def follow(task: Task, run_id: str, done: Done) -> None:
    """Let the chain's next come in this thread, or go on through the queue, end it, or put the rest of a plan that is
    new in its place.

    Not by Celery's Ignore, which makes a traceback, half of what a task costs; nor by its ``replace``, which gives the
    first task of the new chain this one's id, while both may run at once.
    """
    if done.goes_on and (done.kept or _stays(task.app.runs)):
        task.request.chain = None
        onward.leave(task, *_next(run_id, done))
        return
    if done.goes_on and not done.replanned and task.request.chain:
        return
    task.request.chain = None
    if done.goes_on:
        rest_of(run_id, done.phase, done.index, done.todos).apply_async()


def _stays(runs: RunEngine) -> bool:
    return onward.may_go_on() and runs.has_room()


def _next(run_id: str, done: Done) -> tuple[Any, ...]:
    return (TASKS[done.phase], run_id, *([done.index] if done.phase == STEP else []))


def _task(name: str, run_id: UUID | str, *places: int) -> Signature:
    arguments: tuple[Any, ...] = (str(run_id), *places)
    return signature(name, args=arguments, immutable=True)
