"""Adapters that talk to the stub server, and calls for them."""

from typing import Any
from uuid import uuid4

import pytest

from apps.llm.failures import ProviderFailure
from apps.llm.net.limits import CallLimits
from apps.llm.providers.azure import AzureAdapter
from apps.llm.providers.base import Adapter, ProviderAnswer, ProviderCall, ProviderConfig
from apps.llm.providers.ollama import OllamaAdapter
from apps.llm.providers.openai_style import OpenAIStyleAdapter
from apps.llm.types import Message, ToolSpec
from devkit.llm_stub import Stub
from tests.clients import PATIENCE_S

KEY = "sk-the-very-secret-key-0123456789"
ADAPTERS: dict[str, tuple[type[Adapter], str]] = {
    "openai": (OpenAIStyleAdapter, "/v1"),
    "azure": (AzureAdapter, ""),
    "ollama": (OllamaAdapter, ""),
}
LOOK = ToolSpec("look", "Looks something up.", {"type": "object", "properties": {"q": {"type": "string"}}})


def make(kind: str, stub: Stub, key: str = KEY, **more: Any) -> Adapter:
    """An adapter for the stub."""
    maker, path = ADAPTERS[kind]
    return maker(ProviderConfig(uuid4(), None, "stub", kind, stub.url + path, 1, api_key=key, **more))


def call(model: str, text: str = "Hello there", *, limit_s: float = PATIENCE_S, **fields: Any) -> ProviderCall:
    limits = fields.pop("limits", None) or CallLimits.within(limit_s, first_byte_s=fields.pop("first_byte_s", None))
    messages = fields.pop("messages", (Message("system", "Be brief."), Message("user", text)))
    return ProviderCall(model, messages, limits, fields.pop("max_tokens", 64), **fields)


def streamed(adapter: Adapter, asked: ProviderCall) -> tuple[list[str], ProviderAnswer]:
    """The pieces and the whole."""
    *pieces, whole = adapter.stream(asked)
    assert isinstance(whole, ProviderAnswer)
    return [piece for piece in pieces if isinstance(piece, str)], whole


def failure(adapter: Adapter, asked: ProviderCall, *, stream: bool = False) -> ProviderFailure:
    """What goes wrong."""
    with pytest.raises(ProviderFailure) as raised:
        _ = streamed(adapter, asked) if stream else adapter.complete(asked)
    assert KEY not in f"{raised.value!r} {raised.value.detail}"
    return raised.value
