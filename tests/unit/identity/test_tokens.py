"""What a token must look like to be believed."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from apps.identity.jose import MalformedError, key_from_jwk
from apps.identity.rbac import scopes_of
from apps.identity.tokens import REMEMBERED_TOKENS, TokenRefusedError, TokenVerifier
from kernel import clock
from tests.unit.identity.conftest import Keys
from tests.unit.identity.forge import ATTACKS, AUDIENCE, Forge


def refused(verifier: TokenVerifier, token: str) -> str:
    """The reason for the log; what the caller hears is always the same."""
    with pytest.raises(TokenRefusedError) as error:
        verifier.verify(token)
    assert error.value.detail == "Invalid or missing token"
    assert error.value.http_status == 401
    assert error.value.extra == {} and error.value.errors is None
    return error.value.reason


@pytest.mark.requirement("identity:principal")
def test_a_good_token_becomes_a_principal(verifier: TokenVerifier, forge: Forge) -> None:
    expires_at = int(time.time()) + 600

    principal = verifier.verify(forge.with_claims(exp=expires_at))

    assert principal.sub == "ada"
    assert principal.tenant_id == UUID(forge.tenant_id)
    assert principal.roles == {"user"}
    assert principal.scopes == {"read", "write"}
    assert principal.expires_at == expires_at


@pytest.mark.requirement("identity:401-malformed")
@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_a_forged_or_malformed_token_is_refused(verifier: TokenVerifier, forge: Forge, attack: str) -> None:
    assert refused(verifier, ATTACKS[attack](forge))


@pytest.mark.requirement("identity:algorithms")
@pytest.mark.parametrize("alg", ["RS256", "RS384", "RS512"])
def test_the_three_rsa_algorithms_are_taken_when_the_key_is_not_pinned(
    verifier: TokenVerifier, keys: Keys, forge: Forge, alg: str
) -> None:
    keys.by_kid[forge.kid] = key_from_jwk(forge.jwk(alg=...))

    assert verifier.verify(forge.token(header=forge.header(alg=alg), alg=alg)).sub == "ada"


@pytest.mark.requirement("identity:algorithms")
def test_a_key_pinned_to_one_algorithm_verifies_no_other(verifier: TokenVerifier, forge: Forge) -> None:
    assert refused(verifier, forge.token(header=forge.header(alg="RS512"), alg="RS512"))


@pytest.mark.requirement("identity:algorithms")
@pytest.mark.requirement("security:11")
@pytest.mark.parametrize(
    "changes",
    [
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"key_ops": []},
        {"key_ops": "verify"},
        {"kty": "EC"},
        {"kty": "oct"},
        {"kty": "rsa"},
        {"alg": "RSA-OAEP"},
        {"alg": "PS256"},
        {"alg": "HS256"},
        {"kid": ...},
        {"kid": ""},
        {"kid": 1},
        {"n": ...},
        {"e": "AA"},
        {"e": "Ag"},
        {"e": "AQAB="},
        {"n": "AQAB"},
        {"d": "AQAB"},
    ],
    ids=str,
)
def test_a_jwk_that_is_no_rsa_signing_key_is_refused(forge: Forge, changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        key_from_jwk(forge.jwk(**changes))


@pytest.mark.requirement("identity:algorithms")
@pytest.mark.requirement("security:11")
@pytest.mark.parametrize("bits", [1024, 1536])
def test_a_small_rsa_key_is_refused(bits: int) -> None:
    small = Forge(rsa.generate_private_key(public_exponent=65537, key_size=bits), "small", "x")

    with pytest.raises(MalformedError, match="size"):
        key_from_jwk(small.jwk())


@pytest.mark.requirement("identity:algorithms")
@pytest.mark.parametrize(
    "changes", [{"use": ...}, {"alg": ...}, {"key_ops": ["verify"]}, {"key_ops": ["sign", "verify"]}]
)
def test_a_jwk_may_leave_out_what_is_optional(forge: Forge, changes: dict[str, Any]) -> None:
    assert key_from_jwk(forge.jwk(**changes)).kid == forge.kid


@pytest.mark.requirement("identity:roles-schema")
@pytest.mark.requirement("security:15")
def test_unknown_roles_are_dropped_and_case_matters(verifier: TokenVerifier, forge: Forge) -> None:
    principal = verifier.verify(forge.with_claims(roles=["ADMIN", "root", "viewer"], scopes=[]))

    assert principal.roles == {"viewer"}
    assert principal.scopes == frozenset()
    assert not principal.is_admin


@pytest.mark.requirement("identity:roles-schema")
def test_a_role_brings_its_scopes_where_the_token_names_none(verifier: TokenVerifier, forge: Forge) -> None:
    principal = verifier.verify(forge.with_claims(roles=["admin"], scopes=...))

    assert principal.scopes == scopes_of(["admin"]) >= {"admin:all"}
    assert principal.is_admin


@pytest.mark.requirement("identity:roles-schema")
def test_scopes_may_also_come_as_one_text(verifier: TokenVerifier, forge: Forge) -> None:
    principal = verifier.verify(forge.with_claims(scopes=["read"], scope="openid  graph:read"))

    assert principal.scopes == {"read", "openid", "graph:read"}


@pytest.mark.requirement("identity:roles-schema")
def test_a_token_without_roles_and_scopes_may_do_nothing(verifier: TokenVerifier, forge: Forge) -> None:
    principal = verifier.verify(forge.with_claims(roles=..., scopes=...))

    assert principal.roles == principal.scopes == frozenset()


@pytest.mark.requirement("identity:times")
def test_clocks_may_differ_by_a_minute_for_iat_and_nbf(verifier: TokenVerifier, forge: Forge) -> None:
    soon = int(time.time()) + 55

    assert verifier.verify(forge.with_claims(iat=soon, nbf=soon)).sub == "ada"


@pytest.mark.requirement("identity:times")
def test_our_own_tokens_end_on_the_second_and_external_ones_a_minute_later(
    make_verifier: Callable[..., TokenVerifier], forge: Forge
) -> None:
    just_over = forge.with_claims(exp=int(time.time()) - 1)

    assert make_verifier(expiry_leeway_s=60).verify(just_over).sub == "ada"
    assert refused(make_verifier(), just_over) == "expired"


@pytest.mark.requirement("identity:audience")
def test_our_audience_may_be_one_of_several(verifier: TokenVerifier, forge: Forge) -> None:
    assert verifier.verify(forge.with_claims(aud=["other", AUDIENCE])).sub == "ada"


@pytest.mark.requirement("identity:token-type")
@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "JWT"])
def test_an_external_issuer_may_call_its_access_tokens_jwt(
    make_verifier: Callable[..., TokenVerifier], forge: Forge, typ: str
) -> None:
    assert make_verifier(requires_at_jwt=False).verify(forge.with_header(typ=typ)).sub == "ada"


@pytest.mark.requirement("identity:token-type")
@pytest.mark.parametrize(
    "claims", [{"nonce": "x"}, {"at_hash": "x"}, {"c_hash": "x"}, {"typ": "ID"}, {"typ": "Refresh"}]
)
def test_an_external_id_or_refresh_token_is_no_access_token(
    make_verifier: Callable[..., TokenVerifier], forge: Forge, claims: dict[str, str]
) -> None:
    token = forge.token(header=forge.header(typ="JWT"), payload=forge.claims(**claims))

    assert refused(make_verifier(requires_at_jwt=False), token) == "not an access token by its claims"


@pytest.mark.requirement("identity:memory")
def test_a_remembered_token_still_expires(
    verifier: TokenVerifier, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = forge.token()
    verifier.verify(token)
    later = clock.now().fromtimestamp(time.time() + 601, tz=clock.now().tzinfo)

    monkeypatch.setattr("apps.identity.tokens.now", lambda: later)

    assert refused(verifier, token) == "expired"


@pytest.mark.requirement("identity:memory")
def test_a_withdrawn_key_takes_its_remembered_tokens_with_it(verifier: TokenVerifier, keys: Keys, forge: Forge) -> None:
    token = forge.token()
    verifier.verify(token)

    keys.by_kid.clear()

    assert refused(verifier, token) == "unknown key"


@pytest.mark.requirement("identity:memory")
def test_no_more_than_a_bounded_number_of_tokens_is_remembered(
    verifier: TokenVerifier, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.identity.tokens.REMEMBERED_TOKENS", 3)

    for _ in range(5):
        verifier.verify(forge.token())

    assert len(verifier._remembered) == 3 < REMEMBERED_TOKENS


@pytest.mark.requirement("identity:fast")
def test_a_token_seen_before_is_neither_read_nor_is_its_signature_checked_again(
    verifier: TokenVerifier, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = forge.token()
    verifier.verify(token)

    for slow in ("decode", "check_signature"):
        monkeypatch.setattr(f"apps.identity.tokens.{slow}", None)

    assert verifier.verify(token).sub == "ada"


@pytest.mark.requirement("identity:timing")
@pytest.mark.requirement("security:22")
def test_the_cause_of_a_refusal_cannot_be_told_by_the_clock(verifier: TokenVerifier, forge: Forge) -> None:
    causes = {
        name: min(_refusal_s(verifier, ATTACKS[name](forge)) for _ in range(20))
        for name in ("11 kid unknown", "3 one bit flipped", "expired")
    }

    assert max(causes.values()) - min(causes.values()) < 0.005


def _refusal_s(verifier: TokenVerifier, token: str) -> float:
    started = time.thread_time()
    refused(verifier, token)
    return time.thread_time() - started
