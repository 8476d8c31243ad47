"""/v1/tenants: onboarding in one call, lists, optimistic locking, and who may change what."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from apps.audit.models import AuditLog
from apps.identity.models import User
from apps.tenancy.models import Tenant
from apps.tenancy.selectors import tenant_by_slug
from kernel import engine_db
from tests.clients import Api
from tests.factories import make_tenant, make_token, platform_tenant


def body(**more: Any) -> dict[str, Any]:
    mark = uuid4().hex[:10]
    return {"name": f"Laboratory {mark}", "slug": f"lab-{mark}", **more}


def change(api: Api, tenant: Tenant, wanted: Any) -> Any:
    """PATCH of the present version."""
    read = api.get(f"/v1/tenants/{tenant.id}")
    return api.patch(f"/v1/tenants/{tenant.id}", wanted, If_Match=read.headers.get("etag", "*"))


@pytest.mark.requirement("tenants:onboarding")
@pytest.mark.parametrize("path", ["/v1/tenants", "/v1/admin/tenants"])
def test_one_call_makes_all_a_tenant_needs(platform_admin: Api, path: str) -> None:
    email = f"ada-{uuid4().hex[:8]}@lab.example"
    wanted = body(metadata={"centre": "Bologna"}, settings={"quotas": {"concurrent_jobs": 7}, "features": {"x": True}})

    answer = platform_admin.post(path, {**wanted, "admin": {"email": email}})

    made = answer.json
    assert answer.status == 201
    assert answer.headers["location"].endswith(f"/v1/tenants/{made['id']}")
    assert (made["slug"], made["status"], made["version"]) == (wanted["slug"], "active", 1)
    assert made["settings"]["quotas"]["concurrent_jobs"] == 7
    assert made["settings"]["pii_mode"] == "mask"
    user = User.objects.get(id=made["admin"]["id"])
    assert (user.tenant_id, user.roles) == (Tenant.objects.using(engine_db.ALIAS).get(id=made["id"]).id, ["admin"])
    assert user.check_password(made["admin"]["initial_password"])
    assert "initial_password" not in str(platform_admin.get(f"/v1/tenants/{made['id']}").json)


@pytest.mark.requirement("tenants:onboarding")
def test_onboarding_is_all_or_nothing(platform_admin: Api) -> None:
    first = body(admin={"email": f"ada-{uuid4().hex[:8]}@lab.example"})
    assert platform_admin.post("/v1/tenants", first).status == 201
    same_account, same_slug = body(admin=first["admin"]), {**first, "name": "Another", "admin": None}

    refused = platform_admin.post("/v1/tenants", same_account), platform_admin.post("/v1/tenants", same_slug)

    assert [(answer.status, answer.json["code"]) for answer in refused] == [
        (409, "account_exists"),
        (409, "tenant_exists"),
    ]
    assert tenant_by_slug(same_account["slug"]) is None


@pytest.mark.requirement("tenants:validation")
@pytest.mark.parametrize(
    ("wanted", "loc"),
    [
        ({"slug": "A b"}, ["body", "slug"]),
        ({"name": ""}, ["body", "name"]),
        ({"name": "a\u0000b"}, ["body", "name"]),
        ({"unknown": 1}, ["body", "unknown"]),
        ({"status": "active"}, ["body", "status"]),
        ({"admin_email": "nobody"}, ["body", "admin_email"]),
        ({"settings": {"quotas": {"tokens_per_day": -1}}}, ["body", "settings", "quotas", "tokens_per_day"]),
        ({"settings": {"quotas": {"tokens_per_day": "5"}}}, ["body", "settings", "quotas", "tokens_per_day"]),
        ({"settings": {"pii_mode": "never"}}, ["body", "settings", "pii_mode"]),
        ({"settings": {"rate_limits": {"users": {"ada": 0}}}}, ["body", "settings", "rate_limits", "users", "ada"]),
        ({"settings": {"colour": "red"}}, ["body", "settings", "colour"]),
    ],
)
def test_a_wrong_field_is_refused_by_its_path(platform_admin: Api, wanted: dict[str, Any], loc: list[str]) -> None:
    answer = platform_admin.post("/v1/tenants", body(**wanted))

    assert answer.status == 422
    assert answer.json["errors"][0]["loc"] == loc


@pytest.mark.requirement("tenants:list")
def test_administrators_of_the_platform_see_all_tenants_by_pages_and_filters(platform_admin: Api) -> None:
    mark = uuid4().hex[:8]
    made = [platform_admin.post("/v1/tenants", {"name": f"Page {mark} {n}"}).json for n in range(5)]
    platform_admin.post(f"/v1/tenants/{made[0]['id']}/suspend")

    first = platform_admin.get(f"/v1/tenants?q=page+{mark}&limit=3").json
    second = platform_admin.get(f"/v1/tenants?q=page+{mark}&limit=3&page_token={first['next_page_token']}").json
    suspended = platform_admin.get(f"/v1/tenants?q=page+{mark}&status=suspended").json

    assert (first["total"], first["has_more"], second["has_more"]) == (5, True, False)
    assert [item["id"] for item in first["items"] + second["items"]] == [item["id"] for item in reversed(made)]
    assert [item["id"] for item in suspended["items"]] == [made[0]["id"]]


@pytest.mark.requirement("tenants:list")
@pytest.mark.parametrize("role", ["admin", "operator"])
def test_everybody_else_sees_the_own_tenant_only(api_url: str, tenant: Tenant, role: str) -> None:
    api = Api(api_url, make_token(tenant, role=role))

    listed = api.get("/v1/tenants").json

    assert [item["id"] for item in listed["items"]] == [str(tenant.id)]
    assert listed["total"] == 1
    assert api.get(f"/v1/tenants/{tenant.id}").status == 200
    assert api.get("/v1/tenants?q=zzz").json["items"] == []


@pytest.mark.requirement("tenants:rights")
@pytest.mark.parametrize("role", ["user", "viewer", "auditor"])
def test_other_roles_see_no_tenant(api_url: str, tenant: Tenant, role: str) -> None:
    api = Api(api_url, make_token(tenant, role=role))

    assert {api.get("/v1/tenants").status, api.get(f"/v1/tenants/{tenant.id}").status} == {403}


@pytest.mark.requirement("tenants:locking")
def test_a_tenant_has_an_etag_and_changes_only_as_the_version_meant(platform_admin: Api, tenant: Tenant) -> None:
    path = f"/v1/tenants/{tenant.id}"
    read = platform_admin.get(path)
    etag = read.headers["etag"]
    assert platform_admin.get(path, If_None_Match=etag).status == 304

    without = platform_admin.patch(path, {"name": "x"})
    changed = platform_admin.patch(path, {"metadata": {"a": {"b": 1}, "c": 2}}, If_Match=etag)
    stale = platform_admin.patch(path, {"name": "x"}, If_Match=etag)

    assert (without.status, without.json["code"]) == (428, "precondition_required")
    assert (changed.status, changed.json["version"]) == (200, 2)
    assert changed.headers["etag"].strip('"') == changed.json["etag"] != etag.strip('"')
    assert (stale.status, stale.json["code"]) == (412, "precondition_failed")


@pytest.mark.requirement("tenants:locking")
def test_of_two_changes_to_one_version_one_wins(platform_admin: Api, tenant: Tenant) -> None:
    path = f"/v1/tenants/{tenant.id}"
    etag = platform_admin.get(path).headers["etag"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: platform_admin.patch(path, {"metadata": {"n": n}}, If_Match=etag), range(8)))

    assert sorted(answer.status for answer in answers) == [200] + [412] * 7


@pytest.mark.requirement("tenants:merge")
def test_changes_are_merged_and_null_removes(platform_admin: Api, tenant: Tenant) -> None:
    change(platform_admin, tenant, {"metadata": {"a": {"b": 1, "c": 2}}, "settings": {"features": {"x": True}}})
    change(platform_admin, tenant, {"settings": {"rate_limits": {"users": {"ada": 5, "bob": 6}}}})

    changed = change(
        platform_admin,
        tenant,
        {
            "metadata": {"a": {"b": None, "d": 3}},
            "settings": {"features": {"y": False}, "rate_limits": {"users": {"bob": None}}},
        },
    )

    assert changed.json["metadata"] == {"a": {"c": 2, "d": 3}}
    assert changed.json["settings"]["features"] == {"x": True, "y": False}
    assert changed.json["settings"]["rate_limits"]["users"] == {"ada": 5}


@pytest.mark.requirement("tenants:rights")
def test_an_administrator_configures_the_own_tenant(admin: Api, tenant: Tenant) -> None:
    wanted = {
        "name": f"New name {uuid4().hex[:8]}",
        "admin_email": "ada@lab.example",
        "metadata": {"room": 4},
        "settings": {
            "features": {"beta": True},
            "default_model": "llama3:8b",
            "pii_mode": "hash",
            "rate_limits": {"users": {"ada": 100}, "user_per_minute": 200},
        },
    }

    answer = change(admin, tenant, wanted)

    assert answer.status == 200
    assert answer.json["settings"]["pii_mode"] == "hash"


@pytest.mark.requirement("tenants:rights")
@pytest.mark.requirement("security:46")
@pytest.mark.parametrize(
    "wanted",
    [
        {"quotas": {"concurrent_jobs": 10**6}},
        {"quotas": None},
        {"rate_limits": {"tenant_per_minute": 10**6}},
        {"rate_limits": {"tenant_per_minute": None}},
        {"rate_limits": None},
        {"rate_limits": {"users": {"me": 10**8}}},
        {"rate_limits": {"user_per_minute": 10**8}},
    ],
)
def test_nobody_raises_what_the_platform_has_set(admin: Api, tenant: Tenant, wanted: dict[str, Any]) -> None:
    answer = change(admin, tenant, {"settings": wanted})

    assert (answer.status, answer.json["code"]) == (403, "platform_admin_required")
    assert admin.get(f"/v1/tenants/{tenant.id}").json["version"] == 1


@pytest.mark.requirement("tenants:rights")
def test_making_suspending_and_deleting_are_for_the_platform(admin: Api, tenant: Tenant) -> None:
    refused = [
        admin.post("/v1/tenants", body()),
        admin.post(f"/v1/tenants/{tenant.id}/suspend"),
        admin.post(f"/v1/tenants/{tenant.id}/resume"),
        admin.get(f"/v1/tenants/{tenant.id}/deletion-preview"),
        admin.delete(f"/v1/tenants/{tenant.id}"),
        admin.get(f"/v1/tenants/exports/x-{'0' * 32}.zip"),
    ]

    assert [(answer.status, answer.json["code"]) for answer in refused] == [(403, "platform_admin_required")] * 6


@pytest.mark.requirement("tenants:audit")
def test_every_change_is_on_record_with_what_changed(platform_admin: Api) -> None:
    made = platform_admin.post("/v1/tenants", body()).json
    tenant = Tenant.objects.using(engine_db.ALIAS).get(id=made["id"])
    change(platform_admin, tenant, {"settings": {"pii_mode": "off"}})
    platform_admin.post(f"/v1/tenants/{tenant.id}/suspend")
    platform_admin.post(f"/v1/tenants/{tenant.id}/resume")

    rows = list(AuditLog.objects.using(engine_db.ALIAS).filter(tenant_id=tenant.id).order_by("seq"))

    assert [row.action for row in rows] == ["tenant.created", "tenant.updated", "tenant.suspended", "tenant.active"]
    assert rows[1].details["changes"] == {"settings.pii_mode": ["mask", "off"]}
    assert {row.actor_tenant_id for row in rows} == {platform_tenant().id}
    assert all(row.request_id for row in rows)


@pytest.mark.requirement("tenants:platform-tenant")
def test_the_platforms_own_tenant_cannot_be_shut(platform_admin: Api) -> None:
    own = platform_tenant()

    suspended = platform_admin.post(f"/v1/tenants/{own.id}/suspend")
    deleted = platform_admin.get(f"/v1/tenants/{own.id}/deletion-preview")

    assert {(answer.status, answer.json["code"]) for answer in (suspended, deleted)} == {(409, "platform_tenant")}


@pytest.mark.requirement("tenants:list")
@pytest.mark.requirement("security:26")
def test_bad_parameters_are_refused(platform_admin: Api) -> None:
    other = make_tenant()

    asked = ["tenant=x", "status=dead", "limit=1000", "page_token=x", "q=%00", "ordering=slug", "q=" + "x" * 101]

    assert [platform_admin.get(f"/v1/tenants?{query}").status for query in asked] == [400] * len(asked)
    assert platform_admin.get("/v1/tenants/nonsense").status == 400
    assert platform_admin.get(f"/v1/tenants/{uuid4()}").status == 404
    assert platform_admin.get(f"/v1/tenants/{other.id}?x=1").status == 400
