"""Who may change what of a tenant, beyond what the route's permission says (apps/identity/access.py).

A platform administrator may all of it. A tenant's administrator administers the own tenant only, and not what the
platform has set for it.
"""

from typing import Any
from uuid import UUID

from django.conf import settings

from apps.identity.principal import Principal
from apps.identity.standing import is_platform_admin
from apps.tenancy.config import RateLimits
from kernel.errors import ForbiddenError, NotFoundError

# Quotas, the tenant's own ceiling and its status are the platform's to set.
OWN_FIELDS = frozenset({"name", "admin_email", "metadata", "settings"})
OWN_SETTINGS = frozenset({"features", "default_model", "pii_mode", "rate_limits"})
OWN_RATE_LIMITS = frozenset({"user_per_minute", "users"})


def require_platform_admin(principal: Principal) -> None:
    """ForbiddenError for everybody else."""
    if not is_platform_admin(principal):
        raise ForbiddenError(
            "Only an administrator of the platform may do this.",
            code="platform_admin_required",
            required_role="platform administrator",
        )


def require_sight(principal: Principal, tenant_id: UUID) -> None:
    """NotFoundError unless it is the caller's tenant or the caller administers the platform."""
    if tenant_id != principal.tenant_id and not is_platform_admin(principal):
        raise NotFoundError("There is no such tenant.", code="tenant_not_found")


def require_own_fields(principal: Principal, change: dict[str, Any]) -> None:
    """ForbiddenError, naming the fields, when a tenant's administrator reaches for what is the platform's."""
    if is_platform_admin(principal):
        return
    wanted = change.get("settings") or {}
    limits = wanted.get("rate_limits", {})
    beyond = sorted(
        {name for name in change if name not in OWN_FIELDS}
        | {f"settings.{name}" for name in wanted if name not in OWN_SETTINGS}
        | {f"settings.rate_limits.{name}" for name in limits or {} if name not in OWN_RATE_LIMITS}
        | ({"settings.rate_limits"} if "rate_limits" in wanted and limits is None else set())
    )
    if beyond:
        raise ForbiddenError(
            f"Only an administrator of the platform may change {', '.join(beyond)}.",
            code="platform_admin_required",
            fields=beyond,
        )


def require_below_ceiling(principal: Principal, limits: RateLimits) -> None:
    """ForbiddenError when a tenant's administrator gives a caller more than the whole tenant may have."""
    if is_platform_admin(principal):
        return
    ceiling = limits.tenant_per_minute or settings.RATE_LIMIT_TENANT
    above = {name: limit for name, limit in limits.users.items() if limit > ceiling}
    if above or (limits.user_per_minute or 0) > ceiling:
        raise ForbiddenError(
            f"A caller cannot have more requests a minute than the whole tenant: {ceiling}.",
            code="platform_admin_required",
            ceiling=ceiling,
        )
