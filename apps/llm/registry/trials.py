"""Trying a provider while somebody waits: can it be reached, does it take the key, is the model ready.

Nothing is remembered of a trial: it neither trips nor mends the circuit breaker.
"""

import time
from contextlib import closing
from dataclasses import dataclass
from uuid import UUID

from apps.identity.principal import Principal
from apps.llm import catalogue, keys, selectors
from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.models import ModelInstance
from apps.llm.net.limits import CallLimits
from apps.llm.providers.base import Adapter, RemoteModel
from apps.llm.providers.registry import new_adapter
from apps.llm.registry import instances, rights
from kernel.connections import give_back
from kernel.errors import ConflictError, PlatformError

TEST_LIMIT_S = 5.0
WARM_UP_LIMIT_S = 30.0  # what takes longer is the job model.warmup
NEVER_REACHED = frozenset({FailureKind.CONNECTION, FailureKind.TIMEOUT, FailureKind.UNSUPPORTED})


class ProviderFailed(PlatformError):
    """The provider did not do what it was asked."""

    code, http_status, title, retryable = "provider_failed", 502, "Bad Gateway", True


@dataclass(frozen=True)
class Trial:
    """``reachable``: somebody answered there, be it with a refusal. ``kind`` and ``error`` say why it is not ok."""

    ok: bool
    reachable: bool
    latency_ms: float
    models: tuple[RemoteModel, ...] = ()
    kind: str | None = None
    error: str | None = None


def try_connection(provider_id: UUID, *, by: Principal) -> Trial:
    """Ask the provider for its models, with its key. NotFoundError for what the caller does not see."""
    provider = selectors.get_provider(by.tenant_id, provider_id)
    rights.require_owner(by, provider.tenant_id, "The platform's providers are")
    began = time.monotonic()
    try:
        with closing(_adapter(provider_id)) as adapter:
            found = adapter.list_models(CallLimits.within(TEST_LIMIT_S))
    except ProviderFailure as failure:
        reached = failure.status_code is not None or failure.kind not in NEVER_REACHED
        return Trial(False, reached, _since(began), kind=str(failure.kind), error=failure.detail)
    return Trial(True, True, _since(began), tuple(found))


def warm_up(instance_id: UUID, *, by: Principal) -> tuple[ModelInstance, float]:
    """Have the model ready, and how many ms it took. ProviderFailed when the provider does not within the limit."""
    instance = selectors.get_instance(by.tenant_id, instance_id)
    rights.require_owner(by, instance.tenant_id, "The platform's model instances are")
    if not (instance.enabled and instance.provider.enabled):
        raise ConflictError(f"{instance.instance_name} is disabled. Enable it first.", code="model_disabled")
    began = time.monotonic()
    try:
        with closing(_adapter(instance.provider_id)) as adapter:
            adapter.warm_up(instance.model_id, CallLimits.within(WARM_UP_LIMIT_S))
    except ProviderFailure as failure:
        raise ProviderFailed(
            f"{instance.instance_name} is not ready: {failure.detail}", kind=str(failure.kind)
        ) from failure
    return instances.note_loaded(instance_id, by=by), _since(began)


def _adapter(provider_id: UUID) -> Adapter:
    """An adapter of this trial's own. No connection to the database is held while the provider is waited for."""
    try:
        config = catalogue.provider_config(provider_id)
    except keys.KeyUnreadable as error:
        raise ProviderFailure(FailureKind.AUTH, f"{error} Enter it anew.") from error
    finally:
        give_back()
    return new_adapter(config)


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)
