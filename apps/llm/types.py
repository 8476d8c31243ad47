"""What goes through the gateway: a request for one completion, and everything that is known of its answer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from apps.llm.failures import FailureKind

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
PricedBy = Literal["instance", "catalogue", "free", "unknown"]
NANO_USD = 1_000_000_000  # money is whole billionths of a US dollar: exact, and small enough for one token
MAX_TOOL_CALLS = 32  # of one answer


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool that the model may call. ``parameters`` is a JSON Schema of type object."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What the model wants called. ``arguments`` were a JSON object; the caller checks if they fit."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. An assistant's may carry tool_calls; a tool's answers ``tool_call_id`` and names the tool."""

    role: Role
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class RunBudget:
    """What one run may spend in all its calls; None: no ceiling beyond the tenant's. Beyond soft_share it is warned."""

    nano_usd: int | None = None
    tokens: int | None = None
    soft_share: float = 0.8


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One completion, in whose name, and how long it may take.

    ``model``: name or id of a model instance; None: the default of user, tenant, platform, in this order.
    ``fallbacks``: names or ids, asked in this order; None: the other instances that can do it, by their provider's
    priority, never the demo model; empty: none. ``tool_choice``: auto, none, required, or the name of a tool.
    ``response_schema``: a JSON Schema that the answer's text must fit; the parsed value is the result's ``data``.
    ``max_tokens``: of the answer, and never more than the instance's own. ``purpose``: a word for the books (chat,
    classify, plan, summarize, cypher). ``cancelled`` is asked a few times a second while the provider is waited for.
    """

    tenant_id: UUID
    user_sub: str
    messages: tuple[Message, ...]
    model: str | None = None
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str = "auto"
    response_schema: dict[str, Any] | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    deadline_s: float = 120.0
    purpose: str = "chat"
    run_id: UUID | None = None
    run_budget: RunBudget | None = None
    fallbacks: tuple[str, ...] | None = None
    cancelled: Callable[[], bool] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a call; never negative. ``is_estimated``: the provider did not say, so they were counted here."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    is_estimated: bool = False

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
            self.is_estimated or other.is_estimated,
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """Money of a call. unknown: nobody has a price for the model, and it counts as nothing."""

    nano_usd: int
    priced_by: PricedBy

    @property
    def usd(self) -> float:
        return self.nano_usd / NANO_USD


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one provider. ``failure`` is None for the one that answered. Times in ms since the call began."""

    provider: str
    instance: str
    model_id: str
    failure: FailureKind | None
    detail: str
    status_code: int | None
    started_ms: float
    duration_ms: float


@dataclass(frozen=True, slots=True)
class CompletionResult:
    """The answer, and who really gave it. ``data`` is the parsed text where a response_schema was asked for."""

    call_id: UUID
    text: str
    tool_calls: tuple[ToolCall, ...]
    data: Any
    finish_reason: FinishReason
    usage: Usage
    cost: Cost
    provider_id: UUID
    provider: str
    provider_type: str
    instance_id: UUID
    instance: str
    model_id: str
    used_fallback: bool
    attempts: tuple[Attempt, ...]
    latency_ms: float
    first_token_ms: float | None = None
    budget_warnings: tuple[str, ...] = ()
