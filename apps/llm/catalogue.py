"""What a tenant can call: its own and the platform's providers and model instances, as this process last read them.

A process asks PostgreSQL at most once in LLM_CATALOGUE_AGE_S for each tenant: a change bites everywhere within it.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.llm.providers.base import ProviderConfig


@dataclass(frozen=True, slots=True)
class InstanceConfig:
    """A model instance as the gateway needs it. Prices in billionths of a US dollar per token; None: see pricing.py."""

    id: UUID
    tenant_id: UUID | None
    name: str
    provider: ProviderConfig
    model_id: str
    context_window: int = 8192
    max_output_tokens: int = 2048
    modalities: tuple[str, ...] = ("text",)
    supports_tools: bool = True
    parameters: dict[str, Any] = field(default_factory=dict)
    input_nano_usd: int | None = None
    output_nano_usd: int | None = None
    enabled: bool = True
