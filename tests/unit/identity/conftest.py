"""A verifier with two keys in memory; accounts and tenants are all in good standing."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from apps.identity import standing
from apps.identity.claims import Rules
from apps.identity.jose import VerificationKey, key_from_jwk
from apps.identity.tokens import TokenVerifier
from tests.unit.identity.forge import AUDIENCE, Forge

ISSUER = "https://id.example/realm"


class Keys:
    """A key source in memory."""

    def __init__(self) -> None:
        self.by_kid: dict[str, VerificationKey] = {}

    def get(self, kid: str) -> VerificationKey | None:
        return self.by_kid.get(kid)


@pytest.fixture(scope="session")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def forge(private_key: rsa.RSAPrivateKey) -> Forge:
    return Forge(private_key, kid="key-1", issuer=ISSUER)


@pytest.fixture
def keys(forge: Forge) -> Keys:
    keys = Keys()
    keys.by_kid[forge.kid] = key_from_jwk(forge.jwk())
    return keys


@pytest.fixture(autouse=True)
def everybody_in_good_standing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "is_in_good_standing", lambda **_: True)


@pytest.fixture
def make_verifier(keys: Keys) -> Callable[..., TokenVerifier]:
    def make(*, requires_at_jwt: bool = True, expiry_leeway_s: int = 0) -> TokenVerifier:
        rules = Rules(ISSUER, AUDIENCE, requires_at_jwt=requires_at_jwt, expiry_leeway_s=expiry_leeway_s)
        return TokenVerifier(rules, keys)

    return make


@pytest.fixture
def verifier(make_verifier: Callable[..., TokenVerifier]) -> TokenVerifier:
    return make_verifier()
