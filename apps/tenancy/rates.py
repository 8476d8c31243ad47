"""How often a caller and its tenant may ask, as limits to count against (SPEC 2.4; contract 1.7).

The edge counts a request against these and its route's; the tool ratelimit.manage shows what is left of them.
"""

import hashlib
import re

from django.conf import settings

from apps.identity.principal import Principal
from apps.tenancy.config import RateLimits, TenantConfig
from kernel.rate_limit.windows import DAY, HOUR, MINUTE, Limit
from kernel.redis_keys import (
    RATELIMIT_TENANT,
    RATELIMIT_TENANT_DAY,
    RATELIMIT_TENANT_RUNS,
    RATELIMIT_USER,
    RATELIMIT_USER_RUNS,
)

_PLAIN_SUB = re.compile(r"[A-Za-z0-9._@|+=-]{1,128}", re.ASCII)


def caller_limit(principal: Principal, own: RateLimits) -> Limit:
    """The caller's requests a minute."""
    key = RATELIMIT_USER(sub=sub_part(principal.sub))
    return Limit("user", key, user_limit(principal, own), MINUTE, owner=owner_of(principal))


def tenant_limit(principal: Principal, own: RateLimits) -> Limit:
    """The requests a minute of all callers of the tenant acted for."""
    limit = own.tenant_per_minute or platform_limit(settings.RATE_LIMIT_TENANT)
    return Limit("tenant", RATELIMIT_TENANT(id=principal.tenant_id), limit, MINUTE)


def day_limits(principal: Principal, config: TenantConfig | None) -> list[Limit]:
    """The tenant's requests in 24 hours, where it has a quota; else nothing."""
    if config is None or config.settings.quotas.requests_per_day is None:
        return []
    key = RATELIMIT_TENANT_DAY(id=principal.tenant_id)
    return [Limit("tenant-day", key, config.settings.quotas.requests_per_day, DAY)]


def caller_run_limit(principal: Principal) -> Limit:
    """Runs of agents that the caller may start in a minute."""
    key = RATELIMIT_USER_RUNS(sub=sub_part(principal.sub))
    return Limit("user-runs", key, platform_limit(settings.RUNS_PER_MINUTE), MINUTE, owner=owner_of(principal))


def tenant_run_limit(principal: Principal) -> Limit:
    """Runs of agents that all callers of the tenant may start in an hour."""
    key = RATELIMIT_TENANT_RUNS(id=principal.tenant_id)
    return Limit("tenant-runs", key, platform_limit(settings.RUNS_PER_TENANT_HOUR), HOUR)


def user_limit(principal: Principal, own: RateLimits) -> int:
    """Requests a minute: set for this caller, else for the tenant's callers, else the highest of the caller's roles."""
    if principal.sub in own.users:
        return own.users[principal.sub]
    by_role = settings.RATE_LIMITS_BY_ROLE
    of_roles = (by_role[role] for role in principal.roles if role in by_role)
    return own.user_per_minute or platform_limit(max(of_roles, default=settings.RATE_LIMIT_WITHOUT_ROLE))


def platform_limit(per_minute: int) -> int:
    """One of the platform's own limits, as this installation scales them."""
    return max(1, round(per_minute * settings.RATE_LIMIT_FACTOR))


def owner_of(principal: Principal) -> str:
    """Tells the same `sub` of two tenants apart within a key."""
    return principal.tenant_id.hex[-12:] + "."


def sub_part(sub: str) -> str:
    """The {sub} of ratelimit:user:{sub}: as it is when it is plain, else a digest, which no plain one can equal."""
    return sub if _PLAIN_SUB.fullmatch(sub) else "sha256:" + hashlib.sha256(sub.encode()).hexdigest()[:32]
