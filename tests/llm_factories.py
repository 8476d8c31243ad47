"""Providers and models for tests, written as rows: what the services check on the way is tested elsewhere."""

from typing import Any
from uuid import UUID, uuid4

from apps.llm import catalogue, keys
from apps.llm.models import ModelInstance, Provider
from apps.llm.types import CompletionRequest, Message
from kernel.tenant_context import tenant_scope


def make_provider(
    tenant_id: UUID, base_url: str, *, type: str = "openai", key: str = "", priority: int = 100, **config: Any
) -> Provider:
    """A provider of the tenant's own; ``config`` as ProviderSettings."""
    with tenant_scope(tenant_id):
        provider = Provider.objects.create(
            tenant_id=tenant_id,
            name=f"p-{uuid4().hex[:8]}",
            type=type,
            base_url=base_url,
            priority=priority,
            config=config,
        )
    if key:
        keys.write_key(provider.id, base_url, key)
    return provider


def make_instance(provider: Provider, model_id: str = "echo", **columns: Any) -> ModelInstance:
    """A model of that provider."""
    assert provider.tenant_id is not None
    with tenant_scope(provider.tenant_id):
        instance = ModelInstance.objects.create(
            tenant_id=provider.tenant_id,
            provider=provider,
            instance_name=columns.pop("instance_name", f"m-{uuid4().hex[:8]}"),
            model_id=model_id,
            **columns,
        )
    catalogue.forget(provider.tenant_id)
    return instance


def make_request(tenant_id: UUID, text: str = "Hello", **fields: Any) -> CompletionRequest:
    """A question of some user of the tenant."""
    return CompletionRequest(
        tenant_id=tenant_id,
        user_sub=fields.pop("user_sub", "someone"),
        messages=fields.pop("messages", (Message("user", text),)),
        **fields,
    )
