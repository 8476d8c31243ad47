"""With what a run acts: never with more than its caller has; with less where session, agent or request say so."""

from collections.abc import Iterable
from dataclasses import replace

from apps.identity.principal import Principal
from apps.identity.rbac import scopes_of
from apps.identity.scopes import covers
from kernel.errors import ForbiddenError


def limited_principal(principal: Principal, agent_role: str | None) -> Principal:
    """The caller as one of its roles alone, with the scopes that this role may have; None: as it is.

    ForbiddenError for a role that the caller does not have (any more): naming a role gives no right.
    """
    if agent_role is None:
        return principal
    if agent_role not in principal.roles:
        raise ForbiddenError(
            f"agent_role must be one of your own roles ({', '.join(sorted(principal.roles)) or 'you have none'}).",
            code="role_not_held",
        )
    of_role = scopes_of([agent_role])
    kept = frozenset(scope for scope in principal.scopes if covers(of_role, scope))
    # A wide scope of the caller's covers what the role has by name.
    kept |= frozenset(scope for scope in of_role if covers(principal.scopes, scope))
    return replace(principal, roles=frozenset({agent_role}), scopes=kept)


def limited_tools(*lists: Iterable[str] | None) -> tuple[str, ...] | None:
    """The tools that every list has, in the first one's order; a list that is None allows all. None: all allow all."""
    allowed: tuple[str, ...] | None = None
    for names in lists:
        if names is None:
            continue
        listed = tuple(dict.fromkeys(names))
        allowed = listed if allowed is None else tuple(name for name in allowed if name in frozenset(listed))
    return allowed
