"""Layer 5's knowledge of a tenant: cached, never older than a second, and not to be forged."""

import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import redis
from django.db import DatabaseError

from apps.identity.reloading import Reloaded
from apps.tenancy import resolver
from apps.tenancy.config import TenantConfig
from apps.tenancy.models import Tenant
from apps.tenancy.services import change_tenant, set_tenant_status
from kernel import signed_cache
from kernel.errors import UnavailableError
from kernel.redis_client import availability
from kernel.redis_keys import TENANT_CONFIG
from tests.clients import Api, wait_for

SOON_S = 20.0
assert resolver.PACE.overdue_s < 1 and SOON_S < resolver.MEMORY_TTL_S  # which is how long an untold process would err


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    resolver._memory.clear()


def configured(tenant: Tenant) -> TenantConfig:
    config = resolver.tenant_config(tenant.id)
    assert config is not None
    return config


@pytest.fixture
def by_hand(admin_url: str) -> Callable[..., None]:
    """SQL of an operator's, which tells nobody."""

    def run(sql: str, *values: Any) -> None:
        with psycopg.connect(admin_url, autocommit=True) as connection:
            connection.execute(sql, values)

    return run


@pytest.mark.requirement("tenants:resolver")
def test_the_configuration_is_in_redis_and_comes_from_there(tenant: Tenant, redis_client: redis.Redis) -> None:
    change_tenant(tenant.id, {"settings": {"default_model": "llama3:8b"}}, by=None)
    key = TENANT_CONFIG(id=tenant.id)
    assert redis_client.get(key)
    assert 0 < redis_client.ttl(key) <= 300

    resolver._memory.clear()

    assert configured(tenant).settings.default_model == "llama3:8b"
    assert resolver.tenant_config(uuid4()) is None


@pytest.mark.requirement("tenants:resolver")
def test_without_redis_the_row_answers(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "usable", lambda: False)

    assert configured(tenant).slug == tenant.slug


@pytest.mark.requirement("tenants:invalidation")
def test_a_change_bites_in_another_process_within_a_second(api: Api, tenant: Tenant) -> None:
    assert api.get("/v1/auth/me").status == 200

    set_tenant_status(tenant.id, Tenant.Status.SUSPENDED)
    changed_at = time.monotonic()
    wait_for(lambda: api.get("/v1/auth/me").status == 403, what="the suspension")
    took_s = time.monotonic() - changed_at
    set_tenant_status(tenant.id, Tenant.Status.ACTIVE)
    wait_for(lambda: api.get("/v1/auth/me").status == 200, limit_s=SOON_S, what="the end of the suspension")

    assert took_s < SOON_S


@pytest.mark.requirement("tenants:invalidation")
def test_a_change_nobody_was_told_of_bites_within_a_second(
    api: Api, tenant: Tenant, by_hand: Callable[..., None]
) -> None:
    assert api.get("/v1/auth/me").status == 200

    by_hand("UPDATE tenants SET status = 'suspended' WHERE id = %s", tenant.id)

    wait_for(lambda: api.get("/v1/auth/me").status == 403, limit_s=SOON_S, what="the suspension")


@pytest.mark.requirement("tenants:invalidation")
def test_a_slow_writer_does_not_put_back_what_a_faster_one_replaced(tenant: Tenant) -> None:
    old = resolver.config_of(tenant)
    change_tenant(tenant.id, {"settings": {"pii_mode": "hash"}}, by=None)

    resolver._to_redis(old)
    resolver._remember(old)
    remembered = configured(tenant)
    resolver._memory.clear()

    assert (remembered.settings.pii_mode, configured(tenant).settings.pii_mode) == ("hash", "hash")


@pytest.mark.requirement("tenants:forgery")
@pytest.mark.requirement("security:122")
def test_nobody_writes_a_tenants_configuration_into_redis(tenant: Tenant, redis_client: redis.Redis) -> None:
    set_tenant_status(tenant.id, Tenant.Status.SUSPENDED)
    key = TENANT_CONFIG(id=tenant.id)
    genuine = redis_client.get(key)
    assert genuine is not None
    config = {**configured(tenant).model_dump(mode="json"), "status": "active", "version": 99}
    forged = json.dumps({"version": 99, "document": {"cached_at": time.time(), "config": config}})
    another = genuine.replace(b"suspended", b"active")

    for value in (f"99:{forged}", f"99:{forged}:c2lnbmVk", another, b"", b"99:", b"\xff\xfe", b"x" * 100_000):
        redis_client.set(key, value)
        resolver._memory.clear()
        assert configured(tenant).status == "suspended"


@pytest.mark.requirement("tenants:forgery")
@pytest.mark.requirement("security:122")
def test_an_old_copy_put_back_is_not_believed(tenant: Tenant, redis_client: redis.Redis) -> None:
    key = TENANT_CONFIG(id=tenant.id)
    configured(tenant)
    copy = redis_client.get(key)
    assert copy is not None
    set_tenant_status(tenant.id, Tenant.Status.SUSPENDED)
    resolver.recent.reload()

    redis_client.set(key, copy)
    resolver._memory.clear()

    assert configured(tenant).status == "suspended"


@pytest.mark.requirement("tenants:forgery")
def test_a_document_of_another_tenant_or_of_long_ago_is_not_believed(tenant: Tenant) -> None:
    generous = configured(tenant).model_copy(update={"tenant_id": uuid4(), "version": 50})
    key = TENANT_CONFIG(id=tenant.id)

    for age_s, config in ((0, generous), (301, configured(tenant).model_copy(update={"version": 50}))):
        document = {"cached_at": time.time() - age_s, "config": config.model_dump(mode="json")}
        signed_cache.put(key, version=50, document=document, ttl_s=300)
        resolver._memory.clear()
        assert configured(tenant).version == 1


@pytest.mark.requirement("tenants:database-down")
def test_while_the_database_is_away_the_last_known_serves_for_a_minute(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock_s = [time.monotonic()]
    away = False

    def load() -> dict[Any, int]:
        if away:
            raise DatabaseError("connection refused")
        return {}

    def no_rows(_: object) -> None:
        raise DatabaseError("connection refused")

    recent = Reloaded("tenants", load, (DatabaseError,), resolver.PACE, clock=lambda: clock_s[0])
    monkeypatch.setattr(resolver, "recent", recent)
    monkeypatch.setattr(availability, "usable", lambda: False)
    assert configured(tenant).slug == tenant.slug

    away = True
    monkeypatch.setattr(resolver, "_from_rows", no_rows)
    clock_s[0] += 50
    assert configured(tenant).slug == tenant.slug
    with pytest.raises(UnavailableError):
        resolver.tenant_config(uuid4())
    clock_s[0] += 11
    with pytest.raises(UnavailableError):
        resolver.tenant_config(tenant.id)


@pytest.mark.requirement("tenants:fast")
def test_for_a_known_tenant_nobody_is_asked(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    known = configured(tenant)

    for asked in ("_from_redis", "_from_rows"):
        monkeypatch.setattr(resolver, asked, None)

    assert all(configured(tenant) is known for _ in range(500))
