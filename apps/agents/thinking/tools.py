"""The tools that runs may call now, each with its scope, its effect, and the shape of its input.

A small set behind the interface of the registry that issue 7 brings: ``offered`` and ``invoke``. Rights are checked at
every call, with the run's own principal: what a model was offered gives it nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from functools import cache
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic import ValidationError as Misfit

from apps.agents.models import SessionStep
from apps.agents.sessions.services import add_step
from apps.agents.types import Category, ToolAnswer
from apps.graph import queries
from apps.graph.schema import LABELS, RELATIONSHIPS
from apps.identity import rbac
from apps.identity.principal import Principal
from apps.llm.types import ToolSpec
from kernel.clock import iso, now
from kernel.errors import PlatformError
from kernel.tenant_context import tenant_scope

Effect = Literal["read", "write"]
ROWS_MAX = 200
HISTORY_MAX = 50
INVOKE = "tools:invoke"


@dataclass(frozen=True, slots=True)
class Caller:
    """In whose name a tool runs, and for which session. ``idempotency_key`` is the same when a call is repeated."""

    principal: Principal
    session_id: UUID | None
    idempotency_key: str = ""


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class QueryInput(_Input):
    cypher: str = Field(min_length=1, max_length=20_000, description="A Cypher query that reads.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Values of the query's $parameters.")
    limit: int = Field(100, ge=1, le=ROWS_MAX, description="Most rows to give.")


class SchemaInput(_Input):
    label: str | None = Field(None, max_length=100, description="Only this label; none: all.")


class HistoryInput(_Input):
    last: int = Field(10, ge=1, le=HISTORY_MAX, description="How many of the latest lines.")


class NoteInput(_Input):
    text: str = Field(min_length=1, max_length=4_000, description="What to write down.")


class NoInput(_Input):
    pass


@dataclass(frozen=True, slots=True)
class RunTool:
    """``permissions``: all of them are needed, besides tools:invoke."""

    name: str
    description: str
    effect: Effect
    permissions: tuple[str, ...]
    input: type[_Input]
    run: Callable[[Caller, Any], Any]

    def spec(self) -> ToolSpec:
        return ToolSpec(self.name, self.description, _schema_of(self.input))


@cache
def _schema_of(model: type[_Input]) -> dict[str, Any]:
    """Every phase asks for it, and making one takes milliseconds. Nobody changes it."""
    return model.model_json_schema()


def offered(principal: Principal, category: Category | None) -> tuple[RunTool, ...]:
    """What a run of this category may be offered: tools that write only where its prompt asks for a change."""
    allowed = [tool for tool in TOOLS.values() if _may(principal, tool)]
    return tuple(tool for tool in allowed if tool.effect == "read" or category == "ADMIN")


def effect_of(name: str) -> Effect | None:
    """What a call of it does; None for an unknown tool."""
    return TOOLS[name].effect if name in TOOLS else None


def invoke(caller: Caller, name: str, arguments: Mapping[str, Any]) -> ToolAnswer:
    """Call a tool: look up, rights, input, run. Every failure is an answer: {code, message}."""
    tool = TOOLS.get(name)
    if tool is None:
        return _failed("tool_not_found", f"There is no tool {name[:100]!r}.")
    try:
        for permission in (INVOKE, *tool.permissions):
            rbac.require(caller.principal, permission)
        wanted = tool.input.model_validate(dict(arguments))
        return ToolAnswer(True, tool.run(caller, wanted))
    except Misfit as misfit:
        faults = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'input'}: {one['msg']}" for one in misfit.errors()[:5])
        return _failed("invalid_arguments", f"The arguments of {name} do not fit. {faults}")
    except PlatformError as error:
        needed = error.extra.get("required_permission")
        return _failed(
            error.code, f"It needs the permission {needed}, which you do not have." if needed else error.detail
        )


def _may(principal: Principal, tool: RunTool) -> bool:
    return all(rbac.may(principal, permission) for permission in (INVOKE, *tool.permissions))


def _failed(code: str, message: str) -> ToolAnswer:
    return ToolAnswer(False, error={"code": code, "message": message})


def _query(caller: Caller, wanted: QueryInput) -> dict[str, Any]:
    page = queries.run(caller.principal, wanted.cypher, wanted.parameters, limit=wanted.limit)
    return {
        "cypher": page.passed.text,
        "parameters": queries.shown(page.passed.parameters),
        "columns": list(page.rows.columns),
        "rows": page.rows.rows,
        "truncated": page.rows.truncated,
    }


def _schema(caller: Caller, wanted: SchemaInput) -> dict[str, Any]:
    labels = [label for label in LABELS if wanted.label is None or label.label.lower() == wanted.label.lower()]
    return {
        "labels": [
            {"label": label.label, "about": label.about, "kinds": [kind.label for kind in label.kinds],
             "properties": {one.name: one.about for one in label.properties}}
            for label in labels
        ],
        "relationships": [f"({one.source})-[:{one.type}]->({one.target})" for one in RELATIONSHIPS],
    }  # fmt: skip


def _history(caller: Caller, wanted: HistoryInput) -> dict[str, Any]:
    if caller.session_id is None:
        return {"lines": [], "about": "This run belongs to no session."}
    with tenant_scope(caller.principal.tenant_id):
        steps = SessionStep.objects.filter(session_id=caller.session_id).order_by("-seq")[: wanted.last]
        lines = [
            {"seq": step.seq, "type": step.type, "message": step.message, "at": iso(step.created_at)} for step in steps
        ]
    return {"lines": lines[::-1]}


def _time(caller: Caller, wanted: NoInput) -> dict[str, Any]:
    moment = now().astimezone(UTC)
    return {"utc": iso(moment), "weekday": moment.strftime("%A")}


def _allowed(caller: Caller, wanted: NoInput) -> dict[str, Any]:
    return {
        "sub": caller.principal.sub,
        "roles": sorted(caller.principal.roles),
        "permissions": sorted(rbac.permissions_of(caller.principal)),
    }


def _note(caller: Caller, wanted: NoteInput) -> dict[str, Any]:
    if caller.session_id is None:
        raise PlatformError("This run belongs to no session: there is nowhere to keep a note.", code="no_session")
    fields = {"type": "tool", "tool": "agent.note", "message": wanted.text}
    step, replayed = add_step(
        caller.principal, caller.session_id, fields=fields, idempotency_key=caller.idempotency_key or None
    )
    return {"seq": step.seq, "noted": wanted.text, "was_there": replayed}


TOOLS: dict[str, RunTool] = {
    tool.name: tool
    for tool in (
        RunTool("graph.query", "Run a Cypher query that reads the graph; the gate checks it.", "read", ("graph:read",),
                QueryInput, _query),
        RunTool("graph.schema", "Labels, properties and relationship types of the graph.", "read", ("graph:read",),
                SchemaInput, _schema),
        RunTool("agent.history", "The latest lines of this conversation's session.", "read", ("sessions:read",),
                HistoryInput, _history),
        RunTool("agent.note", "Write a note into this conversation's session.", "write", ("sessions:update",),
                NoteInput, _note),
        RunTool("security.allowed_operations", "The roles and permissions of the person who asks.", "read", (),
                NoInput, _allowed),
        RunTool("system.time", "The present date and time, in UTC.", "read", (), NoInput, _time),
    )
}  # fmt: skip
