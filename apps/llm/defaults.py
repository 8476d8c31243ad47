"""The model that answers where none is named: the user's default, else the tenant's, else the platform's (SPEC 7.2).

Cached in Redis (`model:defaults:{id}`), absences too. A change replaces the cached one for all processes at once; one
that Redis missed is seen within BELIEVED_S.
"""

import hashlib
import time
from datetime import datetime
from typing import Literal
from uuid import UUID

from django.db import connections

from apps.llm.catalogue import Catalogue, InstanceConfig, catalogue_of, forget
from apps.llm.models import ModelDefault
from apps.tenancy.resolver import tenant_config
from kernel import engine_db, metrics, signed_cache
from kernel.redis_keys import MODEL_DEFAULTS
from kernel.tenant_context import current_tenant_id, tenant_scope

Scope = Literal["user", "tenant", "global"]
SCOPES: tuple[Scope, ...] = ("user", "tenant", "global")
BELIEVED_S = 60.0
CLOCKS_APART_S = 60.0  # how far two machines may disagree


def default_instance(tenant_id: UUID, user_sub: str) -> tuple[UUID, Scope] | None:
    """Which instance answers and whose default that is. One that is disabled or gone gives way to the next scope's."""
    found = resolve(tenant_id, user_sub)
    return None if found is None else (found[0].id, found[1])


def resolve(tenant_id: UUID, user_sub: str) -> tuple[InstanceConfig, Scope] | None:
    """The same with the instance as it can be asked."""
    catalogue = catalogue_of(tenant_id)
    for scope in SCOPES:
        instance_id = _set_for(scope, tenant_id, user_sub)
        if instance_id is not None and instance_id not in catalogue.by_id:
            forget(tenant_id)  # made a moment ago, by another process perhaps
            catalogue = catalogue_of(tenant_id)
        instance = catalogue.by_id.get(instance_id) if instance_id else None
        if instance is None and scope == "tenant" and instance_id is None:
            instance = _configured(tenant_id, catalogue)
        if instance is not None and instance.enabled:
            return instance, scope
    return None


def publish(row: ModelDefault) -> None:
    """Show a committed change at once, in all processes."""
    _put(_cache_key(row.scope, row.tenant_id, row.user_sub), row.instance_id, _moment(row.updated_at))


def publish_absence(row: ModelDefault, moment: datetime) -> None:
    """The same for a default that was taken away."""
    _put(_cache_key(row.scope, row.tenant_id, row.user_sub), None, _moment(max(moment, row.updated_at)) + 1)


def database_time() -> datetime:
    """Now, by the clock of the database that the engine's door leads to."""
    with engine_db.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


def _set_for(scope: Scope, tenant_id: UUID, user_sub: str) -> UUID | None:
    """What is set in this scope alone, from Redis or the row."""
    owner = None if scope == "global" else tenant_id
    user = user_sub if scope == "user" else None
    key = _cache_key(scope, owner, user)
    document = signed_cache.get(key)
    absence = 0  # the version of "there is none": above what the cache holds, below whatever is set from now on
    if isinstance(document, dict):
        held, age_s = document["instance_id"], time.time() - document["cached_at"]
        if -CLOCKS_APART_S < age_s < BELIEVED_S:
            metrics.DEFAULTS_CACHE.labels("redis").inc()
            return UUID(held) if held else None
        absence = document["version"] + (1 if held else 0)
    metrics.DEFAULTS_CACHE.labels("database").inc()
    outermost = current_tenant_id() is None
    try:
        with tenant_scope(tenant_id):
            row = ModelDefault.objects.filter(scope=scope, tenant_id=owner, user_sub=user).first()
    finally:
        if outermost:
            connections["default"].close()
    _put(key, row.instance_id if row else None, _moment(row.updated_at) if row else absence)
    return row.instance_id if row else None


def _configured(tenant_id: UUID, catalogue: Catalogue) -> InstanceConfig | None:
    """What the tenant's settings name (default_model); it counts where no default of the tenant's is set."""
    config = tenant_config(tenant_id)
    name = config.settings.default_model if config else None
    return catalogue.find(name) if name else None


def _put(key: str, instance_id: UUID | None, version: int) -> None:
    held = str(instance_id) if instance_id else None
    document = {"instance_id": held, "cached_at": time.time(), "version": version}
    signed_cache.put(key, version=version, document=document, ttl_s=MODEL_DEFAULTS.ttl_s or 0)


def _moment(at: datetime) -> int:
    """Microseconds: a version that grows even when a default is taken away and set anew."""
    return round(at.timestamp() * 1_000_000)


def _cache_key(scope: str, tenant_id: UUID | None, user_sub: str | None) -> str:
    if scope == "global":
        return MODEL_DEFAULTS(id="global")
    if user_sub is None:
        return MODEL_DEFAULTS(id=tenant_id)
    return MODEL_DEFAULTS(id=f"{tenant_id}:{hashlib.sha256(user_sub.encode()).hexdigest()[:32]}")
