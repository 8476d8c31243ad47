"""The built-in issuer's name, keys and access tokens (RFC 9068)."""

import secrets
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from uuid import UUID

import jwt
from django.conf import settings

from apps.identity.keyring import ALGORITHM, Keyring
from kernel.clock import now


def own_issuer() -> str:
    """The `iss` of every token made here."""
    return f"{settings.PUBLIC_URL}/oidc"


def keyring() -> Keyring:
    """The keys the settings name; a relative directory counts from the project's root."""
    return _keyring(settings.BASE_DIR, settings.ISSUER_KEYS_DIR)


@lru_cache(maxsize=8)
def _keyring(root: Path, directory: Path | str) -> Keyring:
    return Keyring(root / directory)


def sign_access_token(
    *, sub: str, tenant_id: UUID, roles: Iterable[str], scopes: Iterable[str], client_id: str, ttl_s: int
) -> str:
    """A token for our own API, valid for ``ttl_s`` seconds from now."""
    issued_at_s = int(now().timestamp())
    granted = list(scopes)
    return sign(
        {
            "iss": own_issuer(),
            "aud": settings.OIDC_AUDIENCE,
            "sub": sub,
            "client_id": client_id,
            "jti": secrets.token_urlsafe(16),
            "iat": issued_at_s,
            "nbf": issued_at_s,
            "exp": issued_at_s + ttl_s,
            "tenant_id": str(tenant_id),
            "roles": sorted(roles),
            "scopes": granted,
            "scope": " ".join(granted),
        },
        typ="at+jwt",
    )


def sign(claims: dict[str, object], *, typ: str) -> str:
    """Any claims as a JWT of the signing key."""
    key = keyring().signing_key()
    return jwt.encode(claims, key.private_key, algorithm=ALGORITHM, headers={"kid": key.kid, "typ": typ})
