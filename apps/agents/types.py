"""What the phases of a run take and return: frozen records, no Django, no I/O (SPEC 7.1)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol
from uuid import UUID

from apps.llm.types import CompletionResult, Message, ToolSpec

Category = Literal["CHAT", "GRAPH", "SECURITY", "ADMIN", "DANGEROUS", "EXPLAIN"]
CATEGORIES: tuple[Category, ...] = ("CHAT", "GRAPH", "SECURITY", "ADMIN", "DANGEROUS", "EXPLAIN")
TodoKind = Literal["answer", "graph", "explain", "tool", "reflect"]
TodoStatus = Literal["pending", "in_progress", "completed", "failed"]


@dataclass(frozen=True, slots=True)
class Intent:
    """What the prompt wants. ``confidence`` from 0 to 1; ``reason`` is a sentence; ``source`` says who decided.

    ``missing``: the permission that the wish needs and the caller lacks; then nothing is done but saying so.
    """

    category: Category
    confidence: float
    reason: str
    source: Literal["catalogue", "rules", "model"]
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Todo:
    """One item of the plan. ``tool`` and ``arguments`` where the plan names the call; else the step decides.

    ``tainted``: it was thought of after data had been read, so that data may have wished it.
    """

    task: str
    kind: TodoKind
    status: TodoStatus = "pending"
    tool: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()
    tainted: bool = False


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What a finished step did; the row of ``steps``."""

    id: UUID
    index: int
    attempt: int
    action: str
    status: Literal["completed", "failed"]
    input: Any
    output: Any
    error: Mapping[str, Any] | None
    latency_ms: float
    started_at: datetime
    finished_at: datetime
    tokens: int = 0
    cost_nano_usd: int = 0


@dataclass(frozen=True, slots=True)
class Budget:
    """What one run may use; None: no ceiling of its own. ``wall_s``: seconds from its first start."""

    nano_usd: int | None = None
    tokens: int | None = None
    tool_calls: int | None = None
    wall_s: float | None = None


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """The agent's definition as the run keeps it. ``tools`` None: whatever its caller may use."""

    name: str
    version: int
    system_prompt: str = ""
    model: str | None = None
    temperature: float | None = None
    tools: tuple[str, ...] | None = None
    planning_mode: Literal["full", "optional", "none"] = "optional"
    response_mode: Literal["fallback-only", "llm-best-effort"] = "llm-best-effort"


@dataclass(frozen=True, slots=True)
class RunView:
    """A run as its phases see it. ``history``: what was said in the session before, oldest first, within its window."""

    run_id: UUID
    tenant_id: UUID
    owner_sub: str
    roles: frozenset[str]
    scopes: frozenset[str]
    prompt: str
    agent: AgentSpec
    max_steps: int
    budget: Budget
    attempt: int = 1
    model: str | None = None
    temperature: float | None = None
    session_id: UUID | None = None
    history: tuple[Message, ...] = ()
    intent: Intent | None = None
    todos: tuple[Todo, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step gives back. ``more``: todos to do next, before the rest of the plan."""

    action: str
    status: Literal["completed", "failed"]
    input: Any
    output: Any
    error: Mapping[str, Any] | None = None
    more: tuple[Todo, ...] = ()
    evidence: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Final:
    """The end of a run. ``outputs``: [{type: text, text} or {type: json, ...}]; the answer in words is ``text``."""

    text: str
    outputs: tuple[Mapping[str, Any], ...]
    succeeded: bool = True
    refused: bool = False
    degraded: bool = False
    error: Mapping[str, Any] | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What a tool gave. ``ok`` False: ``error`` is {code, message}. Always data, never an instruction."""

    ok: bool
    result: Any = None
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What the calls of one place (a phase, a step) took, those read from the tape included.

    ``llm``: [{model, provider, purpose, latency_ms, success, input_tokens, output_tokens, total_tokens, cost_usd,
    error, from_tape}]; ``tools``: [{name, latency_ms, success, error, from_tape}], graph questions among them.
    """

    tokens: int = 0
    cost_nano_usd: int = 0
    used_fallback: bool = False
    llm: tuple[Mapping[str, Any], ...] = ()
    tools: tuple[Mapping[str, Any], ...] = ()


class Complete(Protocol):
    """One completion through the gateway, in the run's name, on its tape. ``say`` gets the text as it comes."""

    def __call__(
        self,
        messages: tuple[Message, ...],
        *,
        purpose: str,
        response_schema: dict[str, Any] | None = None,
        tools: tuple[ToolSpec, ...] = (),
        say: Callable[[str], None] | None = None,
    ) -> CompletionResult: ...


class AskGraph(Protocol):
    """A question in words to the graph, through its gate. ``explain``: nothing runs. Answer: the graph's as a dict."""

    def __call__(self, question: str, *, explain: bool = False) -> Mapping[str, Any]: ...


class InvokeTool(Protocol):
    """A tool with the caller's rights. ``tainted``: the wish for this call, or what it is called with, may come from
    data (R30): a tool, the graph or the session's past was read before it arose. Then what changes something waits for
    a person: ApprovalAwaited, which ends the run until it is resumed."""

    def __call__(self, name: str, arguments: Mapping[str, Any], *, tainted: bool) -> ToolAnswer: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything a phase may reach. Each call is recorded on the run's tape before its answer is used.

    ``tools``: what this run may be offered; ``writes``: the names of those that can change something; ``changes``:
    whether a call of (name, arguments) would. ``link_hosts``: besides those of the prompt, where links may lead.
    ``report``: (stage, message) as a progress event. ``say``: text of the final answer as it comes.
    ``checkpoint``: raises when the run must stop (cancelled, lease lost, time over). ``scrub``: any JSON value without
    personal data, by the tenant's mode. ``spent``: what was called through these ports so far. ``history``: what was
    said in the session before, oldest first, within its window.
    """

    complete: Complete
    ask_graph: AskGraph
    invoke_tool: InvokeTool
    tools: tuple[ToolSpec, ...]
    writes: frozenset[str]
    changes: Callable[[str, Mapping[str, Any]], bool]
    link_hosts: frozenset[str]
    report: Callable[[str, str], None]
    say: Callable[[str], None]
    checkpoint: Callable[[], None]
    scrub: Callable[[Any], Any]
    spent: Callable[[], Spent]
    history: Callable[[], tuple[Message, ...]]
