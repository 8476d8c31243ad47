"""Who may do what: roles, scopes and permissions as data (SPEC 2.3), default deny. docs/reference/rbac.md shows it.

A permission is ``resource:action``. A caller may use it when one of its roles has it in MATRIX *and* its token's scopes
cover what SCOPE_FOR asks: the role is what a person may do, the scopes what this token may do in the person's name.
"""

from collections.abc import Iterable

from apps.identity.principal import ADMIN_SCOPE, Principal
from kernel.errors import ForbiddenError

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

_ACTIONS = {"C": "create", "R": "read", "U": "update", "D": "delete"}
# SPEC 2.3, row by row; the other resources are ours. A role of _EXTENDS has its base's row and what stands here.
_ROWS: dict[str, dict[str, str]] = {
    "admin": dict.fromkeys(
        ("agent-runs", "jobs", "tools", "tenants", "sessions", "models", "audit", "platform", "graph"), "CRUD"
    ),
    "operator": {"agent-runs": "CRU", "jobs": "CRUD", "tools": "R", "tenants": "R", "sessions": "CRUD", "models": "R",
                 "platform": "R", "graph": "R"},
    "user": {"agent-runs": "CR", "jobs": "CRD", "tools": "R", "sessions": "CRUD", "models": "R", "graph": "R"},
    "viewer": {"agent-runs": "R", "jobs": "R", "tools": "R", "sessions": "R", "models": "R"},
    "researcher": {},
    "curator": {"graph": "CRUD"},
    "data_engineer": {"graph": "CRUD", "platform": "R"},
    "auditor": {"audit": "R", "platform": "R"},
    "guest": {},
}  # fmt: skip
_EXTENDS = {"researcher": "user", "curator": "user", "data_engineer": "user", "auditor": "viewer", "guest": "viewer"}

MATRIX: dict[str, frozenset[str]] = {
    role: frozenset(
        f"{resource}:{_ACTIONS[letter]}"
        for row in (_ROWS.get(_EXTENDS.get(role, ""), {}), _ROWS[role])
        for resource, letters in row.items()
        for letter in letters
    )
    for role in _ROWS
}


def scope_for(permission: str) -> str:
    """The scope a token needs beside the role."""
    resource, action = permission.split(":")
    if resource == "graph":
        return "graph:read" if action == "read" else "graph:write"
    if resource == "audit":
        return "security:audit"
    if resource == "platform":
        return "system:status" if action == "read" else ADMIN_SCOPE
    if resource == "tenants" and action != "read":
        return ADMIN_SCOPE
    return "read" if action == "read" else "write"


def may(principal: Principal, permission: str) -> bool:
    """Whether the caller has the permission (``jobs:create``)."""
    if not any(permission in MATRIX[role] for role in principal.roles & ROLES):
        return False
    return ADMIN_SCOPE in principal.scopes or scope_for(permission) in principal.scopes


def require(principal: Principal, permission: str) -> None:
    """ForbiddenError, which names the permission and the scope, unless the caller may."""
    if not may(principal, permission):
        raise ForbiddenError(
            "Forbidden: missing permission",
            required_permission=permission,
            required_scopes=[scope_for(permission)],
        )


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
