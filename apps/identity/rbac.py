"""Roles and the scopes each may get: one table, default deny. The built-in issuer grants no scope that is not here."""

from collections.abc import Iterable

from apps.identity.principal import ADMIN_SCOPE

# What a person reads on the consent page.
SCOPE_TEXTS: dict[str, str] = {
    "openid": "Know that it is you",
    "profile": "See your user name and roles",
    "user:me": "See who you are signed in as",
    "read": "Read your jobs and results",
    "write": "Create, cancel and retry jobs",
    "tools:invoke": "Run tools in your name",
    "graph:read": "Query the graph",
    "graph:write": "Change the graph",
    "system:status": "See the state of the platform's components",
    "system:metrics": "See the platform's measurements",
    "security:audit": "Read the audit log",
    "introspection": "Ask whether a token is still valid",
    ADMIN_SCOPE: "Do everything in your tenant",
}
SIGN_IN_SCOPES = frozenset({"openid", "profile"})  # any account may have these

_READER = frozenset({"user:me", "read"})
_USER = _READER | {"write", "tools:invoke", "graph:read"}
_STATUS = frozenset({"system:status", "system:metrics"})

ROLE_SCOPES: dict[str, frozenset[str]] = {
    "guest": _READER,
    "viewer": _READER,
    "user": _USER,
    "researcher": _USER,
    "curator": _USER | {"graph:write"},
    "data_engineer": _USER | _STATUS | {"graph:write"},
    "operator": _USER | _STATUS,
    "auditor": _READER | _STATUS | {"security:audit"},
    "admin": frozenset(SCOPE_TEXTS) - SIGN_IN_SCOPES,
}
ROLES = frozenset(ROLE_SCOPES)


def scopes_of(roles: Iterable[str]) -> frozenset[str]:
    """Every scope these roles may have together; an unknown role has none."""
    return frozenset().union(*(ROLE_SCOPES.get(role, frozenset()) for role in roles))


def grantable(requested: Iterable[str], roles: Iterable[str]) -> list[str]:
    """The requested scopes that a holder of these roles may get, in the order asked for."""
    allowed = scopes_of(roles) | SIGN_IN_SCOPES
    return [scope for scope in dict.fromkeys(requested) if scope in allowed]


def permissions_of(roles: Iterable[str], scopes: Iterable[str]) -> frozenset[str]:
    """What the caller may really do: its scopes, and all of them for an administrator."""
    held = frozenset(scopes)
    return held | ROLE_SCOPES["admin"] if ADMIN_SCOPE in held or "admin" in roles else held
