"""Having models where they run: downloads and warm-ups, which take minutes and are therefore jobs (SPEC 5, 8).

Who asks is checked here, at acceptance and again when the job runs: a tenant's administrator for its own providers, an
administrator of the platform for the platform's.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from uuid import UUID

from django.conf import settings

from apps.audit import trail
from apps.identity import rbac
from apps.identity.principal import Principal
from apps.identity.standing import is_platform_admin
from apps.llm.catalogue import config_of
from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.models import ModelInstance, Provider
from apps.llm.net.limits import CallLimits
from apps.llm.providers.base import PullProgress
from apps.llm.providers.registry import adapter_for, new_adapter
from apps.llm.registry.instances import note_loaded, note_unloaded
from kernel import engine_db, metrics
from kernel.connections import give_back
from kernel.errors import ConflictError, NotFoundError, PlatformError

PERMISSION = "models:update"
DOWNLOADS = "ollama"
PULL_LIMIT_S = 6 * 3600.0
PULL_FIRST_WORD_S = 60.0
PULL_PROGRESS_BYTES = 512 * 1024 * 1024  # hours of progress lines
WORTH_ANOTHER_TRY = frozenset(
    {FailureKind.CONNECTION, FailureKind.TIMEOUT, FailureKind.RATE_LIMIT, FailureKind.SERVER, FailureKind.GARBAGE}
)


class ModelNotReady(PlatformError):
    """The provider did not get the model ready, or did not download it."""

    code, http_status, title = "model_not_ready", 502, "Model Not Ready"


def provider_to_manage(principal: Principal, provider_id: UUID) -> Provider:
    """NotFoundError unless it is the caller's to manage, ConflictError while it is disabled."""
    rbac.require(principal, PERMISSION)
    provider = Provider.objects.using(engine_db.ALIAS).filter(id=provider_id).first()
    if provider is None or not _is_theirs(principal, provider.tenant_id):
        raise NotFoundError("There is no such provider, or it is not yours to manage.", code="provider_not_found")
    if not provider.enabled:
        raise ConflictError(f"The provider {provider.name} is disabled. Enable it first.", code="provider_disabled")
    return provider


def downloader_to_manage(principal: Principal, provider_id: UUID) -> Provider:
    """The same, and ConflictError for one that downloads nothing."""
    provider = provider_to_manage(principal, provider_id)
    if provider.type != DOWNLOADS:
        raise ConflictError(
            f"{provider.name} is of type {provider.type}: only {DOWNLOADS} downloads models. Add its models instead.",
            code="provider_downloads_nothing",
        )
    return provider


def instance_to_manage(principal: Principal, instance_id: UUID) -> ModelInstance:
    """The same for a model instance; its provider comes along."""
    rbac.require(principal, PERMISSION)
    rows = ModelInstance.objects.using(engine_db.ALIAS).select_related("provider")
    instance = rows.filter(id=instance_id).first()
    if instance is None or not _is_theirs(principal, instance.tenant_id):
        raise NotFoundError("There is no such model instance, or it is not yours to manage.", code="model_not_found")
    if not instance.provider.enabled:
        raise ConflictError(
            f"The provider {instance.provider.name} is disabled. Enable it first.", code="provider_disabled"
        )
    return instance


def pull(provider: Provider, model: str, *, by: Principal, cancelled: Callable[[], bool]) -> Iterator[PullProgress]:
    """Have the provider download a model: how far it is, as it says so. ModelNotReady when it fails.

    ProviderFailure CANCELLED when ``cancelled`` says so.
    """
    limits = CallLimits.within(
        PULL_LIMIT_S, first_byte_s=PULL_FIRST_WORD_S, cancelled=cancelled, max_bytes=PULL_PROGRESS_BYTES
    )
    trail.note(
        tenant_id=provider.tenant_id,
        actor=by.sub,
        action="model.pulled",
        resource_type="provider",
        resource_id=str(provider.id),
        outcome=trail.SUCCESS,
        details={"model": model},
        actor_tenant_id=by.own_tenant_id,
    )
    try:
        with closing(new_adapter(config_of(provider))) as adapter:  # of its own: a download may outlive a retired one
            give_back()  # a download takes hours
            yield from adapter.pull(model, limits)
    except ProviderFailure as failure:
        if failure.kind == FailureKind.CANCELLED:
            raise
        raise ModelNotReady(f"{provider.name} did not download {model}: {failure.detail}") from failure


def warm_up(
    instance: ModelInstance,
    *,
    by: Principal,
    cancelled: Callable[[], bool],
    pause: Callable[[float], None],
    told: Callable[[int, ProviderFailure], None],
) -> tuple[int, float]:
    """Have the model ready, within LLM_WARM_UP_S: (tries, seconds). ModelNotReady when it is not.

    ``pause`` sleeps between two tries, ``told`` hears of each that failed.
    """
    adapter = adapter_for(config_of(instance.provider))
    give_back()
    began = time.monotonic()
    deadline = began + settings.LLM_WARM_UP_S
    tries, outcome = 0, "failed"
    try:
        while True:
            tries += 1
            limits = CallLimits.within(max(0.1, deadline - time.monotonic()), cancelled=cancelled)
            try:
                adapter.warm_up(instance.model_id, limits)
                break
            except ProviderFailure as failure:
                if failure.kind == FailureKind.CANCELLED:
                    outcome = "cancelled"
                    raise
                told(tries, failure)
                over = time.monotonic() + settings.LLM_WARM_UP_PAUSE_S > deadline
                if over or tries >= settings.LLM_WARM_UP_TRIES or failure.kind not in WORTH_ANOTHER_TRY:
                    raise ModelNotReady(f"{instance.instance_name} is not ready: {failure.detail}") from failure
            outcome = "cancelled"  # unless the pause ends by itself
            pause(settings.LLM_WARM_UP_PAUSE_S)
            outcome = "failed"
        outcome = "ok"
    finally:
        seconds = time.monotonic() - began
        metrics.WARM_UPS.labels(outcome).inc()
        metrics.WARM_UP_DURATION.observe(seconds)
    note_loaded(instance.id, by=by)
    return tries, seconds


def unload(instance: ModelInstance, *, by: Principal, limit_s: float, cancelled: Callable[[], bool]) -> None:
    """Have its provider give back the memory that the model takes; it is loaded again when it is next asked.

    ConflictError where that is the provider's own to say, ModelNotReady when it fails.
    """
    adapter = adapter_for(config_of(instance.provider))
    give_back()
    try:
        adapter.unload(instance.model_id, CallLimits.within(limit_s, cancelled=cancelled))
    except ProviderFailure as failure:
        if failure.kind == FailureKind.CANCELLED:
            raise
        if failure.kind == FailureKind.UNSUPPORTED:
            raise ConflictError(failure.detail, code="provider_unloads_nothing") from failure
        raise ModelNotReady(f"{instance.instance_name} was not unloaded: {failure.detail}") from failure
    note_unloaded(instance.id, by=by)


def _is_theirs(principal: Principal, tenant_id: UUID | None) -> bool:
    return is_platform_admin(principal) if tenant_id is None else tenant_id == principal.tenant_id
