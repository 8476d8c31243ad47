"""/v1/admin/models/providers over the running API."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.audit.models import AuditLog
from apps.llm import keys
from apps.llm.models import Provider
from apps.tenancy.models import Tenant
from kernel import engine_db
from tests.clients import Api, free_port
from tests.factories import make_model, platform_tenant

PROVIDERS = "/v1/admin/models/providers"
KEY = "sk-proj-0123456789abcdefWXYZ"


def register(caller: Api, **fields: Any) -> Any:
    body = {"name": f"p-{uuid4().hex[:8]}", "type": "openai", "base_url": "http://127.0.0.1:9/v1", **fields}
    return caller.post(f"{PROVIDERS}/register", {name: value for name, value in body.items() if value is not None})


def held(made: Any, base_url: str) -> str:
    """The provider's key, as calls to this address would use it."""
    return keys.read_key(UUID(made.json["id"]), base_url)


@pytest.mark.requirement("llm:providers")
def test_a_provider_is_registered_read_changed_and_deleted(admin: Api, api: Api) -> None:
    made = register(admin, config={"timeout_s": 5, "max_retries": 0}, priority=7)
    path = f"{PROVIDERS}/{made.json['id']}"

    read = admin.get(path)
    listed = admin.get(PROVIDERS)
    unchanged = admin.get(path, If_None_Match=read.headers["etag"])
    changed = admin.patch(path, {"config": {"timeout_s": 9, "max_retries": None}}, If_Match=read.headers["etag"])
    late = admin.patch(path, {"priority": 1}, If_Match=read.headers["etag"])
    by_a_user = [api.get(PROVIDERS).status, api.get(path).status, api.delete(path).status]
    gone = admin.delete(path)

    assert made.status == 201
    assert made.headers["location"].endswith(path)
    assert (made.json["scope"], made.json["priority"], made.json["base_url"]) == ("tenant", 7, "http://127.0.0.1:9/v1")
    assert made.json["config"]["timeout_s"] == 5
    assert made.json["health"]["status"] == "unknown"
    assert read.json == made.json
    assert made.json["id"] in [item["id"] for item in listed.json["items"]]
    assert unchanged.status == 304
    assert (changed.status, changed.json["version"]) == (200, 2)
    assert (changed.json["config"]["timeout_s"], changed.json["config"]["max_retries"]) == (9, 2)
    assert late.status == 412
    assert by_a_user == [403, 403, 403]
    assert (gone.status, admin.get(path).status) == (204, 404)


@pytest.mark.requirement("llm:providers")
def test_what_a_provider_cannot_be_is_refused_with_its_fault(admin: Api) -> None:
    faults = {
        "no address": register(admin, base_url=None),
        "an address for demo": register(admin, type="demo"),
        "a key for demo": register(admin, type="demo", base_url=None, api_key=KEY),
        "a metadata address": register(admin, base_url="http://169.254.169.254/latest"),
        "another scheme": register(admin, base_url="file:///etc/passwd"),
        "an unknown type": register(admin, type="magic"),
        "an unknown setting": register(admin, config={"proxy": "http://x"}),
        "an unknown field": register(admin, headers={"X": "y"}),
        "a name too long": register(admin, name="x" * 101),
        "a timeout of nothing": register(admin, config={"timeout_s": 0}),
    }

    assert {name: answer.status for name, answer in faults.items()} == dict.fromkeys(faults, 422)
    assert "leads to a cloud's metadata service, not to a public address" in faults["a metadata address"].json["detail"]


@pytest.mark.requirement("llm:provider-keys-hidden")
def test_a_key_is_never_shown_and_its_last_characters_only_of_a_long_one(admin: Api, tenant: Tenant) -> None:
    long, short = register(admin, api_key=KEY), register(admin, api_key="sk-short")
    path = f"{PROVIDERS}/{long.json['id']}"

    told = [long, short, admin.get(path), admin.get(PROVIDERS), admin.patch(path, {"priority": 3})]
    told += [admin.post(f"{path}/test"), admin.request("PUT", f"{path}/default"), admin.get(f"{PROVIDERS}/main")]
    written = AuditLog.objects.using(engine_db.ALIAS).filter(tenant_id=tenant.id)

    assert (long.json["key_hint"], short.json["key_hint"]) == ("WXYZ", None)
    assert not [answer for answer in told if KEY.encode() in answer.body or b"sk-short" in answer.body]
    assert not [row for row in written if KEY in str(row.details) or "WXYZ" in str(row.details)]
    assert {row.details.get("key") for row in written if row.action == "provider.registered"} == {"set"}
    assert held(long, "http://127.0.0.1:9/v1") == KEY
    assert repr(Provider.objects.using(engine_db.ALIAS).get(id=long.json["id"])).find(KEY) == -1


@pytest.mark.requirement("llm:provider-keys-bound")
def test_a_key_goes_with_its_host_unless_a_new_one_comes_along(admin: Api) -> None:
    made = register(admin, api_key=KEY)
    path = f"{PROVIDERS}/{made.json['id']}"

    same_host = admin.patch(path, {"base_url": "http://127.0.0.1:9/v2"})
    kept = held(made, same_host.json["base_url"])
    moved = admin.patch(path, {"base_url": "http://127.0.0.2:9/v2"})
    after_move = held(made, moved.json["base_url"])
    back = admin.patch(path, {"base_url": "http://127.0.0.1:9/v1"})
    after_return = held(made, back.json["base_url"])
    with_key = admin.patch(path, {"base_url": "http://127.0.0.3:9", "api_key": "sk-another-key-4321"})
    taken = admin.patch(path, {"api_key": None})

    assert (same_host.json["key_cleared"], same_host.json["key_hint"], kept) == (False, "WXYZ", KEY)
    assert (moved.json["key_cleared"], moved.json["key_hint"], after_move) == (True, None, "")
    assert (back.json["key_cleared"], after_return) == (False, "")
    assert (with_key.json["key_cleared"], with_key.json["key_hint"]) == (False, "4321")
    assert (taken.json["key_cleared"], taken.json["key_hint"]) == (False, None)
    assert held(made, "http://127.0.0.3:9") == ""


@pytest.mark.requirement("llm:registry-scopes")
def test_platform_rows_are_the_platforms_administrators_to_write(admin: Api, platform_admin: Api) -> None:
    refused = register(admin, type="demo", base_url=None, scope="global")
    shared = register(platform_admin, api_key=KEY, tenant_id="global")
    path = f"{PROVIDERS}/{shared.json['id']}"
    own = register(platform_admin, type="demo", base_url=None)

    seen = admin.get(path)
    attempts = [
        admin.patch(path, {"base_url": "http://127.0.0.1:1"}),
        admin.delete(path),
        admin.request("PUT", f"{path}/default"),
        admin.post(f"{path}/test"),
        admin.post(
            "/v1/models/instances", {"provider_id": shared.json["id"], "instance_name": "mine", "model_id": "m"}
        ),
        register(admin, tenant_id=str(uuid4())),
    ]

    assert (refused.status, refused.json["code"]) == (403, "platform_admin_required")
    assert (shared.status, shared.json["scope"], shared.json["tenant_id"]) == (201, "global", None)
    assert own.json["tenant_id"] == str(platform_tenant().id)  # nothing said: never everybody's by accident
    assert (seen.status, seen.json["base_url"], seen.json["key_hint"], seen.json["config"]) == (200, "", None, {})
    assert [answer.status for answer in attempts] == [403] * 6
    assert [platform_admin.delete(f"{PROVIDERS}/{row.json['id']}").status for row in (shared, own)] == [204, 204]


@pytest.mark.requirement("llm:providers")
def test_a_provider_with_instances_is_not_deleted_and_they_are_named(admin: Api, tenant: Tenant) -> None:
    provider, instance = make_model(tenant.id)
    path = f"{PROVIDERS}/{provider.id}"

    refused = admin.delete(path)
    first = admin.delete(f"/v1/models/instances/{instance.id}")
    then = admin.delete(path)

    assert (refused.status, refused.json["code"]) == (409, "provider_in_use")
    assert refused.json["extensions"]["instances"] == [instance.instance_name]
    assert (first.status, then.status) == (200, 204)


@pytest.mark.requirement("llm:providers")
def test_one_provider_is_the_main_one(admin: Api) -> None:
    one, other = (register(admin, type="demo", base_url=None).json["id"] for _ in range(2))

    first = admin.request("PUT", f"{PROVIDERS}/{one}/default")
    second = admin.request("PUT", f"{PROVIDERS}/{other}/default")
    main = admin.get(f"{PROVIDERS}/main")
    admin.patch(f"{PROVIDERS}/{one}", {"enabled": False})
    disabled = admin.request("PUT", f"{PROVIDERS}/{one}/default")

    assert (first.status, first.json["is_main"], second.json["is_main"]) == (200, True, True)
    assert (main.json["provider_id"], main.json["type"]) == (other, "demo")
    assert admin.get(f"{PROVIDERS}/{one}").json["is_main"] is False
    assert (disabled.status, disabled.json["code"]) == (409, "provider_disabled")


@pytest.mark.requirement("llm:connection-test")
def test_a_connection_test_says_what_is_there_or_why_not(admin: Api) -> None:
    demo = register(admin, type="demo", base_url=None).json["id"]
    nobody = register(admin, base_url=f"http://127.0.0.1:{free_port()}/v1").json["id"]

    answers = admin.post(f"{PROVIDERS}/{demo}/test"), admin.post(f"{PROVIDERS}/{nobody}/test")

    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].json["ok"] is answers[0].json["reachable"] is True
    assert answers[0].json["models"]
    assert (answers[1].json["ok"], answers[1].json["reachable"], answers[1].json["kind"]) == (
        False,
        False,
        "connection",
    )
    assert answers[1].json["error"]


@pytest.mark.requirement("security:30")
def test_names_of_one_tenant_do_not_collide_with_anothers(admin: Api, stranger: Api, platform_admin: Api) -> None:
    name = f"shared-{uuid4().hex[:8]}"
    demo = {"name": name, "type": "demo", "base_url": None}

    providers = [register(caller, **demo) for caller in (admin, stranger)]
    shared = register(platform_admin, **demo, scope="global")
    instances = [
        caller.post("/v1/models/instances", {"provider_id": made.json["id"], "instance_name": name, "model_id": "demo"})
        for caller, made in zip((admin, stranger), providers, strict=True)
    ]
    again = register(admin, **demo)
    platform_admin.delete(f"{PROVIDERS}/{shared.json['id']}")

    assert [made.status for made in (*providers, shared, *instances)] == [201] * 5
    assert (again.status, again.json["code"]) == (409, "provider_exists")
