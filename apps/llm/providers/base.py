"""What an adapter is: the translation of one call into one provider's wire, and of its answer back. Nothing is retried,
counted or remembered here; every failure leaves as a ProviderFailure.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from apps.llm.net.limits import CallLimits
from apps.llm.types import FinishReason, Message, ToolCall, ToolSpec, Usage


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """A provider as its adapter needs it. ``version`` changes with everything else here; the key is never shown."""

    id: UUID
    tenant_id: UUID | None
    name: str
    type: str
    base_url: str
    version: int
    api_key: str = field(default="", repr=False)
    timeout_s: float = 60.0
    first_byte_timeout_s: float = 30.0
    max_retries: int = 2
    max_concurrency: int = 16
    priority: int = 100
    api_version: str = ""  # Azure
    deployments: dict[str, str] = field(default_factory=dict)  # Azure: model id -> deployment
    extra: dict[str, Any] = field(default_factory=dict)  # an adapter's own: keep_alive of Ollama


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """One request to one model. ``max_tokens`` is always set. ``parameters``: the instance's own, sent as they are."""

    model_id: str
    messages: tuple[Message, ...]
    limits: CallLimits
    max_tokens: int
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str = "auto"
    response_schema: dict[str, Any] | None = None
    temperature: float | None = None
    stop: tuple[str, ...] = ()
    purpose: str = "chat"
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """A whole answer. ``usage`` is None when the provider did not count; ``model_id``: who says it answered."""

    text: str
    finish_reason: FinishReason
    model_id: str
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A model that a provider has."""

    model_id: str
    size_bytes: int | None = None
    is_loaded: bool | None = None


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How far the download of a model is. ``total_bytes`` is None until it is known."""

    status: str
    completed_bytes: int | None = None
    total_bytes: int | None = None


class Adapter(Protocol):
    """Made once for each version of a provider, used by many threads at once. All raise ProviderFailure."""

    def __init__(self, config: ProviderConfig) -> None: ...

    def complete(self, call: ProviderCall) -> ProviderAnswer:
        """The whole answer in one piece."""

    def stream(self, call: ProviderCall) -> Iterator[str | ProviderAnswer]:
        """Pieces of text as they come, none empty, and last of all the whole answer (its text is their sum).

        Closing the iterator early closes the connection.
        """

    def list_models(self, limits: CallLimits) -> list[RemoteModel]:
        """Which models the provider has: also the test that it can be reached and takes the key."""

    def warm_up(self, model_id: str, limits: CallLimits) -> None:
        """Have the model ready to answer. Nothing to do where the provider does that by itself."""

    def unload(self, model_id: str, limits: CallLimits) -> None:
        """Give back the memory that the model takes. UNSUPPORTED where it is the provider's to say."""

    def pull(self, model_id: str, limits: CallLimits) -> Iterator[PullProgress]:
        """Download a model. UNSUPPORTED where models are not downloaded."""

    def close(self) -> None:
        """Give back the connections."""
