"""Who may do what: roles, scopes and permissions as data (SPEC 2.3), default deny. docs/reference/rbac.md shows it.

A permission is ``resource:action``. A caller may use it when one of its roles has it in MATRIX *and* its token's scopes
cover what `scope_for` asks: the role is what a person may do, the scopes what this token may do in the person's name.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from apps.identity.principal import ADMIN_SCOPE, Principal
from apps.identity.scopes import SCOPE_TEXTS, SIGN_IN_SCOPES, covers
from kernel.errors import ForbiddenError

_READER = frozenset({"user:me", "read"})
_USER = _READER | {"write", "tools:invoke", "graph:read", "models:list", "models:infer"}
_STATUS = frozenset({"system:status", "system:metrics"})

# SPEC's scopes for its four roles; the others have their base's and, word for word, the contract's (6.1).
ROLE_SCOPES: dict[str, frozenset[str]] = {
    "admin": frozenset(SCOPE_TEXTS) - SIGN_IN_SCOPES
    | {"admin:*", "models:*", "tools:*", "db:*", "graph:*", "mcp:*", "tenants:*", "security:*", "sessions:*"}
    | {"system:*", "ratelimit:*", "privacy:*"},
    "operator": _USER | _STATUS | {"system:health", "ratelimit:manage", "security:check"},
    "user": _USER,
    "viewer": _READER,
    "researcher": _USER | {"db:query:read", "db:schema:read", "sessions:*", "privacy:consent:manage", "ratelimit:read"},
    "curator": _USER
    | {"db:write", "db:query:read", "db:schema:read", "graph:crud", "graph:write", "archive:write", "data:quality"},
    "data_engineer": _USER
    | _STATUS
    | {"etl:*", "db:write", "db:query:read", "db:schema:read", "graph:write", "system:backup"},
    "auditor": _READER
    | _STATUS
    | {"security:audit", "security:audit:read", "security:check", "privacy:read", "tools:invoke"},
    "guest": _READER | {"models:list", "models:infer", "tools:invoke", "db:schema:read"},
}
ROLES = frozenset(ROLE_SCOPES)

ACTIONS = {"C": "create", "R": "read", "U": "update", "D": "delete", "I": "invoke"}
RESOURCES: dict[str, str] = {
    "agent-runs": "runs of agents; C: starting, cancelling and resuming one's own",
    "agents": "definitions of agents",
    "jobs": "one's own jobs",
    "tools": "the tool registry; I: running a tool",
    "tenants": "tenants",
    "graph": "the graph",
    "sessions": "one's own sessions",
    "models": "language models and their providers; I: asking a model",
    "files": "one's own files",
    "all-jobs": "every owner's jobs in the tenant",
    "all-files": "every owner's files in the tenant",
    "audit": "the audit log",
    "platform": "state of components and workers (R), its administration (U)",
    "metrics": "the platform's measurements",
}
# SPEC 2.3, row by row; what SPEC does not name is ours. A role of EXTENDS has its base's row and what stands here.
ROWS: dict[str, dict[str, str]] = {
    "admin": {**dict.fromkeys(RESOURCES, "CRUD"), "tools": "CRUDI", "models": "CRUDI", "audit": "R", "platform": "RU",
              "metrics": "R"},
    "operator": {"agent-runs": "CRU", "agents": "R", "jobs": "CRUD", "tools": "RI", "tenants": "R", "graph": "R",
                 "sessions": "CRUD", "models": "RI", "files": "CRD", "platform": "R", "metrics": "R"},
    "user": {"agent-runs": "CR", "agents": "R", "jobs": "CRD", "tools": "RI", "graph": "R", "sessions": "CRUD",
             "models": "RI", "files": "CRD"},
    "viewer": {"agent-runs": "R", "jobs": "R", "tools": "R", "sessions": "R", "models": "R", "files": "R"},
    "researcher": {},
    "curator": {"graph": "CRUD"},
    "data_engineer": {"graph": "CRUD", "platform": "R", "metrics": "R"},
    "auditor": {"tools": "RI", "audit": "R", "platform": "R", "metrics": "R"},
    "guest": {"tools": "RI", "models": "I"},
}  # fmt: skip
EXTENDS = {"researcher": "user", "curator": "user", "data_engineer": "user", "auditor": "viewer", "guest": "viewer"}

MATRIX: dict[str, frozenset[str]] = {
    role: frozenset(
        f"{resource}:{ACTIONS[letter]}"
        for row in (ROWS.get(EXTENDS.get(role, ""), {}), ROWS[role])
        for resource, letters in row.items()
        for letter in letters
    )
    for role in ROWS
}
PERMISSIONS: tuple[str, ...] = tuple(sorted(frozenset().union(*MATRIX.values())))

# A token without `roles` is the predecessor's kind, which had scopes only: the first row whose scope it covers says
# what its bearer is, and which of our scopes that amounts to (contract 6.3).
INFERRED: tuple[tuple[str, str, frozenset[str]], ...] = (
    (ADMIN_SCOPE, "admin", frozenset()),
    ("graph:write", "curator", frozenset({"read", "write"})),
    ("tools:invoke:all", "user", frozenset({"read", "write", "graph:read"})),
    ("tools:invoke:basic", "user", frozenset({"read", "write"})),
    ("write", "user", frozenset()),
    ("graph:read", "user", frozenset({"read"})),
    ("read", "viewer", frozenset()),
    ("user:me", "viewer", frozenset({"read"})),
)


@dataclass(frozen=True)
class Verdict:
    """Whether a caller has a permission, and the sentence that says why."""

    allowed: bool
    reason: str


def scope_for(permission: str) -> str:
    """The scope a token needs beside the role."""
    resource, action = permission.split(":")
    if resource == "graph":
        return "graph:read" if action == "read" else "graph:write"
    if resource == "sessions":
        return permission
    if action == "read":
        own = {
            "audit": "security:audit:read",
            "platform": "system:status",
            "metrics": "system:metrics",
            "models": "models:list",
            "all-jobs": ADMIN_SCOPE,
            "all-files": ADMIN_SCOPE,
        }
        return own.get(resource, "read")
    if action == "invoke":
        return "models:infer" if resource == "models" else "tools:invoke:basic"
    return "write" if resource in ("jobs", "agent-runs", "files") else ADMIN_SCOPE


def may(principal: Principal, permission: str) -> bool:
    """Whether the caller has the permission (``jobs:create``)."""
    has_role = any(permission in MATRIX[role] for role in principal.roles if role in MATRIX)
    return has_role and covers(principal.scopes, scope_for(permission))


def require(principal: Principal, permission: str) -> None:
    """ForbiddenError, which names the permission and the scope, unless the caller may."""
    if not may(principal, permission):
        raise ForbiddenError(
            "Forbidden: missing permission",
            required_permission=permission,
            required_scopes=[scope_for(permission)],
        )


def verdict(principal: Principal, permission: str) -> Verdict:
    """`may` with its reason. Not for deciding: for telling."""
    granting = sorted(role for role in MATRIX if permission in MATRIX[role])
    held = [role for role in granting if role in principal.roles]
    scope = scope_for(permission)
    if not held:
        return Verdict(False, f"None of your roles has it. These roles have it: {', '.join(granting)}.")
    if not covers(principal.scopes, scope):
        return Verdict(False, f"Your role {held[0]} has it, but this token lacks the scope {scope}.")
    return Verdict(True, f"Your role {held[0]} has it, and this token covers the scope {scope}.")


def permissions_of(principal: Principal) -> frozenset[str]:
    """Every permission the caller has with this token."""
    return frozenset(permission for permission in PERMISSIONS if may(principal, permission))


def leading_role(principal: Principal) -> str | None:
    """The caller's role with the most permissions; None without a known role."""
    known = [role for role in MATRIX if role in principal.roles]
    return max(known, key=lambda role: len(MATRIX[role]), default=None)


def scopes_of(roles: Iterable[str]) -> frozenset[str]:
    """Every scope these roles may have together; an unknown role has none."""
    return frozenset().union(*(ROLE_SCOPES.get(role, frozenset()) for role in roles))


def inferred_from(scopes: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """(roles, scopes) of a token that names no roles, by the table INFERRED."""
    for scope, role, more in INFERRED:
        if covers(scopes, scope):
            return frozenset({role}), scopes | more
    return frozenset(), scopes


def grantable(requested: Iterable[str], roles: Iterable[str]) -> list[str]:
    """The requested scopes that a holder of these roles may get, in the order asked for."""
    allowed = scopes_of(roles)
    return [scope for scope in dict.fromkeys(requested) if scope in SIGN_IN_SCOPES or covers(allowed, scope)]
