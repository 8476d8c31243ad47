"""The strict half of RFC 7515: text to header, payload and signature; JWK to key. RFC 8725 is the reason for each rule.

Nothing here trusts a token: `decode` reads its shape, `check_signature` says whether the key made it. RSA PKCS#1 v1.5
with SHA-2 only, chosen by the key's type and never by the token alone.
"""

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from jwt.algorithms import RSAAlgorithm

MAX_TOKEN_BYTES = 16 * 1024
MIN_KEY_BITS, MAX_KEY_BITS = 2048, 8192
ALGORITHMS = {
    "RS256": RSAAlgorithm(RSAAlgorithm.SHA256),
    "RS384": RSAAlgorithm(RSAAlgorithm.SHA384),
    "RS512": RSAAlgorithm(RSAAlgorithm.SHA512),
}
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


class MalformedError(ValueError):
    """The token or key breaks a rule. The text is for the log, never for the caller."""


@dataclass(frozen=True)
class VerificationKey:
    """A public RSA key that may verify signatures. ``alg`` is the one algorithm it is pinned to, or None."""

    kid: str
    n: int
    e: int
    alg: str | None = None

    def public_key(self) -> RSAPublicKey:
        return RSAPublicNumbers(self.e, self.n).public_key()


@dataclass(frozen=True)
class DecodedToken:
    """A token whose shape is right; its signature has not been looked at."""

    header: dict[str, Any]
    payload: dict[str, Any]
    signed: bytes
    signature: bytes

    @property
    def kid(self) -> str:
        return str(self.header["kid"])


def decode(token: str) -> DecodedToken:
    """Read a compact JWS. MalformedError for whatever a careful reader and a lenient one could read differently."""
    if len(token) > MAX_TOKEN_BYTES or not token.isascii():
        raise MalformedError("too long or not ASCII")
    parts = token.split(".")
    if len(parts) != 3:
        raise MalformedError("not three parts")
    header, payload = (_read_object(base64url_decode(part)) for part in parts[:2])
    if not isinstance(header.get("alg"), str) or header["alg"] not in ALGORITHMS:
        raise MalformedError("algorithm not allowed")
    if not isinstance(header.get("kid"), str) or not header["kid"]:
        raise MalformedError("no kid")
    if "crit" in header or "b64" in header:
        raise MalformedError("critical extensions are not supported")
    signature = base64url_decode(parts[2])
    if not signature:
        raise MalformedError("no signature")
    return DecodedToken(header, payload, f"{parts[0]}.{parts[1]}".encode(), signature)


def check_signature(token: DecodedToken, key: VerificationKey) -> None:
    """Raise MalformedError unless ``key`` made the signature with the algorithm both name."""
    algorithm = token.header["alg"]
    if key.alg is not None and key.alg != algorithm:
        raise MalformedError("the key is for another algorithm")
    if not ALGORITHMS[algorithm].verify(token.signed, key.public_key(), token.signature):
        raise MalformedError("wrong signature")


def key_from_jwk(jwk: object) -> VerificationKey:
    """The public RSA signing key a JWK describes. MalformedError for any other kind, use, size or spelling."""
    if not isinstance(jwk, dict) or jwk.get("kty") != "RSA":
        raise MalformedError("not an RSA key")
    if jwk.get("use", "sig") != "sig":
        raise MalformedError("not a signing key")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise MalformedError("not a key to verify with")
    if jwk.get("alg") not in (None, *ALGORITHMS):
        raise MalformedError("algorithm not allowed")
    if "d" in jwk:
        raise MalformedError("a published private key")
    kid, numbers = jwk.get("kid"), [jwk.get("n"), jwk.get("e")]
    if not isinstance(kid, str) or not kid or not all(isinstance(number, str) for number in numbers):
        raise MalformedError("kid, n and e must be texts")
    n, e = (int.from_bytes(base64url_decode(str(number))) for number in numbers)
    if not MIN_KEY_BITS <= n.bit_length() <= MAX_KEY_BITS:
        raise MalformedError("key size not allowed")
    if e < 3 or e % 2 == 0 or e.bit_length() > 64 or n % 2 == 0:
        raise MalformedError("not an RSA public key")
    return VerificationKey(kid=kid, n=n, e=e, alg=jwk.get("alg"))


def thumbprint(n: int, e: int) -> str:
    """RFC 7638 of an RSA public key: the `kid` of the built-in issuer's keys."""
    members = f'{{"e":"{encode_number(e)}","kty":"RSA","n":"{encode_number(n)}"}}'
    return base64url_encode(hashlib.sha256(members.encode()).digest())


def base64url_decode(text: str) -> bytes:
    """No padding, no white space, no foreign character, no stray bits at the end: one text for each value."""
    if not _BASE64URL.fullmatch(text):
        raise MalformedError("not base64url")
    try:
        value = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise MalformedError("not base64url") from error
    if base64url_encode(value) != text:
        raise MalformedError("base64url with stray bits")
    return value


def base64url_encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def encode_number(number: int) -> str:
    return base64url_encode(number.to_bytes((number.bit_length() + 7) // 8))


def _read_object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedError("not JSON") from error
    if not isinstance(value, dict):
        raise MalformedError("not a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise MalformedError("a key appears twice")
    return value


def _no_constant(name: str) -> NoReturn:
    raise MalformedError(f"{name} is not JSON")
