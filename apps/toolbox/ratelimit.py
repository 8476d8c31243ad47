"""What a caller has used of its rate limits, and changing them within what the platform allows (contract 6.1, 7.3)."""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any, Literal

from django.conf import settings
from pydantic import Field, StringConstraints

from apps.audit import trail
from apps.identity import rbac
from apps.identity.principal import Principal
from apps.identity.scopes import covers
from apps.identity.selectors import roles_in
from apps.tenancy import rates
from apps.tenancy.config import RateLimits, TenantConfig
from apps.tenancy.resolver import tenant_config
from apps.tenancy.services import change_tenant
from apps.tools import policy, registry
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.spec import ToolInput, ToolOutput, tool
from kernel.errors import ForbiddenError, UnavailableError
from kernel.rate_limit import limiter
from kernel.rate_limit.windows import MINUTE, Limit

READ, MANAGE = "ratelimit:read", "ratelimit:manage"
USER, TOOL = "user:", "tool:"
CALLERS_MOST = 1_000  # with a limit of their own
Key = Annotated[
    str,
    StringConstraints(
        max_length=300, pattern=r"^(me|tenant|callers|user:[^\x00-\x1f\x7f]{1,255}|tool:[a-z0-9_.]{1,100})$"
    ),
]


class ManageIn(ToolInput):
    action: Literal["get", "list", "set", "reset"]
    key: Key = Field(
        "me",
        description="me; user:<sub>, one caller of your tenant; tenant, all callers together; callers, each caller by "
        "default (set); tool:<name>, your calls of a tool (get).",
    )
    limit: int | None = Field(
        None, ge=1, le=1_000_000_000, description="For set: requests a minute; null goes back to the default."
    )
    window: int | None = Field(None, description="For set: seconds. These limits are all of a minute: 60.")


class Use(ToolOutput):
    key: str
    scope: str = Field(description="The word that an answer of status 429 names the limit by.")
    limit: int | None = Field(description="Null: it follows from the caller's roles, which are not known here.")
    used: int
    remaining: int | None
    window_s: int
    reset_s: int = Field(description="Seconds until the oldest of what was used counts no more; 0: nothing was used.")


class ManageOut(ToolOutput):
    action: str
    limits: list[Use] = Field(default=[], description="With get and list: what was used and may be used.")
    configured: dict[str, Any] | None = Field(
        None, description="What your tenant's settings say, in requests a minute; only for who may manage limits."
    )
    ceiling: int | None = Field(None, description="No caller may have more requests a minute: the whole tenant's.")
    reset: list[str] = Field(default=[], description="Scopes whose counts began anew.")


@tool(
    "ratelimit.manage",
    effect="idempotent",
    title="Rate limits",
    reading_actions=("get", "list"),
    example={"action": "get"},
)
def manage(context: ToolContext, given: ManageIn) -> ManageOut:
    """How many requests you have made and may make, and for who manages limits: changing that.

    get shows the limits of one key, list yours and, with ratelimit:read, your tenant's. reset (ratelimit:manage)
    begins the counts of me or user:<sub> anew. set changes requests a minute of user:<sub> or callers: for
    administrators, up to what the whole tenant may have; of tenant: for administrators of the platform. Looking counts
    nothing.
    """
    principal, config = context.principal, tenant_config(context.tenant_id)
    match given.action:
        case "get":
            return ManageOut(
                action="get", limits=_used(_limits_of(principal, given.key, config)), ceiling=_ceiling(config)
            )
        case "list":
            return _listed(principal, config)
        case "set":
            return _set(principal, given, config)
        case "reset":
            return _reset(principal, given.key, config)


def may(principal: Principal, scope: str) -> bool:
    """Whether a role of the caller's has this scope, and its token covers it. Who may manage may read."""
    wanted = (scope, MANAGE)
    return any(covers(rbac.scopes_of(principal.roles), one) and covers(principal.scopes, one) for one in wanted)


def _require(principal: Principal, scope: str, what: str) -> None:
    if not may(principal, scope):
        raise ForbiddenError(f"{what} needs {scope}, which you do not have.", required_scopes=[scope])


def _limits_of(principal: Principal, key: str, config: TenantConfig | None) -> list[tuple[str, Limit, bool]]:
    """(key, limit, whether the limit itself is known) of what this key names, as far as the caller may see it."""
    own = _own(config)
    if key == "tenant":
        _require(principal, READ, "What the whole tenant uses")
        tenants = (
            rates.tenant_limit(principal, own),
            rates.tenant_run_limit(principal),
            *rates.day_limits(principal, config),
        )
        return [(key, limit, True) for limit in tenants]
    if key.startswith(TOOL):
        found = registry.find(principal.tenant_id, key.removeprefix(TOOL))
        if not registry.may_call(principal, found):
            raise ForbiddenError(f"You may not call {found.spec.name}, so nothing is counted for it.")
        return [(f"{TOOL}{found.spec.name}", limit, True) for limit in policy.rate_limits(principal, found)]
    if key == "callers":
        raise ToolFailed("callers has no counts: each caller has its own. Ask for me or user:<sub>.", code="no_counts")
    caller = _caller(principal, key)
    known = bool(caller.roles) or caller.sub in own.users or own.user_per_minute is not None
    return [
        (key, rates.caller_limit(caller, own), known),
        (key, rates.caller_run_limit(caller), True),
    ]


def _caller(principal: Principal, key: str) -> Principal:
    """Whom ``me`` or ``user:<sub>`` names: always somebody of the caller's own tenant."""
    sub = principal.sub if key == "me" else key.removeprefix(USER)
    if sub == principal.sub:
        return principal
    _require(principal, MANAGE, "What another caller uses")
    return replace(principal, sub=sub, roles=roles_in(principal.tenant_id, sub), scopes=frozenset())


def _used(limits: Iterable[tuple[str, Limit, bool]]) -> list[Use]:
    wanted = list(limits)
    usages = limiter.look([limit for _, limit, _ in wanted])
    return [
        Use(
            key=key,
            scope=limit.scope,
            limit=limit.limit if is_known else None,
            used=usage.used,
            remaining=max(0, limit.limit - usage.used) if is_known else None,
            window_s=limit.window.seconds,
            reset_s=math.ceil(usage.reset_ms / 1000) if usage.used else 0,
        )
        for (key, limit, is_known), usage in zip(wanted, usages, strict=True)
    ]


def _listed(principal: Principal, config: TenantConfig | None) -> ManageOut:
    limits = _limits_of(principal, "me", config)
    if may(principal, READ):
        limits += _limits_of(principal, "tenant", config)
    configured = _own(config).model_dump(mode="json") if may(principal, MANAGE) else None
    return ManageOut(action="list", limits=_used(limits), configured=configured, ceiling=_ceiling(config))


def _set(principal: Principal, given: ManageIn, config: TenantConfig | None) -> ManageOut:
    rbac.require(principal, "tenants:update")
    if given.window not in (None, MINUTE.seconds):
        raise ToolFailed("These limits are all of a minute: leave window out, or say 60.", code="fixed_window")
    ceiling = _ceiling(config)
    if given.key != "tenant" and given.limit is not None and given.limit > ceiling:
        raise ToolFailed(
            f"A caller cannot have more requests a minute than the whole tenant: {ceiling}.",
            code="above_ceiling",
            ceiling=ceiling,
        )
    change: dict[str, Any]
    if given.key == "callers":
        change = {"user_per_minute": given.limit}
    elif given.key == "tenant":
        change = {"tenant_per_minute": given.limit}
    elif given.key.startswith(USER):
        change = {"users": {given.key.removeprefix(USER): given.limit}}
    elif given.key == "me":
        change = {"users": {principal.sub: given.limit}}
    else:
        raise ToolFailed(
            "How often a tool may be called is its manifest's and the tenant's policy's to say: /v1/tools.",
            code="not_set_here",
        )
    named = change.get("users", {})
    if len(_own(config).users.keys() | named.keys()) > CALLERS_MOST:
        raise ToolFailed(f"At most {CALLERS_MOST:,} callers have limits of their own.", code="too_many_callers")
    change_tenant(principal.tenant_id, {"settings": {"rate_limits": change}}, by=principal)
    now = tenant_config(principal.tenant_id)
    return ManageOut(action="set", configured=_own(now).model_dump(mode="json"), ceiling=_ceiling(now))


def _reset(principal: Principal, key: str, config: TenantConfig | None) -> ManageOut:
    """Of one caller: its requests, its runs, and its calls of every tool."""
    _require(principal, MANAGE, "Beginning counts anew")
    if key != "me" and not key.startswith(USER):
        raise ToolFailed("Only the counts of one caller can begin anew: me or user:<sub>.", code="one_caller_only")
    caller = _caller(principal, key)
    limits = [limit for _, limit, _ in _limits_of(principal, key, config)]
    for each in registry.tools_of(principal.tenant_id):
        limits += policy.rate_limits(caller, each)
    if not limiter.forget(limits):
        raise UnavailableError("The counts cannot be reached right now. Try again.", code="redis_unavailable")
    trail.note(
        **trail.by(principal),
        action="ratelimit.reset",
        resource_type="caller",
        resource_id=caller.sub,
        outcome=trail.SUCCESS,
    )
    return ManageOut(action="reset", reset=sorted({limit.scope for limit in limits}))


def _own(config: TenantConfig | None) -> RateLimits:
    return config.settings.rate_limits if config else RateLimits()


def _ceiling(config: TenantConfig | None) -> int:
    return _own(config).tenant_per_minute or int(settings.RATE_LIMIT_TENANT)
