"""/v1/models/defaults: whose model answers where none is named."""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY

from apps.identity.principal import Principal
from apps.llm import catalogue, defaults, gateway
from apps.llm.models import ModelDefault
from apps.tenancy.models import Tenant
from apps.tenancy.services import change_tenant
from kernel import engine_db, signed_cache
from kernel.redis_keys import MODEL_DEFAULTS
from tests.clients import Api, wait_for
from tests.factories import make_model
from tests.llm_factories import make_request

PATH = "/v1/models/defaults"


def chat(instance: Any) -> dict[str, Any]:
    return {"chat": {"instance_id": str(instance.id)}}


@pytest.fixture
def shared(platform_admin: Api) -> Iterator[Any]:
    """The platform's default for the length of a test."""
    held = ModelDefault.objects.using(engine_db.ALIAS).filter(scope="global").first()
    provider, instance = make_model(None)
    assert platform_admin.patch(PATH, chat(instance), X_Default_Scope="global").status == 200
    yield instance
    if held is not None:
        platform_admin.patch(PATH, {"instance_id": str(held.instance_id)}, X_Default_Scope="global")
    platform_admin.delete(f"/v1/models/instances/{instance.id}")
    platform_admin.delete(f"/v1/admin/models/providers/{provider.id}")


@pytest.mark.requirement("llm:defaults-precedence")
def test_the_users_default_is_before_the_tenants_and_that_before_the_platforms(
    api: Api, admin: Api, colleague: Api, model: Callable[..., Any], shared: Any
) -> None:
    tenants, users = model()[1], model()[1]

    of_platform = api.get(PATH)
    of_tenant = admin.patch(PATH, chat(tenants), X_Default_Scope="tenant"), api.get(PATH)
    of_user = api.patch(PATH, chat(users)), api.get(PATH)
    of_colleague = colleague.get(PATH)
    back = api.patch(PATH, {"chat": None}), api.get(PATH)

    assert (of_platform.headers["x-default-scope"], of_platform.json["chat"]["instance_id"]) == (
        "global",
        str(shared.id),
    )
    assert of_tenant[0].status == 200
    assert (of_tenant[1].headers["x-default-scope"], of_tenant[1].json["default_instance_id"]) == (
        "tenant", str(tenants.id),
    )  # fmt: skip
    assert (of_user[0].json["ok"], of_user[0].json["instance_name"]) == (True, users.instance_name)
    assert (of_user[1].headers["x-default-scope"], of_user[1].json["chat"]["name"]) == ("user", users.instance_name)
    assert of_colleague.json["chat"]["instance_id"] == str(tenants.id)
    assert (back[0].status, back[1].headers["x-default-scope"]) == (200, "tenant")


@pytest.mark.requirement("llm:defaults-precedence")
def test_a_default_that_is_disabled_or_deleted_gives_way(
    api: Api, admin: Api, model: Callable[..., Any], shared: Any
) -> None:
    tenants, users = model()[1], model()[1]
    admin.patch(PATH, chat(tenants), X_Default_Scope="tenant")
    api.patch(PATH, chat(users))

    admin.patch(f"/v1/models/instances/{users.id}", {"enabled": False})
    disabled = api.get(PATH)
    refused = api.patch(PATH, chat(users)), admin.patch(PATH, chat(users))
    deleted = admin.delete(f"/v1/models/instances/{tenants.id}")
    after = api.get(PATH)
    new = model()[1]
    admin.patch(PATH, chat(new), X_Default_Scope="tenant")  # a row anew: the cache must not hold on to the old one

    assert disabled.json["chat"]["instance_id"] == str(tenants.id)
    assert (refused[0].status, refused[1].status, refused[1].json["code"]) == (404, 409, "model_disabled")
    assert (deleted.json["defaults_removed"], after.headers["x-default-scope"]) == (1, "global")
    assert api.get(PATH).json["chat"]["instance_id"] == str(new.id)


@pytest.mark.requirement("llm:defaults-api")
def test_the_answer_has_the_predecessors_headers(api: Api, principal: Principal, model: Callable[..., Any]) -> None:
    instance = model()[1]
    api.patch(PATH, {"instance_id": str(instance.id)})
    text = f"user:{instance.id}:{instance.instance_name}:{instance.provider_id}:{instance.model_id}"

    answer = api.get(PATH)
    again = api.get(PATH, If_None_Match=answer.headers["etag"])
    named = [api.get(PATH, X_Tenant_Id=name).status for name in ("global", "default", str(principal.tenant_id))]
    foreign = api.get(PATH, X_Tenant_Id=str(uuid4()))
    alias = api.get("/v1/admin/models/defaults")

    assert answer.headers["etag"] == f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'
    assert answer.headers["cache-control"] == "no-cache, must-revalidate"
    assert {part.strip() for part in answer.headers["vary"].split(",")} >= {"Authorization", "X-Tenant-Id"}
    assert (again.status, again.body) == (304, b"")
    assert (named, foreign.status) == ([200, 200, 200], 403)
    assert alias.json == answer.json


@pytest.mark.requirement("llm:defaults-api")
def test_a_change_takes_the_old_spellings_and_refuses_what_says_nothing(
    api: Api, admin: Api, model: Callable[..., Any]
) -> None:
    instance = model()[1]
    name, by_id = instance.instance_name, str(instance.id)
    good = ({"chat": {"name": name}}, {"name": name}, {"instance_id": by_id}, {"default_instance_id": by_id})
    bad: tuple[dict[str, Any], ...] = (
        {},
        {"chat": {}},
        {"model": name},
        {"name": name, "instance_id": by_id},
        {"chat": {"name": name, "x": 1}},
    )

    assert [api.patch(PATH, body).status for body in good] == [200] * len(good)
    assert [api.patch(PATH, body).status for body in bad] == [422] * len(bad)
    assert api.patch(PATH, {"name": "no-such-model"}).status == 404
    assert api.patch(PATH, {"instance_id": str(uuid4())}).status == 404
    assert api.patch(PATH, chat(instance), X_Default_Scope="tenant").status == 403
    assert admin.patch(PATH, chat(instance), X_Default_Scope="global").status == 403
    assert api.patch(PATH, chat(instance), X_Default_Scope="world").status == 400


@pytest.mark.requirement("llm:defaults-first")
def test_the_first_instance_becomes_its_creators_default(admin: Api, api: Api, model: Callable[..., Any]) -> None:
    provider = model()[0]
    body = {"provider_id": str(provider.id), "model_id": "demo"}

    first = admin.post("/v1/models/instances", {**body, "instance_name": "first"})
    second = admin.post("/v1/models/instances", {**body, "instance_name": "second"})
    default = admin.get(PATH)

    assert (first.json["is_default"], second.json["is_default"]) == (True, False)
    assert (default.headers["x-default-scope"], default.json["chat"]["name"]) == ("user", "first")
    assert "first" not in api.get(PATH).body.decode()


@pytest.mark.requirement("llm:defaults-settings")
def test_the_tenants_configured_model_counts_until_a_default_is_set(
    api: Api, admin: Api, tenant: Tenant, model: Callable[..., Any]
) -> None:
    configured, other = model()[1], model()[1]
    change_tenant(tenant.id, {"settings": {"default_model": configured.instance_name}}, by=None)

    seen = wait_for(
        lambda: [answer for answer in [api.get(PATH)] if answer.headers.get("x-default-scope") == "tenant"],
        what="the tenant's setting being seen",
    )[0]
    admin.patch(PATH, chat(other), X_Default_Scope="tenant")

    assert seen.json["chat"]["instance_id"] == str(configured.id)
    assert api.get(PATH).json["chat"]["instance_id"] == str(other.id)


@pytest.mark.requirement("llm:defaults-cached")
def test_looks_are_counted_by_where_the_answer_was(tenant: Tenant, principal: Principal) -> None:
    def counted(found_in: str) -> float:
        return REGISTRY.get_sample_value("dmr_cache_lookups_total", {"found_in": found_in}) or 0.0

    asked = defaults.resolve(tenant.id, principal.sub)
    from_redis, from_rows = counted("redis"), counted("database")
    again = defaults.resolve(tenant.id, f"{principal.sub}-nobody-asked-before")

    assert (asked is None) == (again is None)
    assert (counted("database") - from_rows, counted("redis") > from_redis) == (1, True)


@pytest.mark.requirement("llm:defaults-cached")
def test_a_change_elsewhere_is_seen_by_a_process_that_had_cached_the_old(
    api: Api, principal: Principal, model: Callable[..., Any]
) -> None:
    one, other = model()[1], model()[1]
    catalogue.forget(principal.tenant_id)
    tenant_id, sub = principal.tenant_id, principal.sub

    api.patch(PATH, chat(one))  # in the server's process
    before = defaults.default_instance(tenant_id, sub)  # in this one
    api.patch(PATH, chat(other))
    after = defaults.default_instance(tenant_id, sub)
    key = MODEL_DEFAULTS(id=f"{tenant_id}:{hashlib.sha256(sub.encode()).hexdigest()[:32]}")
    held = signed_cache.get(key)

    assert before == (one.id, "user")
    assert after == (other.id, "user")
    assert isinstance(held, dict)
    assert UUID(held["instance_id"]) == other.id


@pytest.mark.requirement("llm:defaults-cached")
def test_a_call_finds_a_default_that_another_process_made_after_this_one_had_looked_at_the_models(
    api: Api, principal: Principal, model: Callable[..., Any]
) -> None:
    seen = catalogue.catalogue_of(principal.tenant_id)
    made = model()[1]
    api.patch(PATH, chat(made))
    catalogue._known[principal.tenant_id] = replace(seen, loaded_at=time.monotonic())

    answer = gateway.complete(make_request(principal.tenant_id, user_sub=principal.sub))

    assert answer.instance_id == made.id


@pytest.mark.requirement("llm:defaults-cached")
def test_what_others_write_into_the_cache_and_its_loss_change_nothing(
    api: Api, principal: Principal, redis_client: Any, model: Callable[..., Any]
) -> None:
    one, other = model()[1], model()[1]
    api.patch(PATH, chat(one))
    key = MODEL_DEFAULTS(id=f"{principal.tenant_id}:{hashlib.sha256(principal.sub.encode()).hexdigest()[:32]}")

    redis_client.set(key, f'99999999999999999:{{"instance_id": "{other.id}"}}')
    forged = api.get(PATH)
    redis_client.delete(key)
    lost = api.get(PATH)

    assert forged.json["chat"]["instance_id"] == lost.json["chat"]["instance_id"] == str(one.id)


@pytest.mark.requirement("llm:defaults-api")
def test_without_any_default_the_answer_is_404(api: Api, platform_admin: Api, shared: Any) -> None:
    taken = platform_admin.patch(PATH, {"chat": None}, X_Default_Scope="global")

    answer = api.get(PATH)
    again = platform_admin.patch(PATH, {"chat": None}, X_Default_Scope="global")

    assert (taken.status, taken.json["instance_id"]) == (200, None)
    assert (answer.status, answer.json["code"], again.status) == (404, "no_default_model", 404)
