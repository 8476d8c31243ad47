"""Whether this caller may call this tool now: role, scopes, switches, safe mode, rate (SPEC 8: tool policies)."""

import hashlib

from django.conf import settings

from apps.identity.principal import Principal
from apps.tenancy.resolver import tenant_config
from apps.tools import registry
from apps.tools.calls import Call
from apps.tools.errors import ReadOnly, ToolSwitchedOff
from apps.tools.registry import Effective
from kernel.errors import ForbiddenError
from kernel.rate_limit import limiter
from kernel.rate_limit.windows import Limit, Window
from kernel.redis_keys import RATELIMIT_TOOL

SLOTS = 12
TENANT_SAFE_MODE = "tools_read_only"  # a tenant's feature flag


def check(call: Call, tool: Effective) -> None:
    """ForbiddenError, ToolSwitchedOff, ReadOnly or RateLimitedError, in this order; else the call is counted. A job's
    was, when the job was asked for."""
    missing = registry.lacks(call.principal, tool)
    if missing is not None:
        raise ForbiddenError(
            f"{tool.spec.name} needs {missing}, which you do not have.",
            required_permission=missing,
            required_scopes=list(tool.required_scopes),
        )
    if tool.off:
        raise ToolSwitchedOff(f"{tool.spec.name} cannot be called. {tool.off}")
    if tool.writes:
        _require_writable(call, tool)
    if call.door != "job":
        _take_rate(call, tool)


def needs_approval(call: Call, tool: Effective) -> bool:
    """Whether a person must have approved this very call.

    A destructive tool asked for over MCP is, whoever asks: there a model speaks, and what it read is not known here.
    """
    if tool.approval == "always":
        return True
    if tool.approval == "never":
        return False
    return call.tainted or (call.door == "mcp" and tool.effect == "destructive")


def rate_limits(principal: Principal, tool: Effective) -> list[Limit]:
    """How often this caller may call this tool. A key for each window: its counts live as long as it is, and slots of
    another length are not mixed in."""
    limits = []
    for rate in tool.rates:
        counted = f"{principal.tenant_id}:{principal.sub}:{rate.window_s}"
        caller = hashlib.sha256(counted.encode()).hexdigest()[:24]
        window = Window(slot_ms=max(1, rate.window_s * 1000 // SLOTS), slots=SLOTS)
        key = RATELIMIT_TOOL(tool=tool.spec.name, caller=caller)
        limits.append(Limit("tool", key, _scaled(rate.requests), window))
    return limits


def _require_writable(call: Call, tool: Effective) -> None:
    if call.read_only:
        raise ReadOnly(f"{tool.spec.name} changes something, and this call may only read.")
    if settings.TOOLS_READ_ONLY:
        raise ReadOnly("The platform is read-only for tools at the moment.")
    config = tenant_config(call.principal.tenant_id)
    if config is not None and config.settings.features.get(TENANT_SAFE_MODE, False):
        raise ReadOnly("Your tenant is read-only for tools at the moment.")


def _take_rate(call: Call, tool: Effective) -> None:
    decision = limiter.take(rate_limits(call.principal, tool))
    if not decision.allowed:
        raise decision.error()


def _scaled(requests: int) -> int:
    """As this installation scales the platform's limits; 0 stays 0."""
    return requests and max(1, round(requests * settings.RATE_LIMIT_FACTOR))
