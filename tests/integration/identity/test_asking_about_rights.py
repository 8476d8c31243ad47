"""/v1/auth/permissions and /v1/auth/introspect: what a caller learns about its rights and about tokens."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.test import Client

from apps.identity import rbac
from apps.identity.issuer import sign_access_token
from apps.identity.rbac import MATRIX
from apps.tenancy.models import Tenant
from apps.tenancy.selectors import tenant_by_slug
from apps.tenancy.services import create_tenant
from tests.factories import make_tenant, make_token
from tests.integration.identity.conftest import bearer
from tests.unit.identity.forge import ATTACKS, Forge

PERMISSIONS = "/v1/auth/permissions"
INTROSPECT = "/v1/auth/introspect"


def ask(client: Client, about: str, by: str) -> Any:
    response = client.post(INTROSPECT, {"token": about}, "application/json", headers=bearer(by))
    assert response.status_code == 200, response.content
    return response.json()


@pytest.fixture
def platform_tenant() -> Tenant:
    slug = settings.PLATFORM_TENANT
    return tenant_by_slug(slug) or create_tenant(slug, f"Tenant {slug}")


@pytest.mark.requirement("roles:reasons")
@pytest.mark.parametrize("role", ["admin", "operator", "viewer"])
def test_every_permission_is_listed_with_the_answer_and_the_reason(
    client: Client, token_for: Callable[..., str], role: str
) -> None:
    body = client.get(PERMISSIONS, headers=bearer(token_for(role))).json()

    assert {item["permission"] for item in body["items"] if item["allowed"]} == MATRIX[role]
    assert [item["permission"] for item in body["items"]] == list(rbac.PERMISSIONS)
    assert all(item["reason"].endswith(".") and item["required_scope"] for item in body["items"])
    assert body["roles"] == [role]


@pytest.mark.requirement("roles:reasons")
def test_one_permission_can_be_asked_for(client: Client, token_for: Callable[..., str]) -> None:
    token = token_for("viewer")

    body = client.get(PERMISSIONS, {"permission": "jobs:create"}, headers=bearer(token)).json()

    assert [(item["permission"], item["allowed"]) for item in body["items"]] == [("jobs:create", False)]
    assert client.get(PERMISSIONS, {"permission": "jobs:fly"}, headers=bearer(token)).status_code == 400
    assert client.get(PERMISSIONS, {"tenant": "x"}, headers=bearer(token)).json()["code"] == "unknown_parameter"


@pytest.mark.requirement("roles:introspect")
def test_a_caller_may_ask_about_its_own_token(client: Client, tenant: Tenant, token_for: Callable[..., str]) -> None:
    token = token_for("viewer")

    about = ask(client, token, by=token)

    assert (about["active"], about["token_type"], about["sub"]) == (True, "Bearer", "ada")
    assert (about["tenant_id"], about["roles"], about["client_id"]) == (str(tenant.id), ["viewer"], "test")
    assert about["scope"].split() == ["read", "user:me"]
    assert about["exp"] > about["iat"]


@pytest.mark.requirement("roles:introspect")
def test_a_form_does_as_well_as_json(client: Client, token_for: Callable[..., str]) -> None:
    token = token_for()
    form = urlencode({"token": token, "token_type_hint": "access_token"})

    response = client.post(INTROSPECT, form, "application/x-www-form-urlencoded", headers=bearer(token))
    twice = client.post(INTROSPECT, f"{form}&token=x", "application/x-www-form-urlencoded", headers=bearer(token))

    assert response.json()["active"] is True
    assert response["Cache-Control"] == "no-store"
    assert twice.status_code == 400


@pytest.mark.requirement("roles:introspect")
def test_about_the_token_of_another_only_those_may_ask_who_have_the_scope(
    client: Client, tenant: Tenant, token_for: Callable[..., str]
) -> None:
    theirs = token_for("user", sub="somebody else")
    with_scope = sign_access_token(
        sub="svc", tenant_id=tenant.id, roles=["viewer"], scopes=["introspection"], client_id="t", ttl_s=60
    )

    assert ask(client, theirs, by=token_for("user")) == {"active": False}
    assert ask(client, theirs, by=token_for("operator")) == {"active": False}
    assert ask(client, theirs, by=token_for("admin"))["active"] is True
    assert ask(client, theirs, by=with_scope)["sub"] == "somebody else"


@pytest.mark.requirement("roles:introspect")
def test_about_another_tenants_tokens_only_the_platforms_administrator_may_ask(
    client: Client, token_for: Callable[..., str], platform_tenant: Tenant
) -> None:
    theirs = make_token(make_tenant())

    assert ask(client, theirs, by=token_for("admin")) == {"active": False}
    assert ask(client, theirs, by=make_token(platform_tenant, "user")) == {"active": False}
    assert ask(client, theirs, by=make_token(platform_tenant, "admin"))["active"] is True


@pytest.mark.requirement("roles:introspect")
def test_a_token_that_opens_nothing_is_not_active_and_nothing_more(
    client: Client, forge: Forge, token_for: Callable[..., str]
) -> None:
    admin = token_for("admin")

    for attack in ("2 HS256 with the public PEM as secret", "3 one bit flipped", "expired", "8 iss case", "a word"):
        assert ask(client, ATTACKS[attack](forge), by=admin) == {"active": False}, attack


@pytest.mark.requirement("roles:introspect")
@pytest.mark.parametrize("body", [{}, {"token": ""}, {"token": 7}, {"token": "x", "more": 1}, {"token": "x" * 20_000}])
def test_a_body_that_names_no_token_is_a_422(
    client: Client, token_for: Callable[..., str], body: dict[str, object]
) -> None:
    response = client.post(INTROSPECT, body, "application/json", headers=bearer(token_for()))

    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"][0] == "body"


@pytest.mark.requirement("identity:me")
def test_an_administrator_of_the_platforms_tenant_is_told_so(client: Client, platform_tenant: Tenant) -> None:
    admin = client.get("/v1/auth/me", headers=bearer(make_token(platform_tenant, "admin"))).json()
    user = client.get("/v1/auth/me", headers=bearer(make_token(platform_tenant, "user"))).json()

    assert (admin["platform_admin"], admin["role"]) == (True, "admin")
    assert (user["platform_admin"], user["role"]) == (False, "user")
