"""From the rows of a run to what its phases see, and back; what its budget does not say, the settings do."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.agents.types import AgentSpec, Budget, Intent, RunView, StepRecord, Todo
from apps.identity.principal import Principal
from apps.llm.types import NANO_USD, Message

Row = Mapping[str, Any]
_TODO = tuple(field.name for field in fields(Todo))


def view_of(run: Row, steps: Sequence[StepRecord], *, acting: Principal, history: tuple[Message, ...] = ()) -> RunView:
    """A row of agent_runs as its phases see it. ``acting``: with whose rights, as they are now."""
    asked, agent, budget = run["request_json"], run["agent_json"], run["budget_json"]
    tools = agent.get("tools")
    return RunView(
        run_id=run["id"],
        tenant_id=run["tenant_id"],
        owner_sub=run["owner_sub"],
        roles=acting.roles,
        scopes=acting.scopes,
        prompt=run["prompt"],
        agent=AgentSpec(
            name=run["agent_name"],
            version=run["agent_version"],
            system_prompt=agent.get("system_prompt", ""),
            model=agent.get("model"),
            temperature=agent.get("temperature"),
            tools=None if tools is None else tuple(tools),
            planning_mode=asked.get("planning_mode") or agent.get("planning_mode", "optional"),
            response_mode=asked.get("response_mode") or agent.get("response_mode", "llm-best-effort"),
        ),
        max_steps=min(run["max_steps"], settings.RUN_STEPS_MAX),
        budget=Budget(
            nano_usd=None if budget.get("usd") is None else round(budget["usd"] * NANO_USD),
            tokens=budget.get("tokens"),
            tool_calls=budget.get("tool_calls", settings.RUN_TOOL_CALLS),
            wall_s=budget.get("wall_s"),
        ),
        attempt=run["attempt"],
        model=asked.get("model"),
        temperature=asked.get("temperature"),
        session_id=run["session_id"],
        history=history,
        intent=None if run["intent_json"] is None else Intent(**run["intent_json"]),
        todos=todos_of(run["todos_json"]),
        steps=tuple(steps),
        warnings=tuple(run["warnings_json"]),
    )


def todos_of(document: Iterable[Mapping[str, Any]]) -> tuple[Todo, ...]:
    """todos_json as records."""
    return tuple(
        Todo(
            task=todo["task"],
            kind=todo["kind"],
            status=todo.get("status", "pending"),
            tool=todo.get("tool"),
            arguments=todo.get("arguments") or {},
            evidence=tuple(todo.get("evidence") or ()),
            tainted=bool(todo.get("tainted")),
        )
        for todo in document
    )


def todos_json(todos: Iterable[Todo]) -> list[dict[str, Any]]:
    """Records as todos_json."""
    return [{name: getattr(todo, name) for name in _TODO} for todo in todos]


def step_of(row: Row) -> StepRecord:
    """A row of ``steps``, whose times may be texts of PostgreSQL's JSON."""
    return StepRecord(
        id=row["id"] if isinstance(row["id"], UUID) else UUID(row["id"]),
        index=row["index"],
        attempt=row["attempt"],
        action=row["action"],
        status=row["status"],
        input=row["input"],
        output=row["output"],
        error=row["error"],
        latency_ms=row["latency_ms"],
        started_at=_moment(row["started_at"]),
        finished_at=_moment(row["finished_at"]),
        tokens=row["tokens"],
        cost_nano_usd=row["cost_nano_usd"],
    )


def input_hash(view: RunView, index: int) -> str:
    """What a step depends on: what it is told to do, and what those before it gave. Equal for equal inputs only."""
    before = [[step.index, step.status, step.output] for step in view.steps if step.index < index]
    todo = asdict(view.todos[index])
    wanted = {name: todo[name] for name in ("task", "kind", "tool", "arguments", "tainted")}
    intent = None if view.intent is None else view.intent.category
    text = json.dumps([wanted, intent, before], sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _moment(value: datetime | str) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)
