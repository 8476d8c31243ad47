"""The edge: which requests reach a view, and what the others hear."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from apps.identity import tokens
from apps.identity.rbac import PERMISSIONS
from apps.tenancy.models import Tenant
from tests.integration.identity.conftest import bearer
from tests.unit.identity.forge import ATTACKS, Forge

ME = "/v1/auth/me"
VARYING = {"request_id", "correlation_id", "trace_id"}


def shape(response: HttpResponse) -> dict[str, Any]:
    """The body without what differs from request to request."""
    body = json.loads(response.content)
    body["extensions"] = {name: "..." for name in body["extensions"] if name != "error_code"}
    return {name: value for name, value in body.items() if name not in VARYING}


@pytest.mark.requirement("identity:me")
def test_a_caller_learns_who_it_is(client: Client, tenant: Tenant, token_for: Callable[..., str]) -> None:
    response = client.get(ME, headers=bearer(token_for("viewer")))

    assert response.status_code == 200
    assert response.json() == {
        "sub": "ada",
        "username": None,
        "tenant_id": str(tenant.id),
        "role": "viewer",
        "roles": ["viewer"],
        "scopes": ["read", "user:me"],
        "permissions": [
            "agent-runs:read",
            "files:read",
            "jobs:read",
            "models:read",
            "sessions:read",
            "tools:read",
        ],
        "platform_admin": False,
    }
    assert response["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in response


@pytest.mark.requirement("identity:me")
def test_an_administrator_has_every_permission(client: Client, token_for: Callable[..., str]) -> None:
    me = client.get(ME, headers=bearer(token_for("admin"))).json()

    assert "admin:all" in me["scopes"]
    assert me["permissions"] == list(PERMISSIONS)
    assert me["platform_admin"] is False  # of its tenant, not of the platform


@pytest.mark.requirement("identity:401-malformed")
def test_every_forged_token_gets_the_same_401(client: Client, forge: Forge) -> None:
    expected = shape(client.get(ME))
    assert expected["status"] == 401 and expected["detail"] == "Invalid or missing token"

    different = {}
    for name, attack in ATTACKS.items():
        token = attack(forge)
        if not token.isascii() or not token.isprintable():
            continue  # cannot be put into a header at all
        response = client.get(ME, headers=bearer(token))
        if (response.status_code, shape(response)) != (401, expected):
            different[name] = (response.status_code, response.content)

    assert different == {}


@pytest.mark.requirement("identity:401-malformed")
@pytest.mark.requirement("security:13")
@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "{token}",
        "Basic {token}",
        "Token {token}",
        "Bearer  {token}",
        "Bearer {token} ",
        "Bearer {token}, Bearer {token}",
        "Bearer {token},Bearer x",
        "Bearer x, Bearer {token}",
        'Bearer "{token}"',
        "Bearer\t{token}",
    ],
)
def test_a_header_that_is_not_one_bearer_token_is_refused(
    client: Client, token_for: Callable[..., str], header: str
) -> None:
    response = client.get(ME, headers={"Authorization": header.format(token=token_for())})

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.requirement("identity:query-token")
@pytest.mark.requirement("security:13")
def test_a_token_in_the_query_string_is_refused_even_beside_a_good_header(
    client: Client, token_for: Callable[..., str]
) -> None:
    token = token_for()

    for name in ("access_token", "token"):
        assert client.get(ME, {name: token}).status_code == 401
        assert client.get(ME, {name: token}, headers=bearer(token)).status_code == 401


@pytest.mark.requirement("identity:no-cookies")
@pytest.mark.requirement("security:13")
def test_a_signed_in_browser_session_does_not_open_the_api(client: Client, make_user: Callable[..., Any]) -> None:
    client.force_login(make_user("admin"))

    assert client.get(ME).status_code == 401


@pytest.mark.requirement("identity:default-deny")
@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/healthy", "/v1/docsx", "/v1/auth", "/v1/health%2f..%2fauth/me"])
def test_what_is_not_public_asks_for_a_token_whether_it_exists_or_not(client: Client, path: str) -> None:
    assert client.get(path).status_code in (401, 404)
    if not path.startswith("/v1/health%"):
        assert client.get(path).status_code == 401


@pytest.mark.requirement("identity:default-deny")
@pytest.mark.requirement("security:43")
@pytest.mark.parametrize(
    "path", ["//v1/auth/me", "/v1//auth/me", "/V1/auth/me", "/v1/auth/me/", "/v1/./auth/me", "/v1/auth/me;x"]
)
def test_another_spelling_of_a_path_opens_nothing(client: Client, path: str) -> None:
    assert client.get(path).status_code in (401, 404)


@pytest.mark.requirement("identity:revocation")
def test_a_suspended_tenant_is_refused_within_five_seconds(
    client: Client, tenant: Tenant, token_for: Callable[..., str], eventually: Callable[..., None]
) -> None:
    from apps.tenancy.services import set_tenant_status

    token = token_for()
    assert client.get(ME, headers=bearer(token)).status_code == 200

    set_tenant_status(tenant.id, Tenant.Status.SUSPENDED)

    eventually(lambda: client.get(ME, headers=bearer(token)).status_code == 403)


@pytest.mark.requirement("identity:revocation")
def test_a_token_of_an_unknown_tenant_is_refused(client: Client, forge: Forge) -> None:
    stranger = forge.with_claims(tenant_id="00000000-0000-4000-8000-000000000000")

    assert client.get(ME, headers=bearer(stranger)).status_code == 401


@pytest.mark.requirement("identity:401-malformed")
def test_the_reason_of_a_refusal_is_logged_and_not_told(
    client: Client, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    import structlog

    monkeypatch.setattr("apps.edge.auth.log", structlog.get_logger("edge"))  # one that was used is not captured

    with structlog.testing.capture_logs() as lines:
        response = client.get(ME, headers=bearer(forge.with_claims(exp=1)))

    assert [line["reason"] for line in lines if line["event"] == "token_refused"] == ["expired"]
    assert b"expired" not in response.content


@pytest.mark.requirement("identity:fast")
def test_verification_asks_nobody_for_a_token_seen_before(
    token_for: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_for()
    principal = tokens.verify(token)

    monkeypatch.setattr(tokens, "decode", None)

    assert tokens.verify(token) == principal
