"""Bearer token -> Principal, or UnauthenticatedError with the same words for every cause (docs/howto/identity.md).

`verify` may wait for the network or the database (an unknown key, a stale standing): asynchronous code calls it in a
thread. A token seen before costs a hash and three look-ups.
"""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol
from uuid import UUID

from django.conf import settings

from apps.identity import standing
from apps.identity.claims import Rules, check_type, principal_of
from apps.identity.issuer import keyring, own_issuer
from apps.identity.jose import MalformedError, VerificationKey, check_signature, decode
from apps.identity.jwks import HttpJwks, LocalJwks
from apps.identity.principal import Principal
from kernel.clock import now
from kernel.errors import UnauthenticatedError

DETAIL = "Invalid or missing token"
REMEMBERED_TOKENS = 10_000
EXTERNAL_EXPIRY_LEEWAY_S = 60  # another machine's clock signs; the built-in issuer shares ours


class TokenRefusedError(UnauthenticatedError):
    """401. ``reason`` is for the log and never leaves the process."""

    def __init__(self, reason: str) -> None:
        super().__init__(DETAIL)
        self.reason = reason


class KeySource(Protocol):
    """Where the trusted issuer's public keys come from."""

    def get(self, kid: str) -> VerificationKey | None: ...


@dataclass(frozen=True)
class _Remembered:
    principal: Principal
    key: VerificationKey


@dataclass(frozen=True)
class Binding:
    """Whom an issuer may speak for, by the tenants' short names: one tenant, or all but those with their own."""

    only: str | None = None
    never: frozenset[str] = frozenset()

    def allows(self, tenant_id: UUID) -> bool:
        if self.only is None and not self.never:
            return True
        slug = standing.slug_of(tenant_id)
        return slug is not None and slug not in self.never and self.only in (None, slug)


class TokenVerifier:
    """Verifies tokens of one issuer and remembers the latest ``REMEMBERED_TOKENS`` good ones."""

    def __init__(self, rules: Rules, keys: KeySource, binding: Binding | None = None) -> None:
        self.rules, self.keys, self.binding = rules, keys, binding or Binding()
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()
        self._lock = threading.Lock()

    def verify(self, token: str) -> Principal:
        """The principal, or TokenRefusedError."""
        checksum = hashlib.sha256(token.encode(errors="replace")).hexdigest()
        try:
            principal = self._recall(checksum) or self._check(token, checksum)
        except MalformedError as error:
            raise TokenRefusedError(str(error)) from error
        if not standing.is_in_good_standing(checksum=checksum, sub=principal.sub, tenant_id=principal.tenant_id):
            raise TokenRefusedError("revoked, or its user or tenant is disabled")
        if not self.binding.allows(principal.tenant_id):
            raise TokenRefusedError("the issuer may not speak for this tenant")
        return principal

    def _recall(self, checksum: str) -> Principal | None:
        with self._lock:
            found = self._remembered.get(checksum)
            if found is None:
                return None
            self._remembered.move_to_end(checksum)
        if now().timestamp() >= found.principal.expires_at + self.rules.expiry_leeway_s:
            raise MalformedError("expired")
        # A key that was withdrawn takes its tokens with it.
        return found.principal if self.keys.get(found.key.kid) == found.key else None

    def _check(self, token: str, checksum: str) -> Principal:
        decoded = decode(token)
        key = self.keys.get(decoded.kid)
        if key is None:
            raise MalformedError("unknown key")
        check_signature(decoded, key)
        check_type(decoded.header, decoded.payload, self.rules)
        principal = principal_of(decoded.payload, self.rules, now_s=now().timestamp())
        with self._lock:
            self._remembered[checksum] = _Remembered(principal, key)
            if len(self._remembered) > REMEMBERED_TOKENS:
                self._remembered.popitem(last=False)
        return principal


def verify(token: str) -> Principal:
    """Who the bearer of ``token`` is, by an issuer the settings trust."""
    return (_verifier_for(token) if settings.OIDC_TENANT_ISSUERS else verifier()).verify(token)


def verifier() -> TokenVerifier:
    """The platform's issuer's verifier for the present settings."""
    closed_to = frozenset(settings.OIDC_TENANT_ISSUERS)
    return _verifier(settings.OIDC_ISSUER, own_issuer(), settings.OIDC_AUDIENCE, keyring().directory, closed_to)


def _verifier_for(token: str) -> TokenVerifier:
    """The verifier of the issuer the token names, before anything of it is believed: that verifier checks the rest."""
    try:
        issuer = decode(token).payload.get("iss")
    except MalformedError as error:
        raise TokenRefusedError(str(error)) from error
    for slug, its in settings.OIDC_TENANT_ISSUERS.items():
        if its["issuer"] == issuer:
            return _tenant_verifier(slug, its["issuer"], its["audience"])
    return verifier()


@lru_cache(maxsize=8)
def _verifier(
    external_issuer: str, issuer: str, audience: str, _keys_directory: Path, closed_to: frozenset[str]
) -> TokenVerifier:
    binding = Binding(never=closed_to)
    if external_issuer:
        rules = Rules(external_issuer, audience, requires_at_jwt=False, expiry_leeway_s=EXTERNAL_EXPIRY_LEEWAY_S)
        return TokenVerifier(rules, HttpJwks(external_issuer), binding)
    rules = Rules(issuer, audience, requires_at_jwt=True, expiry_leeway_s=0)
    return TokenVerifier(rules, LocalJwks(keyring()), binding)


@lru_cache(maxsize=256)
def _tenant_verifier(slug: str, issuer: str, audience: str) -> TokenVerifier:
    rules = Rules(issuer, audience, requires_at_jwt=False, expiry_leeway_s=EXTERNAL_EXPIRY_LEEWAY_S)
    return TokenVerifier(rules, HttpJwks(issuer), Binding(only=slug))
