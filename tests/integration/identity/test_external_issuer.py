"""Keys of an external issuer, fetched from a real HTTP server that rotates, fails, hangs and lies."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from apps.identity import jwks
from apps.identity.claims import Rules
from apps.identity.jwks import HttpJwks
from apps.identity.tokens import TokenRefusedError, TokenVerifier
from apps.tenancy.models import Tenant
from tests.clients import PATIENCE_S, wait_for
from tests.integration.identity.idp import FakeClock, IdP
from tests.unit.identity.forge import ATTACKS, AUDIENCE, Forge

SOON_S = PATIENCE_S / 3  # whoever waits for an issuer that hangs, or for its answer, is there for PATIENCE_S


@pytest.fixture
def idp() -> Iterator[IdP]:
    idp = IdP()
    yield idp
    idp.stop()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make_key(idp: IdP, tenant: Tenant) -> Callable[[str], Forge]:
    def make(kid: str) -> Forge:
        private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return Forge(private_key, kid, idp.issuer, str(tenant.id))

    return make


@pytest.fixture
def patience_s() -> float:
    """How long a caller waits for a fetch: for one that comes, as long as any machine needs."""
    return PATIENCE_S


@pytest.fixture
def verifier(idp: IdP, clock: FakeClock, patience_s: float, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenVerifier]:
    monkeypatch.setattr(jwks, "PACE", replace(jwks.PACE, patience_s=patience_s))
    monkeypatch.setattr(jwks, "TIMEOUT_S", PATIENCE_S)
    monkeypatch.setattr(jwks, "MAX_DOCUMENT_S", PATIENCE_S)
    keys = HttpJwks(idp.issuer, clock)
    yield TokenVerifier(Rules(idp.issuer, AUDIENCE, requires_at_jwt=False, expiry_leeway_s=60), keys)
    idp.hangs.set()
    wait_for(lambda: not keys._keys._running, what="the end of a fetch under way")
    keys.close()


def is_refused(verifier: TokenVerifier, token: str) -> bool:
    try:
        verifier.verify(token)
    except TokenRefusedError:
        return True
    return False


@pytest.mark.requirement("identity:jwks")
def test_a_token_of_the_external_issuer_is_verified_by_its_published_key(
    idp: IdP, verifier: TokenVerifier, make_key: Callable[[str], Forge]
) -> None:
    forge = make_key("k1")
    idp.keys = [forge.jwk()]

    principal = verifier.verify(forge.with_header(typ="JWT"))

    assert principal.sub == "ada"
    assert idp.key_fetches == 1


@pytest.mark.requirement("identity:401-malformed")
def test_forged_tokens_of_the_external_issuer_are_refused_too(
    idp: IdP, verifier: TokenVerifier, make_key: Callable[[str], Forge]
) -> None:
    forge = make_key("k1")
    idp.keys = [forge.jwk()]
    taken_from_others = {"9 typ 'JWT'", "9 typ 'jwt'"}

    believed = [name for name in ATTACKS.keys() - taken_from_others if not is_refused(verifier, ATTACKS[name](forge))]

    assert believed == []
    assert idp.key_fetches == 1


@pytest.mark.requirement("identity:key-rotation")
def test_a_new_key_is_found_without_a_restart_and_the_old_one_stays(
    idp: IdP, verifier: TokenVerifier, clock: FakeClock, make_key: Callable[[str], Forge]
) -> None:
    old, new = make_key("old"), make_key("new")
    idp.keys = [old.jwk()]
    verifier.verify(old.token())

    idp.keys = [new.jwk(), old.jwk()]
    clock.ahead_s += 11

    assert verifier.verify(new.token()).sub == "ada"
    assert verifier.verify(old.token()).sub == "ada"
    assert idp.key_fetches == 2


@pytest.mark.requirement("identity:key-rotation")
def test_a_withdrawn_key_is_refused_after_the_next_fetch(
    idp: IdP,
    verifier: TokenVerifier,
    clock: FakeClock,
    make_key: Callable[[str], Forge],
    eventually: Callable[..., None],
) -> None:
    forge = make_key("k1")
    token = forge.token()
    idp.keys = [forge.jwk()]
    verifier.verify(token)

    idp.keys = [make_key("k2").jwk()]
    clock.ahead_s += 901

    eventually(lambda: is_refused(verifier, token))


@pytest.mark.requirement("identity:unknown-kid-flood")
def test_a_flood_of_unknown_keys_costs_one_fetch_in_ten_seconds(
    idp: IdP, verifier: TokenVerifier, clock: FakeClock, make_key: Callable[[str], Forge]
) -> None:
    forge = make_key("k1")
    idp.keys = [forge.jwk()]
    verifier.verify(forge.token())
    flood = [forge.with_header(kid=f"unknown-{number}") for number in range(100)]

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda token: is_refused(verifier, token), flood))
        assert idp.key_fetches == 1
        clock.ahead_s += 11
        assert all(pool.map(lambda token: is_refused(verifier, token), flood))

    assert idp.key_fetches == 2


@pytest.mark.requirement("identity:unknown-kid-flood")
def test_known_callers_do_not_wait_while_the_issuer_hangs(
    idp: IdP, verifier: TokenVerifier, clock: FakeClock, make_key: Callable[[str], Forge]
) -> None:
    forge = make_key("k1")
    idp.keys = [forge.jwk()]
    verifier.verify(forge.token())
    fresh = [forge.token() for _ in range(20)]

    idp.hangs.clear()
    clock.ahead_s += 1000
    started = time.monotonic()
    assert not any(is_refused(verifier, token) for token in fresh)

    assert time.monotonic() - started < SOON_S


@pytest.mark.requirement("identity:unknown-kid-flood")
@pytest.mark.parametrize("patience_s", [jwks.PATIENCE_S])
def test_a_hanging_issuer_holds_an_unknown_key_for_two_seconds_at_most(
    idp: IdP, verifier: TokenVerifier, make_key: Callable[[str], Forge]
) -> None:
    forge = make_key("k1")
    idp.hangs.clear()

    started = time.monotonic()
    assert is_refused(verifier, forge.token())

    assert jwks.PATIENCE_S < 2
    assert time.monotonic() - started < SOON_S


@pytest.mark.requirement("identity:idp-down")
def test_known_keys_serve_for_a_day_while_the_issuer_is_down(
    idp: IdP,
    verifier: TokenVerifier,
    clock: FakeClock,
    make_key: Callable[[str], Forge],
    eventually: Callable[..., None],
) -> None:
    forge = make_key("k1")
    idp.keys = [forge.jwk()]
    verifier.verify(forge.token())

    idp.status = 503
    clock.ahead_s += 23 * 3600

    assert verifier.verify(forge.token()).sub == "ada"
    eventually(lambda: verifier.keys.is_degraded)  # type: ignore[attr-defined]
    clock.ahead_s += 2 * 3600
    assert is_refused(verifier, forge.token())


@pytest.mark.requirement("identity:idp-down")
def test_keys_come_back_when_the_issuer_does(
    idp: IdP, verifier: TokenVerifier, clock: FakeClock, make_key: Callable[[str], Forge]
) -> None:
    forge = make_key("k1")
    idp.keys, idp.status = [forge.jwk()], 500
    assert is_refused(verifier, forge.token())

    idp.status = 200
    clock.ahead_s += 11

    assert verifier.verify(forge.token()).sub == "ada"


@pytest.mark.requirement("identity:jwks")
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 302},
        {"status": 404},
        {"body": b"x" * (jwks.MAX_DOCUMENT_BYTES + 1)},
        {"body": b"<html>"},
        {"body": b"[]"},
        {"body": b"[" * 100_000},
        {"discovery_changes": {"issuer": "http://evil.example"}},
        {"discovery_changes": {"jwks_uri": "file:///etc/passwd"}},
        {"discovery_changes": {"jwks_uri": None}},
        {"keys": None},
        {"keys": {"k1": {}}},
        {"keys": [None, 1, "x", [], {}]},
    ],
    ids=lambda fault: str(fault)[:40],
)
def test_an_issuer_that_answers_nonsense_gives_no_keys(
    idp: IdP, verifier: TokenVerifier, make_key: Callable[[str], Forge], fault: dict[str, Any]
) -> None:
    forge = make_key("k1")
    idp.keys = [forge.jwk()]

    for name, value in fault.items():
        setattr(idp, name, value)

    assert is_refused(verifier, forge.token())


@pytest.mark.requirement("identity:algorithms")
@pytest.mark.requirement("security:11")
@pytest.mark.parametrize(
    "changes", [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"alg": "RS512"}, {"kty": "oct", "k": "c2VjcmV0"}], ids=str
)
def test_a_published_key_for_another_purpose_verifies_nothing(
    idp: IdP, verifier: TokenVerifier, make_key: Callable[[str], Forge], changes: dict[str, Any]
) -> None:
    forge = make_key("k1")
    idp.keys = [forge.jwk(**changes)]

    assert is_refused(verifier, forge.token())


@pytest.mark.requirement("identity:jwks")
def test_two_different_keys_of_one_name_cancel_each_other(
    idp: IdP, verifier: TokenVerifier, make_key: Callable[[str], Forge]
) -> None:
    first, second = make_key("same"), make_key("same")
    idp.keys = [first.jwk(), second.jwk()]

    assert is_refused(verifier, first.token())
    assert is_refused(verifier, second.token())


@pytest.mark.requirement("identity:replaceable-issuer")
def test_two_settings_replace_the_built_in_issuer(
    idp: IdP, settings: Any, make_key: Callable[[str], Forge], token_for: Callable[..., str]
) -> None:
    from apps.identity import tokens

    forge = make_key("k1")
    idp.keys = [forge.jwk()]
    settings.OIDC_ISSUER, settings.OIDC_AUDIENCE = idp.issuer, "lab-api"

    assert tokens.verify(forge.with_claims(aud="lab-api")).sub == "ada"
    with pytest.raises(TokenRefusedError):
        tokens.verify(token_for())
