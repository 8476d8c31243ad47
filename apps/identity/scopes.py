"""What a token may do in its bearer's name: the scopes, which of them include others, and the predecessor's spellings.

A scope is never widened by guessing: one that is not in the hierarchy covers itself and nothing else.
"""

from collections.abc import Iterable
from functools import lru_cache

from apps.identity.principal import ADMIN_SCOPE

# What a person reads on the consent page; the scopes an application may ask for.
SCOPE_TEXTS: dict[str, str] = {
    "openid": "Know that it is you",
    "profile": "See your user name and roles",
    "user:me": "See who you are signed in as",
    "read": "Read your jobs and results",
    "write": "Create, cancel and retry jobs",
    "tools:invoke": "Run tools in your name",
    "tools:invoke:basic": "Run harmless tools in your name",
    "tools:invoke:all": "Run every tool of your role in your name",
    "graph:read": "Query the graph",
    "graph:write": "Change the graph",
    "models:list": "See the language models",
    "models:infer": "Use language models",
    "sessions:*": "Read and change your sessions",
    "system:status": "See the state of the platform's components",
    "system:metrics": "See the platform's measurements",
    "security:audit": "Read the audit log",
    "introspection": "Ask whether a token is still valid",
    ADMIN_SCOPE: "Do everything in your tenant",
}
SIGN_IN_SCOPES = frozenset({"openid", "profile"})  # any account may have these

# A scope -> what it includes. `x:*` includes whatever begins with `x:`, and ADMIN_SCOPE everything.
INCLUDES: dict[str, tuple[str, ...]] = {
    "admin:*": (ADMIN_SCOPE,),
    "admin:write": ("admin:read",),
    "write": ("read", "sessions:*"),
    "read": ("sessions:read", "models:list"),
    "graph:crud": ("graph:write",),
    "graph:write": ("graph:read",),
    "db:write": ("graph:write", "db:query:read"),
    "db:query:read": ("graph:read", "db:schema:read"),
    "tools:invoke:all": ("tools:invoke",),
    "tools:invoke": ("tools:invoke:basic",),
    "security:audit": ("security:audit:read",),
}
# The predecessor's other names for some of them (contract 6.3).
SPELLINGS: dict[str, str] = {
    "tools:basic": "tools:invoke:basic",
    "tools:invoke:*:basic": "tools:invoke:basic",
    "tools:all": "tools:invoke:all",
    "tools:invoke:*:all": "tools:invoke:all",
}


def covers(held: Iterable[str], needed: str) -> bool:
    """Whether somebody who holds these scopes may do what ``needed`` stands for."""
    everything = expanded(frozenset(held))
    needed = SPELLINGS.get(needed, needed)
    return ADMIN_SCOPE in everything or needed in everything or any(star in everything for star in _stars(needed))


@lru_cache(maxsize=1024)
def expanded(held: frozenset[str]) -> frozenset[str]:
    """The scopes and all that they include, spelt our way."""
    found: set[str] = set()
    waiting = list(held)
    while waiting:
        scope = waiting.pop()
        scope = SPELLINGS.get(scope, scope)
        if scope in found:
            continue
        found.add(scope)
        waiting += INCLUDES.get(scope, ())
        if scope.endswith(":*"):
            waiting += [name for name in INCLUDES if name.startswith(scope[:-1]) and name != scope]
    return frozenset(found)


def _stars(scope: str) -> list[str]:
    """`a:b:c` -> `a:b:*`, `a:*`."""
    parts = scope.split(":")
    return [":".join(parts[:length]) + ":*" for length in range(len(parts) - 1, 0, -1)]
