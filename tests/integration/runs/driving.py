"""Runs led through their phases in this process, with a real row, a real tape and real ports: what the workers' tasks
do between them is tested elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from apps.agents.models import AgentRun, RunStep, TapeEntry
from apps.agents.phases.classify import classify
from apps.agents.phases.finalize import finalize
from apps.agents.phases.plan import plan_run
from apps.agents.phases.step import step
from apps.agents.thinking.ports import ports_for
from apps.agents.thinking.replay import Entry, replay_ports
from apps.agents.types import AgentSpec, Budget, Final, Ports, RunView, StepRecord, StepResult, Todo
from apps.identity.principal import Principal
from kernel.clock import now
from kernel.tenant_context import tenant_scope

AGENT = AgentSpec("default", 1)
PortsOf = Callable[[RunView, str], Ports]


def make_view(principal: Principal, prompt: str, **fields: Any) -> RunView:
    """The view of a new run, with its row: not due for a day, so that no worker takes it up as lost."""
    fields = {"agent": AGENT, "max_steps": 8, "budget": Budget(), **fields}
    view = RunView(uuid4(), principal.tenant_id, principal.sub, principal.roles, principal.scopes, prompt, **fields)
    with tenant_scope(principal.tenant_id):
        AgentRun.objects.create(
            id=view.run_id, tenant_id=view.tenant_id, owner_sub=view.owner_sub, principal_json=principal.as_json(),
            agent_name="default", agent_version=1, agent_json={}, prompt=prompt, session_id=view.session_id,
            hinted_at=now() + timedelta(days=1),
        )  # fmt: skip
    return view


@dataclass
class Driven:
    """What became of a run."""

    view: RunView
    final: Final
    said: list[str] = field(default_factory=list)
    reports: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def actions(self) -> list[str]:
        return [record.action for record in self.view.steps]


def real_ports(principal: Principal, driven: Driven, **more: Any) -> PortsOf:
    """Ports as the workers' tasks make them."""

    def of(view: RunView, place: str) -> Ports:
        return ports_for(
            view, place=place, principal=principal, deadline_s=30.0, say=driven.said.append,
            report=lambda stage, message: driven.reports.append((stage, message)), checkpoint=lambda: None, **more,
        )  # fmt: skip

    return of


def drive(view: RunView, ports_of: PortsOf, driven: Driven | None = None, *, keep: bool = True) -> Driven:
    """All phases, in order."""
    driven = driven or Driven(view, Final("", ()))
    view = replace(view, intent=classify(view, ports_of(view, "classify")))
    planned = plan_run(view, ports_of(view, "plan"))
    driven.warnings += planned.warnings
    view = replace(view, todos=planned.todos)
    index = 0
    while index < len(view.todos):
        ports = ports_of(view, f"step {index}")
        result = step(view, index, ports)
        view = after(view, index, result, ports)
        if keep:
            keep_step(view.run_id, view.tenant_id, view.steps[-1])
        index += 1
    driven.final = finalize(view, ports_of(view, "finalize"))
    driven.view = view
    return driven


def after(view: RunView, index: int, result: StepResult, ports: Ports) -> RunView:
    """The view once the step is done."""
    spent, moment = ports.spent(), datetime.now(UTC)
    record = StepRecord(
        uuid4(), index, view.attempt, result.action, result.status, result.input, result.output, result.error, 1.0,
        moment, moment, spent.tokens, spent.cost_nano_usd,
    )  # fmt: skip
    done = replace(view.todos[index], status=result.status, evidence=result.evidence)
    todos: tuple[Todo, ...] = (*view.todos[:index], done, *result.more, *view.todos[index + 1 :])
    return replace(view, todos=todos, steps=(*view.steps, record))


def keep_step(run_id: UUID, tenant_id: UUID, record: StepRecord) -> None:
    """The step's row."""
    with tenant_scope(tenant_id):
        RunStep.objects.create(
            tenant_id=tenant_id, run_id=run_id, index=record.index, attempt=record.attempt, action=record.action,
            status=record.status, input=record.input, output=record.output, error=record.error, input_hash="",
            tokens=record.tokens, cost_nano_usd=record.cost_nano_usd, latency_ms=record.latency_ms,
            started_at=record.started_at, finished_at=record.finished_at,
        )  # fmt: skip


def run(principal: Principal, prompt: str, **fields: Any) -> Driven:
    """A prompt through all phases with real ports."""
    view = make_view(principal, prompt, **fields)
    driven = Driven(view, Final("", ()))
    return drive(view, real_ports(principal, driven), driven)


def tape_of(view: RunView) -> list[TapeEntry]:
    with tenant_scope(view.tenant_id):
        return list(TapeEntry.objects.filter(run_id=view.run_id).order_by("id"))


def entries_of(view: RunView) -> list[Entry]:
    """The run's tape, as a replay takes it."""
    return [
        Entry(row.place, row.kind, row.request_hash, row.occurrence, row.request, row.answer) for row in tape_of(view)
    ]


def replayed(view: RunView, entries: list[Entry]) -> Driven:
    """The run once more, on its tape alone."""
    fresh = replace(view, intent=None, todos=(), steps=())
    return drive(fresh, lambda at, place: replay_ports(at, entries, place=place), keep=False)
