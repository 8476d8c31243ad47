"""Ports that answer from a script and remember what they were asked; and views of runs, without a database."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from apps.agents.types import (
    AgentSpec,
    Budget,
    Intent,
    Ports,
    RunView,
    Spent,
    StepRecord,
    StepResult,
    Todo,
    ToolAnswer,
)  # fmt: skip
from apps.identity.rbac import scopes_of
from apps.llm.errors import CompletionError
from apps.llm.types import CompletionResult, Cost, Message, ToolCall, ToolSpec, Usage

TENANT = UUID("00000000-0000-4000-8000-00000000000a")
LOOK = ToolSpec("graph.query", "Run a query.", {"type": "object", "properties": {"cypher": {"type": "string"}}})
NOTE = ToolSpec("agent.note", "Write a note.", {"type": "object", "properties": {"text": {"type": "string"}}})
Answer = Mapping[str, Any]


def make_view(prompt: str, *, role: str = "user", intent: str | Intent | None = None, **fields: Any) -> RunView:
    """A run of somebody with this role."""
    if isinstance(intent, str):
        intent = Intent(intent, 0.9, "For the test.", "rules")  # type: ignore[arg-type]
    fields = {"agent": AgentSpec("default", 1), "max_steps": 8, "budget": Budget(), **fields}
    roles = frozenset({role})
    return RunView(uuid4(), TENANT, f"a-{role}", roles, scopes_of(roles), prompt, intent=intent, **fields)


def said(text: str = "", *, data: Any = None, calls: tuple[ToolCall, ...] = ()) -> CompletionResult:
    """A model's answer."""
    return CompletionResult(
        uuid4(), text, calls, data, "tool_calls" if calls else "stop", Usage(5, 7), Cost(0, "free"), uuid4(), "stub",
        "openai", uuid4(), "stub-1", "stub", False, (), 1.0,
    )  # fmt: skip


@dataclass
class Scripted:
    """``models``: answers in turn, the last again and again; an error is raised. ``graph`` and ``tool`` answer each."""

    models: list[CompletionResult | CompletionError] = field(default_factory=list)
    graph: Callable[[str, bool], Answer] = lambda question, explain: {
        "sentence": "7.",
        "cypher": "RETURN 7",
        "rows": [[7]],
    }
    tool: Callable[[str, Mapping[str, Any]], ToolAnswer] = lambda name, arguments: ToolAnswer(True, {"n": 1})
    tools: tuple[ToolSpec, ...] = (LOOK,)
    writes: frozenset[str] = frozenset()
    asked: list[tuple[str, tuple[Message, ...], dict[str, Any]]] = field(default_factory=list)
    questions: list[tuple[str, bool]] = field(default_factory=list)
    called: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    tainted: list[bool] = field(default_factory=list)
    link_hosts: frozenset[str] = frozenset()
    reports: list[tuple[str, str]] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    history: tuple[Message, ...] = ()

    def ports(self) -> Ports:
        return Ports(
            complete=self._complete, ask_graph=self._ask_graph, invoke_tool=self._invoke, tools=self.tools,
            writes=self.writes, changes=lambda name, arguments: name in self.writes,
            link_hosts=self.link_hosts, report=lambda stage, message: self.reports.append((stage, message)),
            say=self.heard.append, checkpoint=lambda: None, scrub=lambda value: value, spent=Spent,
            history=lambda: self.history,
        )  # fmt: skip

    def _complete(self, messages: tuple[Message, ...], *, purpose: str, **more: Any) -> CompletionResult:
        self.asked.append((purpose, messages, more))
        answer = (
            self.models[min(len(self.asked), len(self.models)) - 1] if self.models else CompletionError("No model.")
        )
        if isinstance(answer, CompletionError):
            raise answer
        if more.get("say") and answer.text:
            more["say"](answer.text)
        return answer

    def _ask_graph(self, question: str, *, explain: bool = False) -> Answer:
        self.questions.append((question, explain))
        return self.graph(question, explain)

    def _invoke(self, name: str, arguments: Mapping[str, Any], *, tainted: bool) -> ToolAnswer:
        self.called.append((name, dict(arguments)))
        self.tainted.append(tainted)
        return self.tool(name, arguments)


def done(view: RunView, *results: StepResult) -> RunView:
    """The view after these steps."""
    moment = datetime.now(UTC)
    steps = tuple(
        StepRecord(uuid4(), index, 1, one.action, one.status, one.input, one.output, one.error, 1.0, moment, moment)
        for index, one in enumerate(results)
    )
    return replace(view, steps=steps)


def planned(view: RunView, *todos: tuple[str, str]) -> RunView:
    """The view with todos of (task, kind)."""
    return replace(view, todos=tuple(Todo(task, kind) for task, kind in todos))  # type: ignore[arg-type]
