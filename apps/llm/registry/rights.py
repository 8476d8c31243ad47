"""Whose rows a caller may write, beyond what the route's permission says (apps/identity/access.py).

Rows without a tenant are the platform's: its administrators write them. A tenant's administrator writes the own
tenant's. What spends the platform's money, an instance of one of its providers, is its administrators' to make.
"""

from typing import Literal
from uuid import UUID

from apps.identity.principal import Principal
from apps.identity.standing import is_platform_admin
from apps.llm.models import Provider
from kernel.errors import ForbiddenError

Scope = Literal["tenant", "global"]


def require_platform_admin(principal: Principal, what: str) -> None:
    """ForbiddenError for everybody else. ``what`` begins the sentence: `The platform's providers are`."""
    if not is_platform_admin(principal):
        raise ForbiddenError(
            f"{what} for administrators of the platform to change.",
            code="platform_admin_required",
            required_role="platform administrator",
        )


def owner_for(principal: Principal, scope: Scope) -> UUID | None:
    """Whose the new row is: the tenant acted for, or None, the platform's."""
    if scope == "global":
        require_platform_admin(principal, "What belongs to every tenant is")
        return None
    return principal.tenant_id


def require_owner(principal: Principal | None, tenant_id: UUID | None, what: str) -> None:
    """ForbiddenError for a row of the platform's and a caller that only sees it. None: the platform itself."""
    if principal is not None and tenant_id is None:
        require_platform_admin(principal, what)


def require_spending(principal: Principal | None, provider: Provider) -> None:
    """ForbiddenError where a tenant's administrator would decide what the platform's provider is asked and paid for."""
    if principal is not None and provider.tenant_id is None and not is_platform_admin(principal):
        raise ForbiddenError(
            f"{provider.name} is the platform's provider: its administrators make its models and set their prices. "
            "Register a provider of your own, or ask them.",
            code="platform_admin_required",
            required_role="platform administrator",
        )
