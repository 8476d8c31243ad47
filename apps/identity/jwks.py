"""The trusted issuer's public keys by `kid`: the built-in one's from its directory, an external one's over HTTP."""

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx2
import structlog

from apps.identity.jose import MalformedError, VerificationKey, key_from_jwk
from apps.identity.keyring import Keyring
from apps.identity.reloading import Pace, Reloaded

log = structlog.get_logger("identity")
MAX_DOCUMENT_BYTES = 1024 * 1024
TIMEOUT_S = 2.0
MAX_DOCUMENT_S = 2.5  # each of the two
PATIENCE_S = 1.5  # a flood of unknown keys at a hanging issuer must not hold the server's threads
# Unknown kids cost the issuer one fetch in ten seconds at most, however many there are; keys outlive its outages a day.
PACE = Pace(
    fresh_s=900.0,
    overdue_s=24 * 3600.0,
    expired_s=24 * 3600.0,
    min_interval_s=10.0,
    after_failure_s=10.0,
    patience_s=PATIENCE_S,
)


class LocalJwks:
    """The keys in the issuer's own directory."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._read_for: tuple[Any, ...] = ()
        self._by_kid: dict[str, VerificationKey] = {}
        self._next_reload_at = 0.0

    def get(self, kid: str) -> VerificationKey | None:
        key = self._known().get(kid)
        if key is None and time.monotonic() >= self._next_reload_at:
            self._next_reload_at = time.monotonic() + 1.0
            self._keyring.reload()
            key = self._known().get(kid)
        return key

    def _known(self) -> dict[str, VerificationKey]:
        keys = self._keyring.keys()
        if keys is not self._read_for:
            self._by_kid, self._read_for = {key.kid: key.verification_key() for key in keys}, keys
        return self._by_kid


class FetchError(Exception):
    """The issuer's documents could not be had or make no sense."""


class HttpJwks:
    """The keys an external issuer publishes. Its discovery document names where, and must name the issuer exactly."""

    def __init__(self, issuer: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.issuer = issuer
        self._client = httpx2.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)
        self._keys: Reloaded[dict[str, VerificationKey]] = Reloaded(
            "jwks", self._load, (FetchError, httpx2.HTTPError), PACE, clock
        )

    @property
    def is_degraded(self) -> bool:
        """Whether the issuer did not answer when it was last asked."""
        return self._keys.is_degraded

    def get(self, kid: str) -> VerificationKey | None:
        keys = self._keys.get() or {}
        return keys.get(kid) or (self._keys.reload() or {}).get(kid)

    def close(self) -> None:
        """Give back the connections. A process's own verifier lives as long as the process."""
        self._client.close()

    def _load(self) -> dict[str, VerificationKey]:
        discovery = self._fetch(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if discovery.get("issuer") != self.issuer:
            raise FetchError("the discovery document is another issuer's")
        jwks_uri = discovery.get("jwks_uri")
        if not isinstance(jwks_uri, str) or urlsplit(jwks_uri).scheme not in (
            "https",
            urlsplit(self.issuer).scheme,
        ):
            raise FetchError("the discovery document names no usable jwks_uri")
        return _usable_keys(self._fetch(jwks_uri).get("keys"))

    def _fetch(self, url: str) -> dict[str, Any]:
        deadline = time.monotonic() + MAX_DOCUMENT_S  # the client's own timeout is between two bytes
        body = bytearray()
        with self._client.stream("GET", url, headers={"Accept": "application/json"}) as response:
            if response.status_code != 200:
                raise FetchError(f"{url} answered {response.status_code}")
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_DOCUMENT_BYTES or time.monotonic() > deadline:
                    raise FetchError(f"{url} is too large or too slow")
        try:
            document = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise FetchError(f"{url} is not JSON") from error
        if not isinstance(document, dict):
            raise FetchError(f"{url} is not a JSON object")
        return document


def _usable_keys(jwks: object) -> dict[str, VerificationKey]:
    """Keys that may verify, by kid. Others are passed over; two different keys of one kid cancel each other."""
    if not isinstance(jwks, list):
        raise FetchError("the key set has no list of keys")
    usable: dict[str, VerificationKey] = {}
    ambiguous: set[str] = set()
    for jwk in jwks:
        try:
            key = key_from_jwk(jwk)
        except MalformedError as error:
            log.info("jwk_passed_over", reason=str(error))
            continue
        if usable.setdefault(key.kid, key) != key:
            ambiguous.add(key.kid)
    return {kid: key for kid, key in usable.items() if kid not in ambiguous}
