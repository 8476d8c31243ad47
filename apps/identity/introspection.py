"""What may be told about a token to whoever may ask (RFC 7662). A token nobody may hear of looks like a bad one."""

from typing import Any

from apps.identity import standing
from apps.identity.jose import decode
from apps.identity.principal import Principal
from apps.identity.scopes import covers
from apps.identity.tokens import verify
from kernel.errors import UnauthenticatedError

SCOPE = "introspection"
_SHOWN = ("iss", "sub", "aud", "client_id", "jti", "iat", "nbf", "exp", "scope", "tenant_id", "roles")


def describe(token: str) -> dict[str, Any]:
    """{active: true, ...} as the token says, or {active: false}. Knows of a revocation at once."""
    described, _ = _look_at(token)
    return described


def describe_to(caller: Principal, token: str) -> dict[str, Any]:
    """The same for a caller of the API: about its own tokens; with the scope `introspection`, its tenant's; as a
    platform administrator, all."""
    described, bearer = _look_at(token)
    if bearer is None:
        return described
    is_its_own = (bearer.sub, bearer.tenant_id) == (caller.sub, caller.tenant_id)
    may_ask = covers(caller.scopes, SCOPE) and bearer.tenant_id == caller.tenant_id
    if is_its_own or may_ask or standing.is_platform_admin(caller):
        return described
    return {"active": False}


def _look_at(token: str) -> tuple[dict[str, Any], Principal | None]:
    standing.current.reload()
    try:
        bearer = verify(token)
    except UnauthenticatedError:
        return {"active": False}, None
    payload = decode(token).payload
    shown = {name: payload[name] for name in _SHOWN if name in payload}
    return {"active": True, "token_type": "Bearer", **shown}, bearer
