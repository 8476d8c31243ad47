"""Tokens made by hand, good ones and every kind of bad one. ATTACKS is shared by the unit and the HTTP tests."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

AUDIENCE = "cineca-agentic-platform"
HASHES = {"RS256": hashes.SHA256(), "RS384": hashes.SHA384(), "RS512": hashes.SHA512()}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def to_json(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


@dataclass
class Forge:
    """Signs anything with one key pair. ``issuer``, ``kid`` and ``tenant_id`` are what an honest token carries."""

    private_key: rsa.RSAPrivateKey
    kid: str
    issuer: str
    tenant_id: str = field(default_factory=lambda: str(uuid4()))

    def claims(self, **changes: Any) -> dict[str, Any]:
        now_s = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "ada",
            "iat": now_s,
            "nbf": now_s,
            "exp": now_s + 600,
            "jti": uuid4().hex,
            "tenant_id": self.tenant_id,
            "roles": ["user"],
            "scopes": ["read", "write"],
        }
        claims.update(changes)
        return {name: value for name, value in claims.items() if value is not ...}

    def header(self, **changes: Any) -> dict[str, Any]:
        header = {"alg": "RS256", "typ": "at+jwt", "kid": self.kid, **changes}
        return {name: value for name, value in header.items() if value is not ...}

    def signed_part(self, header: Any = None, payload: Any = None) -> str:
        header = self.header() if header is None else header
        payload = self.claims() if payload is None else payload
        return f"{b64(to_json(header))}.{b64(to_json(payload))}"

    def sign(self, signed: str, alg: str = "RS256") -> str:
        return b64(self.private_key.sign(signed.encode(), padding.PKCS1v15(), HASHES[alg]))

    def token(self, header: Any = None, payload: Any = None, alg: str = "RS256") -> str:
        signed = self.signed_part(header, payload)
        return f"{signed}.{self.sign(signed, alg)}"

    def with_claims(self, **changes: Any) -> str:
        return self.token(payload=self.claims(**changes))

    def with_header(self, **changes: Any) -> str:
        return self.token(header=self.header(**changes))

    def hmac_token(self, secret: bytes) -> str:
        signed = self.signed_part(header=self.header(alg="HS256"))
        return f"{signed}.{b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"

    def public_pem(self) -> bytes:
        return self.private_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def jwk(self, **changes: Any) -> dict[str, Any]:
        numbers = self.private_key.public_key().public_numbers()
        members = {"n": as_number(numbers.n), "e": as_number(numbers.e)}
        jwk = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, **members, **changes}
        return {name: value for name, value in jwk.items() if value is not ...}


def as_number(number: int) -> str:
    return b64(number.to_bytes((number.bit_length() + 7) // 8))


def _flipped(forge: Forge) -> str:
    signed = forge.signed_part()
    signature = bytearray(base64.urlsafe_b64decode(forge.sign(signed) + "=="))
    signature[7] ^= 1
    return f"{signed}.{b64(bytes(signature))}"


def _zero_es256(forge: Forge) -> str:
    return f"{forge.signed_part(header=forge.header(alg='ES256'))}.{b64(bytes(64))}"


def _real_es256(forge: Forge) -> str:
    signed = forge.signed_part(header=forge.header(alg="ES256"))
    r, s = decode_dss_signature(
        ec.generate_private_key(ec.SECP256R1()).sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
    )
    return f"{signed}.{b64(r.to_bytes(32) + s.to_bytes(32))}"


def _pss(forge: Forge, header_alg: str) -> str:
    signed = forge.signed_part(header=forge.header(alg=header_alg))
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 20)
    return f"{signed}.{b64(forge.private_key.sign(signed.encode(), scheme, hashes.SHA256()))}"


def _stray_bits(forge: Forge) -> str:
    """The same signature value spelt another way: the last character's unused bits are set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token = forge.token()
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


def _duplicate(forge: Forge, name: str, second: str) -> str:
    text = json.dumps(forge.claims())
    return forge.token(payload=f'{text[:-1]}, "{name}": {second}}}'.encode())


def _stolen_signature(forge: Forge) -> str:
    return forge.signed_part() + "." + forge.with_claims(sub="someone else").split(".")[2]


def _other_key(forge: Forge) -> str:
    stranger = Forge(rsa.generate_private_key(public_exponent=65537, key_size=2048), forge.kid, forge.issuer)
    return stranger.with_claims(tenant_id=forge.tenant_id)


HOUR_S = 3600
ATTACKS: dict[str, Callable[[Forge], str]] = {
    # 1: no algorithm
    **{
        f"1 alg {alg!r} with {'a' if keep else 'no'} signature": lambda forge, alg=alg, keep=keep: (
            (signed := forge.signed_part(header=forge.header(alg=alg))) + "." + (forge.sign(signed) if keep else "")
        )
        for alg in ("none", "None", "nOnE", "NONE", "", 256, None, ["RS256"])
        for keep in (False, True)
    },
    # 2: a public key taken for a secret
    "2 HS256 with the public PEM as secret": lambda forge: forge.hmac_token(forge.public_pem()),
    "2 HS256 with the JWK as secret": lambda forge: forge.hmac_token(json.dumps(forge.jwk()).encode()),
    "2 HS256 with n as secret": lambda forge: forge.hmac_token(forge.jwk()["n"].encode()),
    "2 HS256 with an empty secret": lambda forge: forge.hmac_token(b""),
    # 3: signatures
    "3 null signature": lambda forge: f"{forge.signed_part()}.{b64(bytes(256))}",
    "3 signature of another token": _stolen_signature,
    "3 signature stripped": lambda forge: forge.signed_part() + ".",
    "3 signature and dot stripped": lambda forge: forge.signed_part(),
    "3 one bit flipped": _flipped,
    "3 another key under our kid": _other_key,
    "3 RS384 signature called RS256": lambda forge: forge.token(alg="RS384"),
    "3 five parts": lambda forge: forge.token() + ".a.b",
    # 6: critical extensions
    "6 crit exp": lambda forge: forge.with_header(crit=["exp"], exp=1),
    "6 crit empty": lambda forge: forge.with_header(crit=[]),
    "6 crit null": lambda forge: forge.with_header(crit=None),
    "6 unknown extension": lambda forge: forge.with_header(crit=["urn:x"], **{"urn:x": 1}),
    "6 b64 false": lambda forge: forge.with_header(b64=False),
    # 8: issuer
    **{
        f"8 iss {name}": lambda forge, change=change: forge.with_claims(iss=change(forge.issuer))
        for name, change in {
            "prefix": lambda iss: iss[:-1],
            "suffix": lambda iss: iss + "x",
            "case": str.upper,
            "slash": lambda iss: iss + "/",
            "list": lambda iss: [iss],
            "object": lambda iss: {iss: iss},
            "missing": lambda iss: ...,
            "null": lambda iss: None,
            "subdomain": lambda iss: iss.replace("://", "://evil."),
        }.items()
    },
    # 9: other kinds of token
    **{
        f"9 typ {typ!r}": lambda forge, typ=typ: forge.with_header(typ=typ)
        for typ in ("JWT", "jwt", "id+jwt", "at+jwt+x", "rt+jwt", "logout+jwt", "", None, 1, ..., ["at+jwt"])
    },
    "9 a random refresh token": lambda forge: "mT3pVJ1cWbKX9kMZt0yTqGmPq2b8sN",
    # 11: other algorithms, spelling
    "11 ES256 of zeros": _zero_es256,
    "11 ES256": _real_es256,
    "11 PS256 with a short salt": lambda forge: _pss(forge, "PS256"),
    "11 PSS signature called RS256": lambda forge: _pss(forge, "RS256"),
    "11 padded": lambda forge: forge.token() + "==",
    "11 padded header": lambda forge: forge.token().replace(".", "=.", 1),
    "11 white space at the end": lambda forge: forge.token() + "\n",
    "11 white space inside": lambda forge: forge.token().replace(".", ". ", 1),
    "11 foreign character": lambda forge: forge.token().replace(".", "!.", 1),
    "11 plus for minus": lambda forge: forge.token()[:-1] + "+",
    "11 stray bits": _stray_bits,
    "11 NUL": lambda forge: forge.token() + "\0",
    "11 not ASCII": lambda forge: forge.token() + "é",
    "11 kid unknown": lambda forge: forge.with_header(kid="nobody"),
    "11 kid prefix": lambda forge: forge.with_header(kid=forge.kid[:-1]),
    "11 kid missing": lambda forge: forge.with_header(kid=...),
    "11 kid a list": lambda forge: forge.with_header(kid=[forge.kid]),
    "11 kid a path": lambda forge: forge.with_header(kid="../../dev/null"),
    "11 key in the header": lambda forge: _other_key(forge).replace(
        forge.token().split(".")[0], b64(to_json(forge.header(jwk=forge.jwk())))
    ),
    "11 header not an object": lambda forge: forge.token(header=b'["RS256"]'),
    "11 header not JSON": lambda forge: forge.token(header=b"{"),
    "11 payload not an object": lambda forge: forge.token(payload=b'"ada"'),
    "11 payload not UTF-8": lambda forge: forge.token(payload=b'{"sub": "\xff"}'),
    "11 payload deeply nested": lambda forge: forge.token(payload=b"[" * 9000 + b"]" * 2),
    "11 NaN": lambda forge: forge.token(
        payload=json.dumps(forge.claims()).replace('"exp": ', '"exp": NaN, "x": ').encode()
    ),
    "11 too long": lambda forge: forge.with_claims(filler="x" * 16_384),
    # times and audience
    "expired": lambda forge: forge.with_claims(exp=int(time.time()) - 61),
    "exp missing": lambda forge: forge.with_claims(exp=...),
    "exp a text": lambda forge: forge.with_claims(exp=str(int(time.time()) + 600)),
    "exp true": lambda forge: forge.with_claims(exp=True),
    "exp infinite": lambda forge: forge.token(
        payload=json.dumps(forge.claims()).replace('"exp": ', '"exp": 1e999, "x": ').encode()
    ),
    "iat missing": lambda forge: forge.with_claims(iat=...),
    "iat in the future": lambda forge: forge.with_claims(iat=int(time.time()) + 61 + 600),
    "nbf in the future": lambda forge: forge.with_claims(nbf=int(time.time()) + 61 + 600),
    "nbf null": lambda forge: forge.with_claims(nbf=None),
    **{
        f"aud {aud!r}": lambda forge, aud=aud: forge.with_claims(aud=aud)
        for aud in ("other", ["other"], [], AUDIENCE + "x", AUDIENCE.upper(), None, ..., [[AUDIENCE]], [AUDIENCE, 1])
    },
    **{
        f"sub {sub!r}"[:40]: lambda forge, sub=sub: forge.with_claims(sub=sub)
        for sub in ("", None, ..., 7, ["ada"], "x" * 256, "a\0b", "a\nb", "\ud800")
    },
    # 13: a key twice
    "13 tenant_id twice": lambda forge: _duplicate(forge, "tenant_id", f'"{uuid4()}"'),
    "13 tenant_id twice, once escaped": lambda forge: _duplicate(forge, "tenant\\u005fid", f'"{uuid4()}"'),
    "13 exp twice": lambda forge: _duplicate(forge, "exp", str(int(time.time()) + 9 * HOUR_S)),
    "13 a nested key twice": lambda forge: _duplicate(forge, "more", '{"a": 1, "a": 2}'),
    "13 alg twice": lambda forge: forge.token(
        header=json.dumps(forge.header()).replace('{"alg"', '{"alg": "none", "alg"').encode()
    ),
    # 14: tenant
    **{
        f"14 tenant_id {name}": lambda forge, change=change: forge.with_claims(tenant_id=change(forge.tenant_id))
        for name, change in {
            "empty": lambda tenant: "",
            "null": lambda tenant: None,
            "star": lambda tenant: "*",
            "list": lambda tenant: [tenant, str(uuid4())],
            "NUL": lambda tenant: tenant + "\0",
            "space": lambda tenant: tenant + " ",
            "look-alike": lambda tenant: "а" + tenant[1:],
            "full-width": lambda tenant: "１" + tenant[1:],
            "upper case": lambda tenant: "ABCDEF" + tenant[6:],
            "braces": lambda tenant: "{" + tenant + "}",
            "urn": lambda tenant: "urn:uuid:" + tenant,
            "without dashes": lambda tenant: tenant.replace("-", ""),
            "missing": lambda tenant: ...,
            "number": lambda tenant: 1,
        }.items()
    },
    # 15: roles and scopes
    "15 roles a text": lambda forge: forge.with_claims(roles="admin"),
    "15 roles of numbers": lambda forge: forge.with_claims(roles=[1]),
    "15 roles an object": lambda forge: forge.with_claims(roles={"admin": True}),
    "15 scopes a text": lambda forge: forge.with_claims(scopes="admin:all"),
    "15 scopes of lists": lambda forge: forge.with_claims(scopes=[["admin:all"]]),
    "15 scope a list": lambda forge: forge.with_claims(scope=["admin:all"]),
    "15 a scope with a line break": lambda forge: forge.with_claims(scopes=["read\nadmin:all"]),
    # nothing at all
    "empty": lambda forge: "",
    "dots": lambda forge: "..",
    "a word": lambda forge: "token",
}
