"""What a tenant can call: its own and the platform's providers and model instances, as this process last read them.

A process asks PostgreSQL at most once in LLM_CATALOGUE_AGE_S for each tenant: a change bites everywhere within it.
"""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections

from apps.llm import keys
from apps.llm.documents import ProviderSettings
from apps.llm.models import ModelInstance, Provider
from apps.llm.providers.base import ProviderConfig
from kernel import engine_db
from kernel.errors import NotFoundError, UnavailableError
from kernel.tenant_context import current_tenant_id, tenant_scope

log = structlog.get_logger("llm")
REMEMBERED_TENANTS = 1_000
LAST_KNOWN_S = 60.0  # how long the last known one serves while PostgreSQL is away


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


@dataclass(frozen=True)
class Catalogue:
    """A tenant's own instances stand before the platform's of the same name. ``enabled`` tells of both, provider and
    instance."""

    by_id: dict[UUID, InstanceConfig]
    by_name: dict[str, InstanceConfig]
    loaded_at: float

    def find(self, name_or_id: str) -> InstanceConfig | None:
        """The instance of that name, or id; None when the tenant has none such."""
        if found := self.by_name.get(name_or_id):
            return found
        try:
            return self.by_id.get(UUID(name_or_id))
        except ValueError:
            return None

    def usable(self) -> list[InstanceConfig]:
        """Every enabled instance."""
        return [instance for instance in self.by_id.values() if instance.enabled]


_known: OrderedDict[UUID, Catalogue] = OrderedDict()
_lock = threading.Lock()
_loading: dict[UUID, threading.Lock] = {}


def catalogue_of(tenant_id: UUID) -> Catalogue:
    """At most LLM_CATALOGUE_AGE_S old; while PostgreSQL is away the last known for a minute, then UnavailableError."""
    known = _known.get(tenant_id)
    if known is not None and time.monotonic() - known.loaded_at < settings.LLM_CATALOGUE_AGE_S:
        return known
    with _lock:
        loading = _loading.setdefault(tenant_id, threading.Lock())
    if known is not None and loading.locked() and time.monotonic() - known.loaded_at < LAST_KNOWN_S:
        return known  # somebody is at it
    with loading:
        known = _known.get(tenant_id)
        if known is not None and time.monotonic() - known.loaded_at < settings.LLM_CATALOGUE_AGE_S:
            return known
        try:
            found = _load(tenant_id)
        except DatabaseError as error:
            if known is not None and time.monotonic() - known.loaded_at < LAST_KNOWN_S:
                return known
            raise UnavailableError(
                "Models cannot be looked up right now. Try again.", code="database_unavailable"
            ) from error
        _remember(tenant_id, found)
        return found


def forget(tenant_id: UUID | None) -> None:
    """After a change in this process: the next look reads the rows. None: a change of the platform's, so all."""
    with _lock:
        if tenant_id is None:
            _known.clear()
        else:
            _known.pop(tenant_id, None)


def provider_config(provider_id: UUID) -> ProviderConfig:
    """A provider with its key, whoever's it is: for looking after it. The caller has checked who asks."""
    provider = Provider.objects.using(engine_db.ALIAS).filter(id=provider_id).first()
    if provider is None:
        raise NotFoundError("There is no such provider.", code="provider_not_found")
    return replace(config_of(provider), api_key=keys.read_key(provider.id, provider.base_url))


def config_of(provider: Provider) -> ProviderConfig:
    """A provider's row as its adapter needs it, without the key."""
    held = ProviderSettings.model_validate(provider.config)
    return ProviderConfig(
        id=provider.id,
        tenant_id=provider.tenant_id,
        name=provider.name,
        type=provider.type,
        base_url=provider.base_url,
        version=provider.version,
        timeout_s=held.timeout_s,
        first_byte_timeout_s=held.first_byte_timeout_s,
        max_retries=held.max_retries,
        max_concurrency=held.max_concurrency,
        priority=provider.priority,
        api_version=held.api_version,
        deployments=held.deployments,
        extra={"keep_alive": held.keep_alive} if held.keep_alive else {},
    )


def instance_of(row: ModelInstance, provider: ProviderConfig, *, provider_enabled: bool) -> InstanceConfig:
    """A row as the gateway needs it."""
    return InstanceConfig(
        id=row.id,
        tenant_id=row.tenant_id,
        name=row.instance_name,
        provider=provider,
        model_id=row.model_id,
        context_window=row.context_window,
        max_output_tokens=row.max_output_tokens,
        modalities=tuple(row.modalities) or ("text",),
        supports_tools=row.supports_tools,
        parameters=row.parameters,
        input_nano_usd=row.input_nano_usd,
        output_nano_usd=row.output_nano_usd,
        enabled=row.enabled and provider_enabled,
    )


def _load(tenant_id: UUID) -> Catalogue:
    began = time.monotonic()
    outermost = current_tenant_id() is None
    try:
        with tenant_scope(tenant_id):
            rows = list(ModelInstance.objects.select_related("provider").order_by("created_at", "id"))
    finally:
        if outermost:
            connections["default"].close()
    providers: dict[UUID, ProviderConfig] = {}
    instances = []
    for row in rows:
        if row.provider_id not in providers:
            providers[row.provider_id] = config_of(row.provider)
        provider = providers[row.provider_id]
        instances.append(instance_of(row, provider, provider_enabled=row.provider.enabled))
    instances.sort(key=lambda instance: instance.tenant_id is not None)  # the tenant's own last: they win a name
    return Catalogue(
        by_id={instance.id: instance for instance in instances},
        by_name={instance.name: instance for instance in instances},
        loaded_at=began,
    )


def _remember(tenant_id: UUID, found: Catalogue) -> None:
    with _lock:
        _known[tenant_id] = found
        _known.move_to_end(tenant_id)
        while len(_known) > REMEMBERED_TENANTS:
            gone, _ = _known.popitem(last=False)
            _loading.pop(gone, None)
