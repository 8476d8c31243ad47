"""/v1/admin/models/manifests: documents of providers and models."""

from typing import Any
from uuid import uuid4

import pytest

from tests.clients import Answer, Api

PATH = "/v1/admin/models/manifests"
PROVIDERS = "/v1/admin/models/providers"


def document(*providers: dict[str, Any]) -> dict[str, Any]:
    return {"name": "ours", "providers": list(providers)}


def served(name: str, *models: str, port: int = 9, **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "openai",
        "base_url": f"http://127.0.0.1:{port}/v1",
        "models": [{"instance_name": model, "model_id": model} for model in models],
        **fields,
    }


def activated(caller: Api, body: dict[str, Any]) -> Answer:
    staged = caller.post(f"{PATH}/staged", body)
    assert staged.status == 201, staged.body
    return caller.post(f"{PATH}/activations", {"manifest_id": staged.json["id"]})


def names(caller: Api, tenant_id: str) -> tuple[set[str], set[str]]:
    """Names of the tenant's providers and instances."""
    providers = {item["name"] for item in caller.get(PROVIDERS).json["items"] if item["tenant_id"] == tenant_id}
    listed = caller.get(f"/v1/models/instances?tenant_id={tenant_id}").json["items"]
    return providers, {item["instance_name"] for item in listed}


@pytest.mark.requirement("llm:manifests")
def test_a_manifest_is_staged_activated_and_gone_back_from(admin: Api, tenant: Any) -> None:
    own = str(tenant.id)
    staged = admin.post(f"{PATH}/staged", document(served("a", "one", "two")))
    nothing_yet = names(admin, own)

    first = admin.post(f"{PATH}/activations", {"manifest_id": staged.json["id"]})
    after_first = names(admin, own)
    key = admin.patch(f"{PROVIDERS}/{provider_id(admin, 'a')}", {"api_key": "sk-0123456789abcdef"})
    default = admin.patch("/v1/models/defaults", {"name": "two"}, X_Default_Scope="tenant")
    second = activated(admin, document(served("a", "one", port=10, priority=3), {"name": "b", "type": "demo"}))
    after_second = names(admin, own)
    changed = admin.get(f"{PROVIDERS}/{provider_id(admin, 'a')}").json
    not_active = admin.post(f"{PATH}/rollbacks", {"manifest_id": staged.json["id"]})
    back = admin.post(f"{PATH}/rollbacks", {"manifest_id": second.json["id"]})
    restored = admin.get(f"{PROVIDERS}/{provider_id(admin, 'a')}").json
    history = admin.get(f"{PATH}/history")
    back_again = admin.post(f"{PATH}/rollbacks", {})
    nothing_left = names(admin, own), admin.post(f"{PATH}/rollbacks", {})

    assert (staged.json["state"], nothing_yet) == ("staged", (set(), set()))
    assert (first.status, first.json["state"], first.json["created"]) == (200, "active", ["a", "one", "two"])
    assert after_first == ({"a"}, {"one", "two"})
    assert (key.status, default.status) == (200, 200)
    assert (second.json["created"], second.json["changed"]) == (["b"], ["a", "one"])
    assert second.json["keys_cleared"] == ["a"]
    assert after_second == ({"a", "b"}, {"one", "two"})
    assert (changed["base_url"], changed["priority"], changed["key_hint"]) == ("http://127.0.0.1:10/v1", 3, None)
    assert (not_active.status, not_active.json["code"]) == (409, "manifest_not_active")
    assert (back.status, back.json["state"], back.json["removed"]) == (200, "rolled_back", ["b"])
    assert (restored["base_url"], restored["priority"]) == ("http://127.0.0.1:9/v1", 100)
    assert [item["state"] for item in history.json["items"] if item["tenant_id"]] == ["rolled_back", "active"]
    assert back_again.json["removed"] == ["two", "one", "a"]
    assert back_again.json["defaults_removed"] >= 1
    assert (nothing_left[0], nothing_left[1].status) == ((set(), set()), 409)


def provider_id(caller: Api, name: str) -> str:
    return next(str(item["id"]) for item in caller.get(PROVIDERS).json["items"] if item["name"] == name)


@pytest.mark.requirement("llm:manifests")
def test_what_a_manifest_says_is_checked_as_if_entered_by_hand(admin: Api, api: Api) -> None:
    bad = {
        "a metadata address": document(served("a", base_url="http://169.254.169.254/")),
        "a private address": document(served("a", base_url="https://10.0.0.1/v1")),
        "a key": document(served("a", api_key="sk-1234")),
        "a key in the settings": document(served("a", config={"api_key": "sk-1234"})),
        "a parameter that is none": document(
            served("a", models=[{"instance_name": "m", "model_id": "m", "parameters": {"base_url": "http://x"}}])
        ),
        "a name twice": document(served("a", "m"), served("b", "m")),
        "no provider": {"name": "ours", "providers": []},
        "two things at once": {**document(served("a")), "builtin": "demo"},
        "a name with markup": document(served("<script>")),
        "text that cannot be stored": document(served("a") | {"models": [
            {"instance_name": "m", "model_id": "m", "description": "\0"}
        ]}),
    }  # fmt: skip

    answers = {name: admin.post(f"{PATH}/staged", body) for name, body in bad.items()}

    assert {name: answer.status for name, answer in answers.items()} == dict.fromkeys(bad, 422)
    (fault,) = answers["a parameter that is none"].json["errors"]
    assert fault["loc"] == ["body", "providers", 0, "models", 0, "parameters", "base_url"]
    assert answers["a private address"].json["errors"][0]["loc"] == ["body", "providers", 0, "base_url"]
    assert "The name m is given twice" in answers["a name twice"].json["errors"][0]["msg"]
    assert admin.post(f"{PATH}/staged", {"builtin": "nothing"}).status == 404
    assert admin.post(f"{PATH}/activations", {"manifest_id": str(uuid4())}).status == 404
    assert [api.get(f"{PATH}/history").status, api.get(f"{PATH}/builtins").status] == [403, 403]


@pytest.mark.requirement("llm:manifests")
def test_an_activation_happens_whole_or_not_at_all(admin: Api, tenant: Any) -> None:
    admin.post(f"{PROVIDERS}/register", {"name": "b", "type": "demo"})

    refused = activated(admin, document(served("a", "one"), served("b", "two")))

    assert (refused.status, refused.json["code"]) == (409, "provider_type_differs")
    assert names(admin, str(tenant.id)) == ({"b"}, set())


@pytest.mark.requirement("llm:builtins")
def test_builtins_can_be_listed_and_those_for_this_machine_activated(admin: Api, api: Api) -> None:
    builtins = {item["name"]: item for item in admin.get(f"{PATH}/builtins").json["items"]}

    demo = activated(admin, {"builtin": "demo"})
    ollama = activated(admin, {"builtin": "ollama-local"})
    answer = api.post("/v1/models/instances/" + instance_id(api, "demo") + "/tests", {"prompt": "Hello"})
    template = admin.post(f"{PATH}/staged", {"builtin": "azure-template"})

    assert set(builtins) >= {"demo", "ollama-local", "openai", "azure-template"}
    assert [builtins[name]["is_template"] for name in ("demo", "azure-template")] == [False, True]
    assert (demo.json["created"], ollama.status) == (["demo", "demo"], 200)
    models = ollama.json["document"]["providers"][0]["models"]
    assert {model["model_id"] for model in models} >= {"phi3:mini", "mistral", "llama3.2", "qwen2.5", "gemma2"}
    assert (answer.status, answer.json["provider"]) == (200, "demo")
    assert template.status == 422  # its host is a placeholder


def instance_id(caller: Api, name: str) -> str:
    """The tenant's own of that name."""
    items = caller.get("/v1/models/instances?tenant_id=default").json["items"]
    return next(str(item["id"]) for item in items if item["instance_name"] == name)


@pytest.mark.requirement("llm:registry-scopes")
def test_manifests_of_the_platform_are_its_administrators_to_activate(admin: Api, platform_admin: Api) -> None:
    mark = uuid4().hex[:8]
    body = {
        **document(
            {"name": f"p-{mark}", "type": "demo", "models": [{"instance_name": f"m-{mark}", "model_id": "demo"}]}
        )
    }

    refused = admin.post(f"{PATH}/staged", {**body, "scope": "global"})
    staged = platform_admin.post(f"{PATH}/staged", {**body, "scope": "global"})
    not_theirs = admin.post(f"{PATH}/activations", {"manifest_id": staged.json["id"]})
    active = platform_admin.post(f"{PATH}/activations", {"manifest_id": staged.json["id"]})
    seen = admin.get("/v1/models/instances?tenant_id=global&page_size=1000").json["items"]
    theirs, ours = (
        {item["id"]: item["document"] for item in caller.get(f"{PATH}/history").json["items"]}[staged.json["id"]]
        for caller in (platform_admin, admin)
    )
    no_rollback = admin.post(f"{PATH}/rollbacks", {"scope": "global"})
    back = platform_admin.post(f"{PATH}/rollbacks", {"scope": "global"})

    assert (refused.status, staged.json["scope"], not_theirs.status) == (403, "global", 403)
    assert (active.status, active.json["state"]) == (200, "active")
    assert f"m-{mark}" in {item["instance_name"] for item in seen}
    assert (theirs["providers"][0]["name"], ours) == (f"p-{mark}", {}), (
        "where the platform's providers are stays untold"
    )
    assert (no_rollback.status, back.status, back.json["removed"]) == (403, 200, [f"m-{mark}", f"p-{mark}"])
