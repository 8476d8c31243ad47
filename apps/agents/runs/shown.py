"""Runs as the API shows them: rows to the shapes of run_schemas. Lists are never null."""

from typing import Any

from apps.agents.models import AgentRun, RunStep, TapeEntry
from apps.agents.states import FAILED
from kernel.clock import iso
from kernel.web.etag import strong_etag

NANO = 1_000_000_000


def run_etag(run: AgentRun) -> str:
    """Changes with every event of the run, and with the request to cancel it."""
    return strong_etag(
        "run", run.id, run.status, run.last_seq, run.attempt, run.phase, run.next_index, run.cancel_requested_at
    )


def execution_mode(run: AgentRun) -> str:
    """``tasks``: by the run's own Celery tasks; ``jobs_worker``: the same, followed by an agent.run job."""
    return "tasks" if run.job_id is None else "jobs_worker"


def accepted_out(run: AgentRun) -> dict[str, Any]:
    """What made the run, and nothing that changes: a replay says the same word for word."""
    return {
        "id": run.id,
        "run_id": run.id,
        "status": "queued",
        "session_id": run.session_id,
        "agent": run.agent_name,
        "agent_version": run.agent_version,
        "owner": run.owner_sub,
        "user_id": run.owner_sub,
        "tenant_id": run.tenant_id,
        "created_at": iso(run.created_at),
        "job_id": run.job_id,
        "execution_mode": execution_mode(run),
        "outputs": [],
        "steps": [],
        "todos": [],
        "metrics": {},
    }


def summary_out(run: AgentRun) -> dict[str, Any]:
    """A run in a list."""
    latency_ms = None
    if run.started_at and run.finished_at:
        latency_ms = round((run.finished_at - run.started_at).total_seconds() * 1000)
    return {
        "id": run.id,
        "run_id": run.id,
        "status": run.status,
        "prompt": run.prompt,
        "agent": run.agent_name,
        "agent_version": run.agent_version,
        "manager": run.agent_name,
        "model": run.request_json.get("model") or run.agent_json.get("model"),
        "temperature": run.request_json.get("temperature", run.agent_json.get("temperature")),
        "max_steps": run.max_steps,
        "session_id": run.session_id,
        "job_id": run.job_id,
        "execution_mode": execution_mode(run),
        "user_id": run.owner_sub,
        "owner": run.owner_sub,
        "owner_sub": run.owner_sub,
        "tenant_id": run.tenant_id,
        "phase": run.phase,
        "attempt": run.attempt,
        "refused": run.refused,
        "degraded": run.degraded,
        "used_fallback": run.used_fallback,
        "created_at": iso(run.created_at),
        "updated_at": iso(run.updated_at),
        "started_at": iso(run.started_at),
        "finished_at": iso(run.finished_at),
        "completed_at": iso(run.finished_at),
        "cancel_requested_at": iso(run.cancel_requested_at),
        "waits_for": run.waits_for,
        "latency_ms": latency_ms,
        "duration_ms": latency_ms,
        "last_event_id": run.last_seq,
        "etag": run_etag(run).strip('"'),
    }


def run_out(run: AgentRun, steps: list[RunStep]) -> dict[str, Any]:
    """A run as GET shows it."""
    metrics = run.metrics_json or {}
    llm_calls, tools = len(metrics.get("llm") or []), metrics.get("tools") or []
    return {
        **summary_out(run),
        "goal": run.prompt,
        "text": text_of(run),
        "output": run.output_json,
        "outputs": outputs_of(run),
        "steps": [step_out(step) for step in steps],
        "todos": [todo_out(todo) for todo in run.todos_json or []],
        "metrics": metrics,
        "intent": run.intent_json,
        "budget": run.budget_json,
        "metadata": run.metadata,
        "error": run.error_json,
        "errors": [run.error_json] if run.error_json and run.status == FAILED else [],
        "warnings": run.warnings_json or [],
        "total_llm_calls": llm_calls,
        "llm_call_count": llm_calls,
        "tool_calls": len(tools),
        "tool_errors": sum(not call.get("success", True) for call in tools),
        "request_id": run.request_id,
        "correlation_id": run.correlation_id,
        "trace_id": run.traceparent.split("-")[1] if run.traceparent.count("-") == 3 else "",
        "event_id": run.last_seq,
    }


def text_of(run: AgentRun) -> str:
    """The answer in words; empty while there is none."""
    return str((run.output_json or {}).get("text") or "")


def outputs_of(run: AgentRun) -> list[dict[str, Any]]:
    """The answer's parts."""
    return list((run.output_json or {}).get("outputs") or [])


def todo_out(todo: dict[str, Any]) -> dict[str, Any]:
    """One item of the plan."""
    return {
        "task": todo["task"],
        "kind": todo.get("kind", ""),
        "status": todo.get("status", "pending"),
        "tool": todo.get("tool"),
        "arguments": todo.get("arguments") or {},
        "evidence": list(todo.get("evidence") or []),
    }


def step_out(step: RunStep) -> dict[str, Any]:
    """A step's record."""
    return {
        "type": "step",
        "id": step.id,
        "step_id": step.id,
        "index": step.index,
        "attempt": step.attempt,
        "action": step.action,
        "status": step.status,
        "input": step.input,
        "output": step.output,
        "error": step.error,
        "input_hash": step.input_hash,
        "reused_from": step.reused_from,
        "tokens": step.tokens,
        "cost_usd": step.cost_nano_usd / NANO,
        "latency_ms": step.latency_ms,
        "started_at": iso(step.started_at),
        "finished_at": iso(step.finished_at),
    }


def tape_entry_out(entry: TapeEntry) -> dict[str, Any]:
    """A question and its answer."""
    return {
        "kind": entry.kind,
        "place": entry.place,
        "attempt": entry.attempt,
        "request": entry.request,
        "answer": entry.answer,
        "request_hash": entry.request_hash,
        "occurrence": entry.occurrence,
        "tokens": entry.tokens,
        "cost_usd": entry.cost_nano_usd / NANO,
        "asked_at": iso(entry.asked_at),
        "answered_at": iso(entry.answered_at),
    }
