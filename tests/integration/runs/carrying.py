"""Runs carried task by task in this process, by the workers' own engine, with phases that follow a script."""

from typing import Any
from uuid import UUID

from apps.agents.models import AgentRun, RunEvent, RunStep
from apps.agents.runs import services as run_services
from apps.agents.states import RUN_TERMINAL
from apps.identity.principal import Principal
from kernel.tenant_context import tenant_scope
from tests import run_script
from tests.clients import wait_for
from workers.runs.core import Done, RunEngine
from workers.runs.course import perform

AT_FIRST = Done(True, "classify", 0)


def make_run(principal: Principal, *, use_jobs: bool = False, **script: Any) -> AgentRun:
    """A run that follows the script."""
    fields = {name: script.pop(name) for name in ("session_id", "max_steps", "budget") if name in script}
    asked = {"prompt": run_script.prompt(**script), **fields}
    return run_services.create_run(principal, fields=asked, use_jobs=use_jobs)[0]


def advance(engine: RunEngine, run_id: UUID, done: Done = AT_FIRST, *, tasks: int = 100, stay: bool = False) -> Done:
    """Do so many of its tasks, one after the other; where it is then. ``stay``: as a thread that goes on with it."""
    for _ in range(tasks):
        done = perform(engine, run_id, done.phase, done.index, may_keep=lambda: stay and engine.has_room())
        if not done.goes_on:
            break
    return done


def row(run: AgentRun) -> AgentRun:
    with tenant_scope(run.tenant_id):
        return AgentRun.objects.get(id=run.id)


def steps(run: AgentRun) -> list[RunStep]:
    with tenant_scope(run.tenant_id):
        return list(RunStep.objects.filter(run_id=run.id).order_by("attempt", "index"))


def events(run: AgentRun) -> list[RunEvent]:
    """The log, once it is seen to be whole: 1..n, one ``end`` at most, and it the last."""
    with tenant_scope(run.tenant_id):
        log = list(RunEvent.objects.filter(run_id=run.id).order_by("seq_id"))
        last = AgentRun.objects.get(id=run.id).last_seq
    assert [event.seq_id for event in log] == list(range(1, last + 1))
    assert [event.event_type for event in log[:-1]].count("end") == 0
    return log


def moves(run: AgentRun) -> list[tuple[str | None, str]]:
    """(from, to) of every status event."""
    told = [event.event_json for event in events(run) if event.event_type == "status"]
    return [(data["from"], data["to"]) for data in told]


def wait_ended(run: AgentRun) -> AgentRun:
    return wait_for(lambda: (seen := row(run)) and seen.status in RUN_TERMINAL and seen, what="the run ending")
