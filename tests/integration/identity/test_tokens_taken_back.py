"""What becomes of tokens later: refreshed, revoked, asked about, forgotten."""

import hashlib
import secrets
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from oauth2_provider.models import get_access_token_model, get_refresh_token_model

from apps.identity import services
from apps.identity.models import RevokedToken
from apps.tenancy.models import Tenant
from apps.tenancy.services import set_tenant_status
from kernel.clock import now
from tests.integration.identity.cli import PASSWORD, Cli
from tests.integration.identity.conftest import bearer

ME = "/v1/auth/me"


@pytest.mark.requirement("identity:refresh")
def test_refreshing_rotates_both_tokens(cli: Cli) -> None:
    first = cli.tokens()

    second = cli.refresh(first["refresh_token"])

    assert second.status_code == 200
    assert second.json()["refresh_token"] != first["refresh_token"]
    assert cli.browser.get(ME, headers=bearer(second.json()["access_token"])).status_code == 200


@pytest.mark.requirement("identity:refresh")
def test_a_refresh_token_used_twice_ends_the_whole_family(cli: Cli) -> None:
    first = cli.tokens()
    second = cli.refresh(first["refresh_token"]).json()

    assert cli.refresh(first["refresh_token"]).status_code == 400
    assert cli.refresh(second["refresh_token"]).status_code == 400


@pytest.mark.requirement("identity:refresh")
def test_a_disabled_person_cannot_refresh_or_sign_in(cli: Cli) -> None:
    tokens = cli.tokens()

    services.set_user_active(cli.user.id, is_active=False)

    assert cli.refresh(tokens["refresh_token"]).status_code == 400
    stranger = Client(SERVER_NAME="127.0.0.1")
    login = stranger.post("/oidc/login", {"username": cli.user.username, "password": PASSWORD})
    assert login.status_code == 200 and b"wrong" in login.content
    assert "cineca_session" not in stranger.cookies


@pytest.mark.requirement("identity:refresh")
def test_people_of_a_suspended_tenant_cannot_refresh(cli: Cli, tenant: Tenant) -> None:
    tokens = cli.tokens()

    set_tenant_status(tenant.id, Tenant.Status.SUSPENDED)

    assert cli.refresh(tokens["refresh_token"]).status_code == 400


@pytest.mark.requirement("identity:revocation")
@pytest.mark.requirement("security:16")
def test_a_revoked_access_token_is_refused_within_five_seconds(cli: Cli, eventually: Callable[..., None]) -> None:
    token = cli.tokens()["access_token"]
    assert cli.browser.get(ME, headers=bearer(token)).status_code == 200

    assert cli.browser.post("/oidc/revoke", {"token": token, "client_id": cli.client_id}).status_code == 200

    eventually(lambda: cli.browser.get(ME, headers=bearer(token)).status_code == 401)


@pytest.mark.requirement("identity:revocation")
def test_revoking_the_refresh_token_takes_the_access_token_with_it(cli: Cli, eventually: Callable[..., None]) -> None:
    tokens = cli.tokens()

    cli.browser.post("/oidc/revoke", {"token": tokens["refresh_token"], "client_id": cli.client_id})

    assert cli.refresh(tokens["refresh_token"]).status_code == 400
    eventually(lambda: cli.browser.get(ME, headers=bearer(tokens["access_token"])).status_code == 401)


@pytest.mark.requirement("identity:revocation")
@pytest.mark.requirement("security:16")
def test_a_disabled_person_is_refused_within_five_seconds(cli: Cli, eventually: Callable[..., None]) -> None:
    token = cli.tokens()["access_token"]
    assert cli.browser.get(ME, headers=bearer(token)).status_code == 200

    services.set_user_active(cli.user.id, is_active=False)

    eventually(lambda: cli.browser.get(ME, headers=bearer(token)).status_code == 401)


@pytest.mark.requirement("identity:revocation")
@pytest.mark.requirement("security:16")
def test_signing_out_takes_back_every_token(cli: Cli, eventually: Callable[..., None]) -> None:
    tokens = cli.tokens()

    cli.submit(cli.browser.get("/oidc/account"))
    out = cli.browser.post("/oidc/logout", headers={"X-CSRFToken": cli.browser.cookies["cineca_csrf"].value})

    assert out.status_code == 200
    assert cli.refresh(tokens["refresh_token"]).status_code == 400
    eventually(lambda: cli.browser.get(ME, headers=bearer(tokens["access_token"])).status_code == 401)


@pytest.mark.requirement("identity:introspection")
def test_a_confidential_client_may_ask_about_a_token(cli: Cli, confidential: dict[str, str]) -> None:
    token = cli.tokens()["access_token"]

    answer = cli.browser.post("/oidc/introspect", {"token": token}, headers=confidential).json()

    assert answer["active"] is True
    assert answer["sub"] == str(cli.user.id)
    assert answer["client_id"] == cli.client_id


@pytest.mark.requirement("identity:introspection")
def test_introspection_knows_of_a_revocation_at_once(cli: Cli, confidential: dict[str, str]) -> None:
    token = cli.tokens()["access_token"]

    cli.browser.post("/oidc/revoke", {"token": token, "client_id": cli.client_id})

    answer = cli.browser.post("/oidc/introspect", {"token": token}, headers=confidential)
    assert answer.json() == {"active": False}


@pytest.mark.requirement("identity:introspection")
def test_others_may_not_ask_and_nobody_puts_a_token_into_the_url(cli: Cli, confidential: dict[str, str]) -> None:
    token = cli.tokens()["access_token"]

    anonymous = cli.browser.post("/oidc/introspect", {"token": token})
    public_client = cli.browser.post("/oidc/introspect", {"token": token, "client_id": cli.client_id})
    plain_user = cli.browser.post("/oidc/introspect", {"token": token}, headers=bearer(token))
    in_the_url = cli.browser.get("/oidc/introspect", {"token": token}, headers=confidential)

    assert anonymous.status_code in (401, 403)
    assert public_client.status_code in (401, 403)
    assert plain_user.status_code in (401, 403)
    assert in_the_url.status_code == 405


@pytest.mark.requirement("identity:stored-tokens")
def test_tokens_are_stored_as_hashes_only(cli: Cli) -> None:
    tokens = cli.tokens()

    access = get_access_token_model().objects.get(user=cli.user)
    refresh = get_refresh_token_model().objects.get(user=cli.user)

    assert access.token == "" and refresh.token == ""
    assert access.token_checksum == hashlib.sha256(tokens["access_token"].encode()).hexdigest()


@pytest.mark.requirement("identity:revocation")
def test_purging_keeps_what_still_matters(cli: Cli, client: Client) -> None:
    token = cli.tokens()["access_token"]
    cli.browser.post("/oidc/revoke", {"token": token, "client_id": cli.client_id})
    long_ago = now() - timedelta(days=1)
    RevokedToken.objects.create(token_checksum=secrets.token_hex(32), expires_at=long_ago)

    assert services.purge_expired_tokens() >= 1

    assert RevokedToken.objects.filter(token_checksum=hashlib.sha256(token.encode()).hexdigest()).exists()
    assert not RevokedToken.objects.filter(expires_at__lte=long_ago).exists()
