"""Sign-in to the administration pages with an external issuer: what its ID token must be, and what it then says."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client

import apps.identity.urls  # noqa: F401 - before a test names another issuer: they are read once a process
from apps.identity.models import User
from apps.tenancy.models import Tenant
from apps.tenancy.services import set_tenant_status
from tests.integration.backoffice.provider import Provider
from tests.unit.identity.forge import Forge

CLIENT_ID = "cineca-admin"
Changes = dict[str, Any]


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    provider = Provider()
    settings.OIDC_ISSUER = provider.issuer
    settings.ADMIN_CLIENT_SECRET = "shared-with-the-provider"
    yield provider
    provider.stop()


@pytest.fixture
def forge(provider: Provider, tenant: Tenant) -> Forge:
    forge = Forge(rsa.generate_private_key(public_exponent=65537, key_size=2048), "k1", provider.issuer, str(tenant.id))
    provider.keys = [forge.jwk()]
    return forge


@pytest.fixture
def browser() -> Client:
    return Client(enforce_csrf_checks=True, SERVER_NAME="127.0.0.1")


def leave(browser: Client) -> dict[str, str]:
    """Off to the provider: the parameters it gets."""
    away = browser.get("/admin/login/")
    assert away.status_code == 302
    return {name: values[0] for name, values in parse_qs(urlsplit(away["Location"]).query).items()}


def come_back(
    browser: Client, provider: Provider, forge: Forge, *, header: Any = None, sign: Any = None, **changes: Any
) -> Any:
    """Through the provider and back to the callback, with an ID token changed in this way."""
    sent = leave(browser)
    claims = forge.claims(aud=CLIENT_ID, nonce=sent["nonce"], roles=["admin"], scopes=..., **changes)
    token = (sign or forge).token(header=forge.header(typ="JWT", **(header or {})), payload=claims)
    provider.token_answer = {"access_token": "opaque", "id_token": token, "token_type": "Bearer"}
    return browser.get("/admin/oidc/callback", {"code": "c-1", "state": sent["state"]})


@pytest.mark.requirement("admin:external")
def test_a_person_of_the_external_issuer_comes_in_with_the_roles_and_tenant_of_its_token(
    browser: Client, provider: Provider, forge: Forge, tenant: Tenant
) -> None:
    back = come_back(browser, provider, forge, sub="auth0|ada", preferred_username="Ada")

    page = browser.get("/admin/")
    user = User.objects.get(username=f"{provider.issuer}|auth0|ada")
    assert (back.status_code, back["Location"]) == (302, "/admin/")
    assert page.status_code == 200 and "Ada" in page.content.decode()
    assert (user.tenant_id, user.roles, user.has_usable_password()) == (tenant.id, ["admin"], False)
    assert provider.exchanged["client_secret"] == ["shared-with-the-provider"]
    assert len(provider.exchanged["code_verifier"][0]) >= 43
    assert "opaque" not in str(dict(browser.session))


@pytest.mark.requirement("admin:external")
def test_each_sign_in_takes_roles_anew_and_one_disabled_here_stays_out(
    browser: Client, provider: Provider, forge: Forge
) -> None:
    come_back(browser, provider, forge, sub="bob")
    user = User.objects.get(username=f"{provider.issuer}|bob")
    User.objects.filter(pk=user.pk).update(roles=["viewer"])

    come_back(Client(SERVER_NAME="127.0.0.1"), provider, forge, sub="bob")
    again = User.objects.get(pk=user.pk).roles
    User.objects.filter(pk=user.pk).update(is_active=False)
    refused = come_back(Client(SERVER_NAME="127.0.0.1"), provider, forge, sub="bob")

    assert again == ["admin"]
    assert refused.status_code == 403
    assert not User.objects.get(pk=user.pk).is_active


@pytest.mark.requirement("admin:external")
def test_claims_that_are_only_in_userinfo_count_if_it_speaks_of_the_same_person(
    browser: Client, provider: Provider, forge: Forge, tenant: Tenant
) -> None:
    provider.userinfo = {"sub": "ada", "tenant_id": str(tenant.id), "roles": ["operator"]}
    come_back(browser, provider, forge, tenant_id=...)
    page = browser.get("/admin/")

    provider.userinfo["sub"] = "somebody else"
    other = come_back(Client(SERVER_NAME="127.0.0.1"), provider, forge, tenant_id=...)

    assert page.status_code == 200
    assert other.status_code == 403


@pytest.mark.requirement("admin:external")
def test_signing_out_leads_to_the_issuers_own_sign_out(browser: Client, provider: Provider, forge: Forge) -> None:
    come_back(browser, provider, forge)
    page = browser.get("/admin/").content.decode()
    token = page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]

    away = browser.post("/admin/logout/", {"csrfmiddlewaretoken": token})

    assert away.status_code == 302 and away["Location"].startswith(f"{provider.issuer}/logout?")
    assert urlsplit(provider.issuer).netloc in away["Content-Security-Policy"], "the browser may follow the form there"
    assert browser.get("/admin/").status_code == 302


@pytest.mark.requirement("admin:claims")
@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "http://evil.example"},
        {"iss": ...},
        {"aud": "another-client"},
        {"aud": ["another-client", CLIENT_ID]},
        {"aud": ...},
        {"nonce": "replayed"},
        {"nonce": ...},
        {"exp": 1},
        {"exp": ...},
        {"sub": ...},
        {"sub": 7},
        {"tenant_id": "0801a4de-e3ac-4e9e-9b6a-5d1c6f0f7a11"},
        {"tenant_id": "*"},
        {"tenant_id": ["a"]},
        {"roles": "admin"},
        {"roles": [["admin"]]},
    ],
    ids=lambda changes: "-".join(f"{name}={str(value)[:20]}" for name, value in changes.items()),
)
def test_an_id_token_that_is_not_exactly_ours_signs_nobody_in(
    browser: Client, provider: Provider, forge: Forge, changes: Changes
) -> None:
    sent = leave(browser)
    claims = forge.claims(**{"aud": CLIENT_ID, "nonce": sent["nonce"], "roles": ["admin"], **changes})
    provider.token_answer = {"access_token": "opaque", "id_token": forge.token(payload=claims)}
    provider.userinfo = {"sub": "ada"}

    answer = browser.get("/admin/oidc/callback", {"code": "c-1", "state": sent["state"]})

    assert answer.status_code == 403 and "could not be signed in" in answer.content.decode()
    assert browser.get("/admin/").status_code == 302


@pytest.mark.requirement("admin:claims")
@pytest.mark.parametrize(
    "trick", ["another key", "no algorithm", "shared secret", "stripped", "nothing", "unknown key"]
)
def test_a_forged_signature_signs_nobody_in(browser: Client, provider: Provider, forge: Forge, trick: str) -> None:
    sent = leave(browser)
    claims = forge.claims(aud=CLIENT_ID, nonce=sent["nonce"], roles=["admin"])
    other = Forge(rsa.generate_private_key(public_exponent=65537, key_size=2048), "k1", provider.issuer)
    honest = forge.token(payload=claims)
    tokens: dict[str, Callable[[], Any]] = {
        "another key": lambda: other.token(payload=claims),
        "no algorithm": lambda: forge.signed_part(header=forge.header(alg="none"), payload=claims) + ".",
        "shared secret": lambda: forge.hmac_token(b"shared-with-the-provider"),
        "stripped": lambda: honest.rpartition(".")[0] + ".",
        "nothing": lambda: None,
        "unknown key": lambda: forge.token(header=forge.header(kid="k2"), payload=claims),
    }
    provider.token_answer = {"access_token": "opaque", "id_token": tokens[trick]()}

    answer = browser.get("/admin/oidc/callback", {"code": "c-1", "state": sent["state"]})

    assert answer.status_code == 403
    assert browser.get("/admin/").status_code == 302


@pytest.mark.requirement("admin:external")
def test_a_tenant_with_an_issuer_of_its_own_is_not_the_platforms_issuers_to_speak_for(
    browser: Client, provider: Provider, forge: Forge, tenant: Tenant, settings: Any
) -> None:
    settings.OIDC_TENANT_ISSUERS = {tenant.slug: {"issuer": "https://login.example", "audience": "x"}}

    answer = come_back(browser, provider, forge)

    assert answer.status_code == 403
    assert browser.get("/admin/").status_code == 302


@pytest.mark.requirement("admin:claims")
def test_a_state_serves_once(browser: Client, provider: Provider, forge: Forge) -> None:
    sent = leave(browser)
    claims = forge.claims(aud=CLIENT_ID, nonce=sent["nonce"], roles=["admin"])
    provider.token_answer = {"access_token": "opaque", "id_token": forge.token(payload=claims)}
    back = {"code": "c-1", "state": sent["state"]}

    first = browser.get("/admin/oidc/callback", back)
    second = browser.get("/admin/oidc/callback", back)
    elsewhere = Client(SERVER_NAME="127.0.0.1").get("/admin/oidc/callback", back)

    assert first.status_code == 302
    assert (second.status_code, elsewhere.status_code) == (403, 403)


@pytest.mark.requirement("admin:sign-in-limit")
def test_an_address_that_begins_too_many_sign_ins_has_to_wait(
    browser: Client, provider: Provider, settings: Any
) -> None:
    settings.ADMIN_SIGN_IN_CALLS_PER_MINUTE = 3
    address = f"192.0.2.{secrets.randbelow(250)}"

    answers = [browser.get("/admin/login/", REMOTE_ADDR=address) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [302, 302, 302, 429, 429]
    assert 1 <= int(answers[-1]["Retry-After"]) <= 65
    assert browser.get("/admin/login/", REMOTE_ADDR="192.0.2.254").status_code == 302


@pytest.mark.requirement("admin:external")
def test_an_issuer_that_is_away_or_a_suspended_tenant_gets_a_page_that_says_so(
    browser: Client, provider: Provider, forge: Forge, tenant: Tenant
) -> None:
    sent = leave(browser)
    provider.status = 500
    away = browser.get("/admin/oidc/callback", {"code": "c-1", "state": sent["state"]})
    provider.status = 200
    set_tenant_status(tenant.id, Tenant.Status.SUSPENDED)

    suspended = come_back(browser, provider, forge)

    assert away.status_code == 503 and "issuer does not answer" in away.content.decode()
    assert suspended.status_code == 403
