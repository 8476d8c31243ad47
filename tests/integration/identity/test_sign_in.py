"""The built-in issuer from discovery to revocation, as a command-line client and a browser go through it."""

import base64
import hashlib
import re
import secrets
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from django.conf import settings
from django.test import Client
from oauth2_provider.models import get_access_token_model, get_refresh_token_model

from apps.identity import oauth, services
from apps.identity.issuer import keyring, own_issuer
from apps.identity.models import User
from apps.tenancy.models import Tenant
from apps.tenancy.services import set_tenant_status
from tests.integration.identity.conftest import PASSWORD, bearer

ME = "/v1/auth/me"
CALLBACK = "http://127.0.0.1:8976/callback"
SECRET = "a-secret-of-a-confidential-client"


class Cli:
    """A public client with a browser: signs in, consents, and holds the tokens."""

    def __init__(self, client_id: str, user: User) -> None:
        self.client_id, self.user = client_id, user
        self.browser = Client(enforce_csrf_checks=True, SERVER_NAME="127.0.0.1")
        self.verifier = secrets.token_urlsafe(48)

    def authorize_query(self, **changes: str) -> dict[str, str]:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "scope": "openid profile user:me read write admin:all",
            "state": "s-1",
            "nonce": "n-1",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **changes,
        }
        return {name: value for name, value in query.items() if value}

    def submit(self, response: Any, **values: str) -> Any:
        """Fill in the one form of a page."""
        html = response.content.decode()
        hidden = re.findall(r'<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?', html)
        fields = {name: unescape(value) for name, value in hidden}
        return self.browser.post(response.request["PATH_INFO"], {**fields, **values})

    def sign_in(self, next_url: str) -> Any:
        page = self.browser.get(next_url)
        assert page.status_code == 302 and page["Location"].startswith("/oidc/login?next=")
        form = self.browser.get(page["Location"])
        assert form["Content-Security-Policy"].startswith("default-src 'none'")
        return self.submit(form, username=self.user.username, password=PASSWORD)

    def code(self) -> str:
        """Through login and consent to the authorization code."""
        start = self.browser.get("/oidc/authorize", self.authorize_query())
        done = self.sign_in(start.request["PATH_INFO"] + "?" + start.request["QUERY_STRING"])
        assert done.status_code == 302
        consent = self.browser.get(done["Location"])
        assert consent.status_code == 200 and b"Allow" in consent.content
        answer = parse_qs(urlsplit(self.submit(consent, allow="Allow")["Location"]).query)
        assert answer["state"] == ["s-1"] and answer["iss"] == [own_issuer()]
        return answer["code"][0]

    def exchange(self, code: str, **changes: str) -> Any:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "client_id": self.client_id,
            "code_verifier": self.verifier,
            **changes,
        }
        return self.browser.post("/oidc/token", {name: value for name, value in form.items() if value})

    def tokens(self) -> dict[str, Any]:
        response = self.exchange(self.code())
        assert response.status_code == 200, response.content
        return dict(response.json())

    def refresh(self, refresh_token: str) -> Any:
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": self.client_id}
        return self.browser.post("/oidc/token", form)


@pytest.fixture
def make_cli(make_user: Callable[[str], User]) -> Callable[..., Cli]:
    def make(role: str = "user") -> Cli:
        client_id = f"cli-{secrets.token_hex(4)}"
        services.ensure_application(client_id=client_id, name="Test CLI", redirect_uris=[CALLBACK], secret=None)
        return Cli(client_id, make_user(role))

    return make


@pytest.fixture
def cli(make_cli: Callable[..., Cli]) -> Cli:
    return make_cli()


@pytest.fixture
def confidential() -> dict[str, str]:
    """Headers by which a confidential client authenticates."""
    client_id = f"svc-{secrets.token_hex(4)}"
    services.ensure_application(client_id=client_id, name="Service", redirect_uris=[CALLBACK], secret=SECRET)
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{SECRET}".encode()).decode()}


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
def test_nobody_gets_a_scope_beyond_the_role(make_cli: Callable[..., Cli]) -> None:
    viewer, admin = make_cli("viewer").tokens(), make_cli("admin").tokens()

    assert viewer["scope"].split() == ["openid", "profile", "user:me", "read"]
    assert "admin:all" in admin["scope"].split()


@pytest.mark.requirement("identity:scopes-by-role")
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
def test_a_revoked_access_token_is_refused_within_five_seconds(cli: Cli, eventually: Callable[..., None]) -> None:
    token = cli.tokens()["access_token"]
    assert cli.browser.get(ME, headers=bearer(token)).status_code == 200

    assert cli.browser.post("/oidc/revoke", {"token": token, "client_id": cli.client_id}).status_code == 200

    eventually(lambda: cli.browser.get(ME, headers=bearer(token)).status_code == 401, within_s=5)


@pytest.mark.requirement("identity:revocation")
def test_revoking_the_refresh_token_takes_the_access_token_with_it(cli: Cli, eventually: Callable[..., None]) -> None:
    tokens = cli.tokens()

    cli.browser.post("/oidc/revoke", {"token": tokens["refresh_token"], "client_id": cli.client_id})

    assert cli.refresh(tokens["refresh_token"]).status_code == 400
    eventually(lambda: cli.browser.get(ME, headers=bearer(tokens["access_token"])).status_code == 401, within_s=5)


@pytest.mark.requirement("identity:revocation")
def test_a_disabled_person_is_refused_within_five_seconds(cli: Cli, eventually: Callable[..., None]) -> None:
    token = cli.tokens()["access_token"]
    assert cli.browser.get(ME, headers=bearer(token)).status_code == 200

    services.set_user_active(cli.user.id, is_active=False)

    eventually(lambda: cli.browser.get(ME, headers=bearer(token)).status_code == 401, within_s=5)


@pytest.mark.requirement("identity:revocation")
def test_signing_out_takes_back_every_token(cli: Cli, eventually: Callable[..., None]) -> None:
    tokens = cli.tokens()

    cli.submit(cli.browser.get("/oidc/account"))
    out = cli.browser.post("/oidc/logout", headers={"X-CSRFToken": cli.browser.cookies["cineca_csrf"].value})

    assert out.status_code == 200
    assert cli.refresh(tokens["refresh_token"]).status_code == 400
    eventually(lambda: cli.browser.get(ME, headers=bearer(tokens["access_token"])).status_code == 401, within_s=5)


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


@pytest.mark.requirement("identity:stored-tokens")
def test_tokens_are_stored_as_hashes_only(cli: Cli) -> None:
    tokens = cli.tokens()

    access = get_access_token_model().objects.get(user=cli.user)
    refresh = get_refresh_token_model().objects.get(user=cli.user)

    assert access.token == "" and refresh.token == ""
    assert access.token_checksum == hashlib.sha256(tokens["access_token"].encode()).hexdigest()


@pytest.mark.requirement("identity:sign-in")
def test_an_account_without_a_tenant_gets_no_token(cli: Cli) -> None:
    User.objects.filter(id=cli.user.id).update(tenant_id=None)
    cli.user.refresh_from_db()

    assert not oauth.may_sign_in(cli.user)
