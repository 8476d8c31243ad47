"""The built-in issuer from discovery to the first call, as a command-line client and a browser go through it."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from django.conf import settings
from django.test import Client

from apps.identity import oauth
from apps.identity.issuer import keyring, own_issuer
from apps.identity.models import User
from apps.tenancy.models import Tenant
from tests.integration.identity.cli import CALLBACK, PASSWORD, Cli
from tests.integration.identity.conftest import bearer

ME = "/v1/auth/me"


@pytest.mark.requirement("identity:discovery")
def test_discovery_names_the_issuer_and_what_it_really_does(client: Client) -> None:
    document = client.get("/oidc/.well-known/openid-configuration").json()

    assert document["issuer"] == settings.PUBLIC_URL + "/oidc"
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["id_token_signing_alg_values_supported"] == ["RS256"]
    for name, url in document.items():
        if name.endswith(("_endpoint", "_uri")):
            assert client.get(urlsplit(url).path).status_code != 404, name


@pytest.mark.requirement("identity:discovery")
def test_the_key_set_publishes_public_halves_only(client: Client) -> None:
    jwks = client.get("/oidc/.well-known/jwks.json").json()

    assert jwks["keys"][0]["kid"] == keyring().signing_key().kid
    assert all(set(key) == {"kty", "use", "alg", "kid", "n", "e"} for key in jwks["keys"])


@pytest.mark.requirement("identity:sign-in")
def test_a_person_signs_in_and_calls_the_api(cli: Cli, tenant: Tenant) -> None:
    tokens = cli.tokens()

    me = cli.browser.get(ME, headers=bearer(tokens["access_token"])).json()

    assert me["sub"] == str(cli.user.id)
    assert me["username"] == cli.user.username
    assert me["tenant_id"] == str(tenant.id)
    assert me["roles"] == ["user"]
    assert tokens["token_type"] == "Bearer" and tokens["expires_in"] == 900


@pytest.mark.requirement("identity:access-token-claims")
def test_the_access_token_is_what_the_specification_says(cli: Cli, tenant: Tenant) -> None:
    token = cli.tokens()["access_token"]

    header = jwt.get_unverified_header(token)
    claims = jwt.decode(
        token,
        keyring().signing_key().private_key.public_key(),
        algorithms=["RS256"],
        audience=settings.OIDC_AUDIENCE,
        issuer=own_issuer(),
    )

    assert header == {"alg": "RS256", "typ": "at+jwt", "kid": keyring().signing_key().kid}
    assert claims["client_id"] == cli.client_id
    assert claims["tenant_id"] == str(tenant.id)
    assert claims["exp"] - claims["iat"] == 900 and claims["nbf"] == claims["iat"]
    assert claims["jti"]
    assert claims["scope"].split() == claims["scopes"]


@pytest.mark.requirement("identity:scopes-by-role")
@pytest.mark.requirement("security:46")
def test_nobody_gets_a_scope_beyond_the_role(make_cli: Callable[..., Cli]) -> None:
    viewer, admin = make_cli("viewer").tokens(), make_cli("admin").tokens()

    assert viewer["scope"].split() == ["openid", "profile", "user:me", "read"]
    assert "admin:all" in admin["scope"].split()


@pytest.mark.requirement("identity:scopes-by-role")
@pytest.mark.requirement("security:46")
def test_the_consent_form_cannot_be_edited_into_more(make_cli: Callable[..., Cli]) -> None:
    cli = make_cli("viewer")
    url = "/oidc/authorize"
    start = cli.browser.get(url, cli.authorize_query())
    consent = cli.browser.get(cli.sign_in(url + "?" + start.request["QUERY_STRING"])["Location"])

    answer = cli.submit(consent, allow="Allow", scope="openid read write admin:all")
    code = parse_qs(urlsplit(answer["Location"]).query)["code"][0]
    tokens = cli.exchange(code).json()

    assert tokens["scope"].split() == ["openid", "read"]
    assert cli.browser.get(ME, headers=bearer(tokens["access_token"])).json()["scopes"] == ["openid", "read"]


@pytest.mark.requirement("identity:token-type")
@pytest.mark.requirement("security:9")
def test_id_and_refresh_tokens_do_not_open_the_api(cli: Cli) -> None:
    tokens = cli.tokens()

    assert cli.browser.get(ME, headers=bearer(tokens["id_token"])).status_code == 401
    assert cli.browser.get(ME, headers=bearer(tokens["refresh_token"])).status_code == 401


@pytest.mark.requirement("identity:sign-in")
def test_the_id_token_is_for_the_client_and_repeats_its_nonce(cli: Cli) -> None:
    id_token = cli.tokens()["id_token"]

    claims = jwt.decode(
        id_token, keyring().signing_key().private_key.public_key(), algorithms=["RS256"], audience=cli.client_id
    )

    assert claims["iss"] == own_issuer()
    assert claims["nonce"] == "n-1"
    assert claims["sub"] == str(cli.user.id)
    assert claims["preferred_username"] == cli.user.username


@pytest.mark.requirement("identity:pkce")
@pytest.mark.parametrize(
    "changes",
    [{"code_challenge": "", "code_challenge_method": ""}, {"code_challenge_method": "plain"}],
    ids=["none", "plain"],
)
def test_authorization_without_s256_is_refused(cli: Cli, changes: dict[str, str]) -> None:
    cli.browser.force_login(cli.user)

    page = cli.browser.get("/oidc/authorize", cli.authorize_query(**changes))
    answer = page if page.status_code == 302 else cli.submit(page, allow="Allow")

    assert "code=" not in answer.get("Location", "")
    assert "error=" in answer["Location"]


@pytest.mark.requirement("identity:pkce")
@pytest.mark.parametrize("verifier", ["", "x" * 64])
def test_a_code_without_its_verifier_is_worthless(cli: Cli, verifier: str) -> None:
    assert cli.exchange(cli.code(), code_verifier=verifier).status_code == 400


@pytest.mark.requirement("identity:pkce")
def test_a_code_works_once(cli: Cli) -> None:
    code = cli.code()

    assert cli.exchange(code).status_code == 200
    assert cli.exchange(code).status_code == 400


@pytest.mark.requirement("identity:pkce")
@pytest.mark.parametrize(
    "uri", ["https://evil.example/", CALLBACK + "/x", "http://127.0.0.1.evil.example:8976/callback"]
)
def test_another_redirect_address_is_refused_without_a_redirect(cli: Cli, uri: str) -> None:
    cli.browser.force_login(cli.user)

    response = cli.browser.get("/oidc/authorize", cli.authorize_query(redirect_uri=uri))

    assert response.status_code == 400
    assert "Location" not in response


@pytest.mark.requirement("identity:sign-in")
def test_userinfo_speaks_of_the_person_until_the_token_is_revoked(cli: Cli, tenant: Tenant) -> None:
    token = cli.tokens()["access_token"]

    info = cli.browser.get("/oidc/userinfo", headers=bearer(token))
    cli.browser.post("/oidc/revoke", {"token": token, "client_id": cli.client_id})

    assert info.json()["sub"] == str(cli.user.id)
    assert info.json()["tenant_id"] == str(tenant.id)
    assert cli.browser.get("/oidc/userinfo", headers=bearer(token)).status_code == 401


@pytest.mark.requirement("identity:csrf")
def test_login_and_consent_need_their_csrf_token(cli: Cli) -> None:
    credentials = {"username": cli.user.username, "password": PASSWORD}

    assert cli.browser.post("/oidc/login", credentials).status_code == 403
    cli.browser.force_login(cli.user)
    assert cli.browser.post("/oidc/authorize", cli.authorize_query(allow="Allow")).status_code == 403
    assert cli.browser.post("/oidc/logout").status_code == 403


@pytest.mark.requirement("identity:csrf")
def test_after_login_nobody_is_sent_to_a_foreign_site(cli: Cli) -> None:
    browser = Client(SERVER_NAME="127.0.0.1")

    done = browser.post(
        "/oidc/login", {"username": cli.user.username, "password": PASSWORD, "next": "https://evil.example/"}
    )

    assert done["Location"] == "/oidc/account"


@pytest.mark.requirement("identity:sign-in")
def test_an_account_without_a_tenant_gets_no_token(cli: Cli) -> None:
    User.objects.filter(id=cli.user.id).update(tenant_id=None)
    cli.user.refresh_from_db()

    assert not oauth.may_sign_in(cli.user)
