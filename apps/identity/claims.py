"""Verified payload -> Principal: every claim by type and value, unknown roles dropped."""

import math
import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.identity.jose import MalformedError
from apps.identity.principal import Principal
from apps.identity.rbac import ROLES, inferred_from, scopes_of

MAX_SUB_LENGTH = 255
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,255}")  # RFC 6749, 3.3
_ID_TOKEN_CLAIMS = frozenset({"nonce", "at_hash", "c_hash"})


@dataclass(frozen=True)
class Rules:
    """What a token of the trusted issuer looks like."""

    issuer: str
    audience: str
    requires_at_jwt: bool  # typ must be at+jwt (RFC 9068); external issuers also sign access tokens as plain JWT
    expiry_leeway_s: int
    leeway_s: int = 60  # for iat and nbf: clocks differ


def check_type(header: dict[str, Any], payload: dict[str, Any], rules: Rules) -> None:
    """Refuse ID tokens, refresh tokens and whatever else the issuer signs with the same key."""
    typ = header.get("typ")
    if not isinstance(typ, str):
        raise MalformedError("no typ")
    typ = typ.lower().removeprefix("application/")
    if typ == "at+jwt":
        return
    if rules.requires_at_jwt or typ != "jwt":
        raise MalformedError("not an access token by its typ")
    if _ID_TOKEN_CLAIMS & payload.keys() or payload.get("typ", "Bearer") != "Bearer":
        raise MalformedError("not an access token by its claims")


def principal_of(payload: dict[str, Any], rules: Rules, *, now_s: float) -> Principal:
    """The caller a signed payload speaks for. MalformedError when any claim is missing, mistyped or out of its time."""
    if payload.get("iss") != rules.issuer or not isinstance(payload["iss"], str):
        raise MalformedError("another issuer")
    audience = payload.get("aud")
    if rules.audience not in (_texts(audience) if isinstance(audience, list) else [audience]):
        raise MalformedError("another audience")
    expires_at = _moment(payload, "exp")
    if now_s >= expires_at + rules.expiry_leeway_s:
        raise MalformedError("expired")
    if _moment(payload, "iat") > now_s + rules.leeway_s:
        raise MalformedError("issued in the future")
    if "nbf" in payload and _moment(payload, "nbf") > now_s + rules.leeway_s:
        raise MalformedError("not valid yet")
    roles, scopes = _rights(payload)
    return Principal(
        sub=_sub(payload.get("sub")),
        tenant_id=_tenant_id(payload.get("tenant_id")),
        roles=roles,
        scopes=scopes,
        expires_at=math.floor(expires_at),
    )


def _moment(payload: dict[str, Any], name: str) -> float:
    value = payload.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        raise MalformedError(f"{name} is not a time")
    return value


def _sub(value: Any) -> str:
    # isprintable: no control characters, which neither logs nor PostgreSQL take, and no lone surrogates
    if not isinstance(value, str) or not 0 < len(value) <= MAX_SUB_LENGTH or not value.isprintable():
        raise MalformedError("sub is not a name")
    return value


def _tenant_id(value: Any) -> UUID:
    if not isinstance(value, str) or len(value) != 36:
        raise MalformedError("tenant_id is not a UUID")
    try:
        tenant_id = UUID(value)
    except ValueError as error:
        raise MalformedError("tenant_id is not a UUID") from error
    if str(tenant_id) != value:
        raise MalformedError("tenant_id is not in canonical form")
    return tenant_id


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise MalformedError("not a list of texts")
    return value


def _rights(payload: dict[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
    """(roles, scopes). Roles named but unknown are no roles; without any, the scopes say what the bearer is. A token
    that says nothing of scopes has its roles' scopes; one with an empty list has none."""
    named = _texts(payload.get("roles", []))
    scopes = _scopes(payload)
    if not named:
        return inferred_from(scopes)
    roles = frozenset(named) & ROLES
    return roles, scopes if payload.keys() & {"scope", "scopes"} else scopes_of(roles)


def _scopes(payload: dict[str, Any]) -> frozenset[str]:
    scope = payload.get("scope", "")
    if not isinstance(scope, str):
        raise MalformedError("scope is not a text")
    scopes = frozenset([*_texts(payload.get("scopes", [])), *(name for name in scope.split(" ") if name)])
    if not all(_SCOPE.fullmatch(name) for name in scopes):
        raise MalformedError("a scope has characters it may not have")
    return scopes
