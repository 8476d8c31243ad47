"""Tenants with an issuer of their own: it speaks for them alone, and nobody else does."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client

from apps.identity import tokens
from apps.identity.models import User
from apps.identity.tokens import TokenRefusedError
from apps.tenancy.models import Tenant
from config.env import Env, SettingError
from tests.factories import make_tenant, make_token
from tests.integration.identity.cli import PASSWORD
from tests.integration.identity.conftest import bearer
from tests.integration.identity.idp import IdP
from tests.unit.identity.forge import ATTACKS, Forge

ME = "/v1/auth/me"
AUDIENCE = "lab-api"


@pytest.fixture
def idp() -> Iterator[IdP]:
    idp = IdP()
    yield idp
    idp.stop()


@pytest.fixture
def lab(idp: IdP, settings: Any) -> Tenant:
    """A tenant whose people sign in at ``idp``."""
    lab = make_tenant()
    settings.OIDC_TENANT_ISSUERS = {lab.slug: {"issuer": idp.issuer, "audience": AUDIENCE}}
    return lab


@pytest.fixture
def lab_forge(idp: IdP, lab: Tenant) -> Forge:
    forge = Forge(rsa.generate_private_key(public_exponent=65537, key_size=2048), "lab-1", idp.issuer, str(lab.id))
    idp.keys = [forge.jwk()]
    return forge


def status(client: Client, token: str) -> int:
    return client.get(ME, headers=bearer(token)).status_code


@pytest.mark.requirement("roles:tenant-issuer")
def test_a_tenants_issuer_speaks_for_its_tenant(client: Client, lab: Tenant, lab_forge: Forge) -> None:
    me = client.get(ME, headers=bearer(lab_forge.with_claims(aud=AUDIENCE)))

    assert (me.status_code, me.json()["tenant_id"]) == (200, str(lab.id))


@pytest.mark.requirement("roles:tenant-issuer")
@pytest.mark.requirement("security:12")
def test_a_tenants_issuer_cannot_speak_for_another_tenant(client: Client, tenant: Tenant, lab_forge: Forge) -> None:
    good = lab_forge.with_claims(aud=AUDIENCE)
    forged = lab_forge.with_claims(aud=AUDIENCE, tenant_id=str(tenant.id))
    forged_admin = lab_forge.with_claims(aud=AUDIENCE, tenant_id=str(tenant.id), roles=["admin"], scopes=["admin:all"])

    assert [status(client, token) for token in (forged, good, forged, forged_admin)] == [401, 200, 401, 401]


@pytest.mark.requirement("roles:tenant-issuer")
@pytest.mark.requirement("security:12")
def test_the_platforms_issuer_cannot_speak_for_a_tenant_with_its_own(
    client: Client, lab: Tenant, tenant: Tenant
) -> None:
    assert status(client, make_token(lab)) == 401
    assert status(client, make_token(lab, "admin")) == 401
    assert status(client, make_token(tenant)) == 200


@pytest.mark.requirement("roles:tenant-issuer")
def test_nobody_of_such_a_tenant_signs_in_at_the_built_in_issuer(
    client: Client, tenant: Tenant, make_user: Callable[[str], User], settings: Any
) -> None:
    credentials = {"username": make_user("user").username, "password": PASSWORD}
    assert client.post("/oidc/login", credentials).status_code == 302

    settings.OIDC_TENANT_ISSUERS = {tenant.slug: {"issuer": "https://id.lab.example", "audience": AUDIENCE}}

    assert client.post("/oidc/login", credentials).status_code == 200  # the form again


@pytest.mark.requirement("roles:tenant-issuer")
def test_a_tenants_issuer_has_its_own_audience_and_keys(
    client: Client, lab_forge: Forge, forge: Forge, lab: Tenant
) -> None:
    assert status(client, lab_forge.token()) == 401  # the platform's audience
    stolen_name = Forge(forge.private_key, forge.kid, lab_forge.issuer, str(lab.id))
    assert status(client, stolen_name.with_claims(aud=AUDIENCE)) == 401  # the platform's key
    assert status(client, lab_forge.with_claims(aud=AUDIENCE, iss=forge.issuer)) == 401


@pytest.mark.requirement("roles:tenant-issuer")
def test_forged_tokens_of_a_tenants_issuer_are_refused_too(lab_forge: Forge) -> None:
    believed = []
    for name, attack in ATTACKS.items():
        try:
            tokens.verify(attack(lab_forge))
        except TokenRefusedError:
            continue
        believed.append(name)

    assert believed == []


@pytest.mark.requirement("roles:tenant-issuer")
@pytest.mark.parametrize(
    "raw", ["[]", "{", '{"a": "b"}', '{"a": {"issuer": "x"}}', '{"a": {"issuer": 1, "audience": "y"}}']
)
def test_a_setting_that_makes_no_sense_stops_the_process(raw: str) -> None:
    with pytest.raises(SettingError, match="AGENTIC_X"):
        Env({"AGENTIC_X": raw}).objects("AGENTIC_X", ("issuer", "audience"), "Help.")


@pytest.mark.requirement("roles:tenant-issuer")
def test_a_setting_that_makes_sense_is_read() -> None:
    raw = '{"lab": {"issuer": "https://id.lab.example", "audience": "api"}}'

    read = [Env({"AGENTIC_X": text}).objects("AGENTIC_X", ("issuer", "audience"), "Help.") for text in (raw, "")]

    assert read == [{"lab": {"issuer": "https://id.lab.example", "audience": "api"}}, {}]
