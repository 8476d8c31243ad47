"""One phase, or one step, of a run: claimed, carried out, committed. What each phase does to its run is here, in order.

    perform(engine, run_id, "step", 2) -> Done(goes_on=True, ...)

The phase functions are apps/agents/phases: pure, no transaction is open. How a failure ends a run: errors.py.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import structlog

from apps.agents.phases.classify import classify
from apps.agents.phases.finalize import canonical, finalize
from apps.agents.phases.plan import plan_run
from apps.agents.phases.step import step
from apps.agents.runs import measures as run_metrics
from apps.agents.runs import view as run_view
from apps.agents.runs.event_types import INTENT, PLAN, STEP
from apps.agents.states import CLASSIFY, FAILED, FINALIZE, SUCCEEDED
from apps.agents.states import PLAN as PLANNING
from apps.agents.states import STEP as STEPPING
from apps.agents.thinking.ports import ports_for
from apps.agents.types import Ports, RunView, StepRecord, Todo
from apps.identity.present import rights_now
from apps.identity.principal import Principal
from apps.identity.rbac import require
from apps.tools.context import never
from kernel import metrics
from kernel.clock import now
from workers.runs import errors
from workers.runs.core import NOTHING, Done, RunEngine
from workers.runs.hold import Hold

log = structlog.get_logger("worker.runs")
Change = dict[str, Any]


@dataclass(slots=True)
class Work:
    """One phase under way: what it sees, through which ports, since when."""

    hold: Hold
    view: RunView
    ports: Ports
    began: float

    @property
    def took_ms(self) -> float:
        return (time.monotonic() - self.began) * 1000


def perform(engine: RunEngine, run_id: UUID, phase: str, index: int, *, may_keep: Callable[[], bool] = never) -> Done:
    """Do what the run's row says is next, if that is this. Nothing happens when somebody else has it, or had it.

    ``may_keep``: asked before the commit, whether this thread goes on with what comes then (``Done.kept``).
    """
    hold = engine.take(run_id, phase, index)
    if hold is None:
        return NOTHING
    structlog.contextvars.bind_contextvars(run_id=str(run_id), tenant_id=str(hold.tenant_id), place=hold.place)
    try:
        change = errors.run_phase(engine, hold, lambda: _carry_out(hold))
        if change is None:
            return NOTHING
        if not errors.commit(engine, hold, change, keep=may_keep()) or change.get("status") is not None:
            return NOTHING
        replanned = phase == PLANNING or len(change.get("todos") or ()) > len(hold.row["todos_json"])
        todos = len(change.get("todos") or hold.row["todos_json"])
        return Done(True, change["phase"], change["next_index"], todos, replanned, engine.is_kept(run_id))
    finally:
        engine.let_go(hold)


def _carry_out(hold: Hold) -> Change:
    acting = rights_now(Principal.from_json(hold.row["principal_json"]))
    require(acting, "agent-runs:create")
    steps = [run_view.step_of(row) for row in hold.row["steps"] if row["attempt"] == hold.attempt]
    view = run_view.view_of(hold.row, steps, acting=acting)
    ports = ports_for(
        view,
        place=hold.place,
        principal=acting,
        deadline_s=hold.left_s(),
        report=hold.report,
        say=hold.say,
        checkpoint=hold.checkpoint,
        cancelled=lambda: hold.stop_reason is not None,
    )
    work = Work(hold, view, ports, time.monotonic())
    try:
        change = _PHASES[hold.phase](work)
    except BaseException:
        metrics.RUN_PHASE_DURATION.labels(hold.phase, "failed").observe(work.took_ms / 1000)
        raise
    metrics.RUN_PHASE_DURATION.labels(hold.phase, "completed").observe(work.took_ms / 1000)
    return change


def _classify(work: Work) -> Change:
    if work.hold.attempt == 1:
        work.hold.report("agent_run_started", "The run has started.", 0)
        work.hold.report("orchestrator_init", f"{work.view.agent.name} version {work.view.agent.version} answers.", 0)
    work.hold.report("classify", "What does the prompt want?")
    intent = classify(work.view, work.ports)
    said = asdict(intent)
    work.hold.tell("intent", INTENT.data(**{name: value for name, value in said.items() if value or name != "missing"}))
    return {"phase": PLANNING, "next_index": 0, "intent": said, **_spent(work)}


def _plan(work: Work) -> Change:
    work.hold.report("plan", "What has to be done?")
    made = plan_run(work.view, work.ports)
    todos = made.todos[: work.view.max_steps]
    metrics.RUN_TODOS.observe(len(todos))
    work.hold.tell("plan", PLAN.data(todos=run_view.todos_json(todos)))
    return {
        "phase": STEPPING if todos else FINALIZE,
        "next_index": 0,
        "todos": run_view.todos_json(todos),
        "warnings": [*work.view.warnings, *made.warnings],
        **_spent(work),
    }


def _step(work: Work) -> Change:
    index, view = work.hold.index, work.view
    digest = run_view.input_hash(view, index)
    began_at = now()
    earlier = _done_before(work.hold, digest)
    if earlier is not None:
        metrics.RUN_STEPS_REUSED.inc()
        record = {**asdict(earlier), "reused_from": earlier.id, "tokens": 0, "cost_nano_usd": 0}
        todos = _with_status(view.todos, index, "completed")
        return _step_change(work, record | {"id": uuid4(), "input_hash": digest}, todos, view.warnings)
    result = step(view, index, work.ports)
    spent = work.ports.spent()
    record = {
        "id": uuid4(),
        "index": index,
        "action": result.action,
        "status": result.status,
        "input": result.input,
        "output": result.output,
        "error": result.error,
        "input_hash": digest,
        "reused_from": None,
        "tokens": spent.tokens,
        "cost_nano_usd": spent.cost_nano_usd,
        "latency_ms": work.took_ms,
        "started_at": began_at,
        "finished_at": now(),
    }
    todos = _with_status(view.todos, index, result.status, evidence=result.evidence)
    room = max(0, view.max_steps - len(todos))
    todos = (*todos[: index + 1], *result.more[:room], *todos[index + 1 :])
    warnings = (*view.warnings, *result.warnings)
    if len(result.more) > room:
        warnings = (
            *warnings,
            f"The run may take {view.max_steps} steps; what a step proposed beyond that is left out.",
        )
    return _step_change(work, record, todos, warnings)


def _step_change(work: Work, record: dict[str, Any], todos: tuple[Todo, ...], warnings: tuple[str, ...]) -> Change:
    index = work.hold.index
    action = record["action"].split(":")[0][:60]
    metrics.RUN_STEP_DURATION.labels(action, record["status"]).observe(record["latency_ms"] / 1000)
    if record["status"] == "failed":
        metrics.RUN_STEP_FAILURES.labels(action).inc()
    said = {
        "index": index,
        "step_id": str(record["id"]),
        "action": record["action"],
        "status": record["status"],
        "latency_ms": round(record["latency_ms"], 3),
        "reused": record["reused_from"] is not None,
    }
    if record["error"] is not None:
        said["error"] = record["error"]
    work.hold.tell("step", STEP.data(**said))
    if len(todos) != len(work.view.todos):
        work.hold.tell("plan", PLAN.data(todos=run_view.todos_json(todos)))
    last = index + 1 >= len(todos)
    return {
        "phase": FINALIZE if last else STEPPING,
        "next_index": index + 1,
        "todos": run_view.todos_json(todos),
        "step": record,
        "warnings": list(warnings),
        **_spent(work),
    }


def _finalize(work: Work) -> Change:
    work.hold.report("finalize", "The answer is put together.")
    final = finalize(work.view, work.ports)
    spent = _spent(work)
    since_start_ms = max(0.0, (now() - work.hold.row["started_at"]).total_seconds() * 1000)
    total = run_metrics.summed(spent["metrics"], overall_ms=since_start_ms)
    return {
        "status": SUCCEEDED if final.succeeded else FAILED,
        "output": canonical(work.view, final, total),
        "error": None if final.succeeded else dict(final.error or {"reason": "failed", "message": final.text[:500]}),
        "refused": final.refused,
        "degraded": final.degraded,
        "warnings": list(dict.fromkeys((*work.view.warnings, *final.warnings))),
        "used_fallback": spent["used_fallback"],
        "metrics": total,
    }


_PHASES: dict[str, Callable[[Work], Change]] = {
    CLASSIFY: _classify,
    PLANNING: _plan,
    STEPPING: _step,
    FINALIZE: _finalize,
}


def _spent(work: Work) -> Change:
    spent = work.ports.spent()
    document = run_metrics.added(
        work.hold.row["metrics_json"], phase=work.hold.phase, place=work.hold.place, spent=spent, took_ms=work.took_ms
    )
    return {"metrics": document, "used_fallback": spent.used_fallback}


def _done_before(hold: Hold, digest: str) -> StepRecord | None:
    """What an earlier attempt made of this step from the same input."""
    for row in reversed(hold.row["steps"]):
        if row["attempt"] < hold.attempt and row["input_hash"] == digest:
            return run_view.step_of(row)
    return None


def _with_status(
    todos: tuple[Todo, ...], index: int, status: Any, *, evidence: tuple[str, ...] = ()
) -> tuple[Todo, ...]:
    done = replace(todos[index], status=status, evidence=(*todos[index].evidence, *evidence))
    return (*todos[:index], done, *todos[index + 1 :])
