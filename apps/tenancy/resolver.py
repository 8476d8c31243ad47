"""Tenant id -> TenantConfig, from memory, Redis (`tenant:config:{id}`) or PostgreSQL (SPEC 2.5).

What is cached is believed only while nothing newer is known: each process asks PostgreSQL about twice a second which
tenants changed in the last minutes, one small read whatever the load. So a change bites everywhere within a second even
if nobody was told of it, and a copy of an old document put back into Redis is not believed. Documents in Redis are
signed: nobody without the platform's secret can raise a limit or wake a suspended tenant there.
"""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

import pydantic
from django.db import Error as DatabaseError
from django.db import connections

from apps.identity.reloading import Pace, Reloaded
from apps.tenancy.config import TenantConfig, TenantSettings
from apps.tenancy.models import Tenant
from kernel import engine_db, signed_cache
from kernel.errors import UnavailableError
from kernel.redis_keys import TENANT_CONFIG

REDIS_TTL_S = TENANT_CONFIG.ttl_s or 0
MEMORY_TTL_S = 30.0
REMEMBERED = 10_000
CHANGED_WITHIN_S = REDIS_TTL_S + 120  # longer than anything cached is believed
CLOCKS_APART_S = 60  # how far two machines may disagree
# Half a second old at most before a new look starts; 0.8 s before callers wait for it. After a minute without
# PostgreSQL, or in a process that slept for a minute, nothing is known any more: then a slow look is better than none.
PACE = Pace(
    fresh_s=0.5,
    overdue_s=0.8,
    expired_s=60.0,
    min_interval_s=0.0,
    after_failure_s=1.0,
    patience_s=0.25,
    patience_with_nothing_s=5.0,
)


@dataclass(frozen=True)
class _Remembered:
    config: TenantConfig
    until: float


_memory: OrderedDict[UUID, _Remembered] = OrderedDict()
_lock = threading.Lock()


def tenant_config(tenant_id: UUID) -> TenantConfig | None:
    """The tenant's configuration, at most a second old; None when there is no such tenant.

    While PostgreSQL is away the last known one for a minute, then UnavailableError.
    """
    changed = recent.get()
    if changed is None:
        raise UnavailableError("Tenants cannot be looked up right now. Try again.", code="database_unavailable")
    least_version = changed.get(tenant_id, 0)
    known = _memory.get(tenant_id)
    if known is not None and known.config.version >= least_version and time.monotonic() < known.until:
        return known.config
    found = _from_redis(tenant_id, least_version)
    if found is None:
        try:
            found = _from_rows(tenant_id)
        except DatabaseError as error:
            if known is not None and known.config.version >= least_version:
                return known.config
            raise UnavailableError(
                "Tenants cannot be looked up right now. Try again.", code="database_unavailable"
            ) from error
    if found is not None:
        _remember(found)
    return found


def config_of(tenant: Tenant) -> TenantConfig:
    """What the layers need of a tenant's row."""
    return TenantConfig(
        tenant_id=tenant.id,
        slug=tenant.slug,
        status=tenant.status,
        settings=TenantSettings.model_validate(tenant.settings),
        version=tenant.version,
    )


def publish(tenant: Tenant) -> None:
    """Show a committed change at once, here and in Redis; the other processes find out within a second."""
    config = config_of(tenant)
    _remember(config)
    _to_redis(config)


def forget(tenant_id: UUID) -> None:
    """The tenant is no more."""
    with _lock:
        _memory.pop(tenant_id, None)
    signed_cache.drop(TENANT_CONFIG(id=tenant_id))


def _remember(config: TenantConfig) -> None:
    with _lock:
        known = _memory.get(config.tenant_id)
        if known is not None and known.config.version > config.version:
            return
        _memory[config.tenant_id] = _Remembered(config, time.monotonic() + MEMORY_TTL_S)
        _memory.move_to_end(config.tenant_id)
        if len(_memory) > REMEMBERED:
            _memory.popitem(last=False)


def _from_redis(tenant_id: UUID, least_version: int) -> TenantConfig | None:
    document = signed_cache.get(TENANT_CONFIG(id=tenant_id))
    if not isinstance(document, dict):
        return None
    try:
        age_s = time.time() - float(document["cached_at"])
        config = TenantConfig.model_validate(document["config"])
    except (KeyError, TypeError, ValueError, pydantic.ValidationError):
        return None  # signed by another version of this platform
    believed = -CLOCKS_APART_S < age_s < REDIS_TTL_S and config.version >= least_version
    return config if believed and config.tenant_id == tenant_id else None


def _to_redis(config: TenantConfig) -> None:
    document = {"cached_at": time.time(), "config": config.model_dump(mode="json")}
    signed_cache.put(TENANT_CONFIG(id=config.tenant_id), version=config.version, document=document, ttl_s=REDIS_TTL_S)


def _from_rows(tenant_id: UUID) -> TenantConfig | None:
    tenant = Tenant.objects.using(engine_db.ALIAS).filter(id=tenant_id).first()
    if tenant is None:
        return None
    config = config_of(tenant)
    _to_redis(config)
    return config


def _load_recent() -> dict[UUID, int]:
    # Runs in a thread of its own, whose connection must go back to the pool.
    try:
        with engine_db.cursor() as cursor:
            cursor.execute(
                "SELECT id, version FROM tenants WHERE updated_at > now() - make_interval(secs => %s)",
                [CHANGED_WITHIN_S],
            )
            return dict(cursor.fetchall())
    finally:
        connections[engine_db.ALIAS].close()


# Tenant -> present version, of those that changed lately.
recent: Reloaded[dict[UUID, int]] = Reloaded("tenants", _load_recent, (DatabaseError,), PACE)
