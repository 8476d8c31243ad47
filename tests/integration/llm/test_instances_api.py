"""/v1/models/instances over the running API."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from apps.tenancy.models import Tenant
from tests.clients import Api
from tests.factories import make_model

PATH = "/v1/models/instances"


@pytest.fixture
def provider_id(tenant: Tenant) -> str:
    return str(make_model(tenant.id)[0].id)


def create(caller: Api, provider_id: str, *, key: str | None = None, **fields: Any) -> Any:
    body = {"provider_id": provider_id, "instance_name": f"m-{uuid4().hex[:8]}", "model_id": "demo", **fields}
    return caller.post(PATH, body, **({"Idempotency_Key": key} if key else {}))


@pytest.mark.requirement("llm:instances")
def test_an_instance_is_made_read_changed_and_deleted(admin: Api, api: Api, provider_id: str) -> None:
    made = create(admin, provider_id, context_window=4096, parameters={"top_p": 0.9}, input_usd_per_mtok=0.15)
    path = f"{PATH}/{made.json['id']}"

    read, by_user = admin.get(path), api.get(path)
    unchanged = api.get(path, If_None_Match=read.headers["etag"])
    changed = admin.patch(path, {"output_usd_per_mtok": 2.5, "description": "ours"}, If_Match=read.headers["etag"])
    late = admin.patch(path, {"description": "mine"}, If_Match=read.headers["etag"])
    disabled = admin.patch(path, {"enabled": False})
    hidden, still_there = api.get(path), admin.get(path)
    gone = admin.delete(path)

    assert made.status == 201
    assert made.headers["location"].endswith(path)
    assert made.headers["etag"].strip('"') == made.json["etag"]
    assert (made.json["context_window"], made.json["max_output_tokens"], made.json["loaded"]) == (4096, 2048, False)
    assert (made.json["input_usd_per_mtok"], made.json["output_usd_per_mtok"]) == (0.15, None)
    assert by_user.json == read.json
    assert unchanged.status == 304
    assert (changed.status, changed.json["output_usd_per_mtok"], changed.json["version"]) == (200, 2.5, 2)
    assert late.status == 412
    assert disabled.json["enabled"] is False
    assert (hidden.status, still_there.status) == (404, 200)
    assert (gone.status, gone.json["deleted"], admin.get(path).status) == (200, True, 404)


@pytest.mark.requirement("llm:instances")
def test_a_repeat_with_its_key_makes_one_instance(admin: Api, provider_id: str) -> None:
    key, name = uuid4().hex, f"m-{uuid4().hex[:8]}"

    first = create(admin, provider_id, key=key, instance_name=name)
    again = create(admin, provider_id, key=key, instance_name=name)
    other_body = create(admin, provider_id, key=key, instance_name=name, context_window=2048)
    no_key = create(admin, provider_id, instance_name=name)

    assert (first.status, again.status) == (201, 200)
    assert (first.headers["idempotency-replayed"], again.headers["idempotency-replayed"]) == ("false", "true")
    assert again.json["id"] == first.json["id"]
    assert (other_body.status, other_body.json["code"]) == (422, "idempotency_key_reused")
    assert (no_key.status, no_key.json["code"]) == (409, "model_instance_exists")


@pytest.mark.requirement("llm:instances")
def test_lists_have_filters_pages_and_for_users_the_enabled_ones(
    admin: Api, api: Api, stranger: Api, tenant: Tenant, provider_id: str
) -> None:
    enabled = [create(admin, provider_id).json["id"] for _ in range(2)]
    disabled = create(admin, provider_id, enabled=False).json["id"]
    own = f"{PATH}?tenant_id={tenant.id}&page_size="

    def ids(answer: Any) -> list[str]:
        return [item["id"] for item in answer.json["items"]]

    page = admin.get(f"{own}2")
    rest = admin.get(f"{own}2&page_token={page.json['next_page_token']}")
    of_user = api.get(f"{own}1000")
    off = admin.get(f"{own}100&enabled=false")
    of_provider = admin.get(f"{own}100&provider_id={provider_id}&loaded=false")

    assert ids(page)[0] == disabled
    assert (page.json["total"], len(ids(page)), len(ids(rest)), rest.json["next_page_token"]) == (4, 2, 2, None)
    assert set(enabled) <= set(ids(of_user))
    assert disabled not in ids(of_user)
    assert ids(off) == [disabled]
    assert len(ids(of_provider)) == 4
    assert page.headers["etag"].strip('"') == page.json["etag"]
    assert admin.get(f"{own}2", If_None_Match=page.headers["etag"]).status == 304
    assert not set(ids(stranger.get(f"{PATH}?page_size=1000"))) & {*enabled, disabled}
    assert stranger.get(f"{own}1").json["total"] == 0
    assert {i["scope"] for i in api.get(f"{PATH}?tenant_id=global").json["items"]} <= {"global"}
    wrong = ("page_size=0", "page_size=1001", "enabled=maybe", "provider_id=x", "q=1", "page_token=x")
    assert [admin.get(f"{PATH}?{query}").status for query in wrong] == [400] * len(wrong)


@pytest.mark.requirement("llm:instances")
def test_what_an_instance_cannot_be_is_refused(admin: Api, provider_id: str, stranger: Api) -> None:
    parameters = ("model", "messages", "stream", "base_url", "api_base", "headers", "extra_headers", "extra_body")
    refused = [create(admin, provider_id, parameters={name: "x"}) for name in parameters]
    refused += [
        create(admin, provider_id, parameters={"top_p": "much"}),
        create(admin, provider_id, parameters={"seed": 10**400}),
        create(admin, provider_id, context_window=1023),
        create(admin, provider_id, context_window=1024, max_output_tokens=1025),
        create(admin, provider_id, input_usd_per_mtok=-1),
        create(admin, provider_id, modalities=["smell"]),
        create(admin, provider_id, instance_name="'; DROP TABLE x"),
        create(admin, provider_id, instance_name="x" * 101),
        create(admin, provider_id, description="x" * 4001),
        create(admin, provider_id, api_base="http://evil.example"),
    ]
    not_theirs = create(stranger, provider_id)

    assert [answer.status for answer in refused] == [422] * len(refused)
    assert refused[-2].json["errors"][0]["msg"] == "String should have at most 4000 characters"
    assert (not_theirs.status, not_theirs.json["code"]) == (404, "provider_not_found")
    assert create(admin, provider_id, parameters={"top_p": 0.5, "seed": 7, "think": False}).status == 201


@pytest.mark.requirement("llm:registry-scopes")
def test_prices_of_the_platforms_provider_are_the_platforms(admin: Api, platform_admin: Api, tenant: Tenant) -> None:
    provider, instance = make_model(None)
    acting = {"X_Tenant_Id": str(tenant.id)}
    body = {"provider_id": str(provider.id), "instance_name": "lent", "model_id": "demo"}

    lent = platform_admin.post(PATH, body, **acting)
    cheaper = admin.patch(f"{PATH}/{lent.json['id']}", {"input_usd_per_mtok": 0})
    described = admin.patch(f"{PATH}/{lent.json['id']}", {"description": "ours"})
    shared = admin.patch(f"{PATH}/{instance.id}", {"description": "mine"})

    assert (lent.status, lent.json["tenant_id"]) == (201, str(tenant.id))
    assert [answer.status for answer in (cheaper, described, shared)] == [403, 200, 403]
    assert platform_admin.delete(f"{PATH}/{lent.json['id']}", **acting).status == 200
    assert platform_admin.delete(f"{PATH}/{instance.id}").status == 200
    assert platform_admin.delete(f"/v1/admin/models/providers/{provider.id}").status == 204


@pytest.mark.requirement("llm:instance-tests")
def test_an_instance_is_asked_once_by_whoever_may_infer(
    api: Api, admin: Api, viewer: Api, provider_id: str, model: Callable[..., Any]
) -> None:
    path = f"{PATH}/{model()[1].id}"

    asked = api.post(f"{path}/tests", {"prompt": "Say hello."})
    turns = api.post(f"{path}/tests", {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 20})
    both = api.post(f"{path}/tests", {"prompt": "x", "messages": []})
    nobody = api.post(f"{PATH}/{uuid4()}/tests", {"prompt": "x"})
    reading = viewer.post(f"{path}/tests", {"prompt": "x"})
    admin.patch(path, {"enabled": False})
    disabled = admin.post(f"{path}/tests", {"prompt": "x"})

    assert asked.status == turns.status == 200, asked.body
    assert (asked.json["ok"], asked.json["model_id"], asked.json["attempts"]) == (True, "demo", 1)
    assert asked.json["text"]
    assert asked.json["usage"]["total_tokens"] == (
        asked.json["usage"]["input_tokens"] + asked.json["usage"]["output_tokens"]
    )
    assert set(asked.json["cost"]) == {"usd", "priced_by"}
    assert (asked.json["usage"]["is_estimated"], asked.json["budget_warnings"]) == (False, [])
    assert (both.status, nobody.status, reading.status, disabled.status) == (422, 404, 403, 409)


@pytest.mark.requirement("llm:warm-up")
def test_a_warm_up_says_when_the_model_was_ready(admin: Api, api: Api, model: Callable[..., Any]) -> None:
    path = f"{PATH}/{model()[1].id}"

    warm, by_user = admin.post(f"{path}/warm-up"), api.post(f"{path}/warm-up")
    read = admin.get(path)

    assert (warm.status, warm.json["loaded"], by_user.status) == (200, True, 403)
    assert (read.json["loaded"], read.json["loaded_at"]) == (True, warm.json["loaded_at"])
    assert read.json["version"] == 1  # nothing of it was changed


@pytest.mark.requirement("llm:usage-api")
def test_usage_is_ones_own_and_for_administrators_everybodys(
    api: Api, admin: Api, colleague: Api, model: Callable[..., Any]
) -> None:
    path = f"{PATH}/{model()[1].id}/tests"
    for caller, calls in ((api, 2), (colleague, 1)):
        for _ in range(calls):
            assert caller.post(path, {"prompt": "Hello"}).status == 200

    own = api.get("/v1/models/usage")
    everybody = admin.get("/v1/admin/models/usage?all=true&group_by=user&since=2020-01-01T00:00:00Z")
    refused = api.get("/v1/models/usage?all=true")
    wrong = [api.get(f"/v1/models/usage?{query}").status for query in ("group_by=shoe", "since=yesterday", "all=1")]
    budget = api.get("/v1/models/budget")

    assert own.json["totals"]["calls"] == 2
    assert own.json["items"][0]["key"] == "demo"
    assert sorted(item["calls"] for item in everybody.json["items"]) == [1, 2]
    assert (refused.status, wrong) == (403, [400, 400, 400])
    assert (budget.status, budget.json["budgets"]) == (200, [])
    assert budget.json["spent_tokens"] == everybody.json["totals"]["total_tokens"]
