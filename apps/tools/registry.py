"""Which tools there are for a tenant, as its manifests and policies stand now. The code declares; PostgreSQL narrows.

A process asks PostgreSQL every other second; a change bites everywhere within three. A tool without a manifest, or
whose code is not what was approved (its fingerprint), is there and cannot be called.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import psycopg
from django.db import Error as DatabaseError
from django.db import connections

from apps.identity import rbac
from apps.identity.principal import Principal
from apps.identity.reloading import Pace, Reloaded
from apps.identity.scopes import covers
from apps.identity.standing import is_platform_admin
from apps.tools.spec import APPROVALS, BASIC, DECLARED, Approval, Effect, Rate, ToolSpec
from kernel import engine_db
from kernel.errors import NotFoundError, UnavailableError

INVOKE = "tools:invoke"
LISTS_KEPT = 1000
PACE = Pace(
    fresh_s=2.0,
    overdue_s=3.0,
    expired_s=60.0,
    min_interval_s=0.0,
    after_failure_s=1.0,
    patience_s=0.5,
    patience_with_nothing_s=5.0,
)
MANIFESTS = (
    "SELECT name, enabled, extra_scopes, approval, rate_requests, rate_window_s, timeout_s, approved_fingerprint "
    "FROM tool_manifests WHERE is_declared"
)
POLICIES = "SELECT tenant_id, tool, enabled, extra_scopes, approval, rate_requests, rate_window_s FROM tool_policies"

# Another answer after any write, whoever wrote: every version of a row has its transaction's number.
WRITTEN = """
SELECT (SELECT count(*) FROM tool_manifests), (SELECT sum(hashtext(xmin::text)::bigint) FROM tool_manifests),
    (SELECT count(*) FROM tool_policies), (SELECT sum(hashtext(xmin::text)::bigint) FROM tool_policies)
"""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What PostgreSQL says of one tool, for all tenants. ``approval`` empty: as the code says."""

    enabled: bool
    extra_scopes: tuple[str, ...]
    approval: str
    rate: Rate
    timeout_s: float
    approved_fingerprint: str


@dataclass(frozen=True, slots=True)
class Policy:
    """What one tenant says of it. None and empty: as the manifest."""

    enabled: bool | None
    extra_scopes: tuple[str, ...]
    approval: str
    rate: Rate | None


@dataclass(frozen=True, slots=True)
class Registered:
    """Everything read at one moment, and what was made of it since: forgotten with it when the next is read."""

    manifests: Mapping[str, Manifest]
    policies: Mapping[tuple[UUID, str], Policy]
    tools: "dict[tuple[UUID | None, str], Effective]" = field(default_factory=dict, repr=False, compare=False)
    lists: "dict[object, tuple[Effective, ...]]" = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Effective:
    """A tool as it stands for one tenant. ``off``: why it cannot be called by anybody there, or empty.

    ``scopes``: what its code asks of a token; ``extra_scopes``: what administrators ask besides. ``effect``: of the
    call at hand, where its arguments say (``called_with``). ``rates``: each of them is kept; ``rate``: the one that
    lets the fewest through in the long run.
    """

    spec: ToolSpec
    off: str
    effect: Effect
    scopes: tuple[str, ...]
    extra_scopes: tuple[str, ...]
    approval: Approval
    rates: tuple[Rate, ...]
    timeout_s: float

    @property
    def rate(self) -> Rate:
        return min(self.rates, key=lambda rate: rate.requests / rate.window_s)

    @property
    def writes(self) -> bool:
        return self.effect != "read"

    @property
    def needed_scopes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.scopes, *self.extra_scopes)))

    @property
    def required_scopes(self) -> tuple[str, ...]:
        """Everything that a token must cover, those of its permissions too; none that another one includes."""
        found = sorted({*self.needed_scopes, *(rbac.scope_for(name) for name in (INVOKE, *self.spec.permissions))})
        for scope in tuple(found):
            others = frozenset(found) - {scope}
            if covers(others, scope):
                found.remove(scope)
        return tuple(found)

    def called_with(self, arguments: Mapping[str, Any]) -> "Effective":
        """The tool as this call uses it: one of its reading actions asks for no more than a tool that reads."""
        effect = self.spec.effect_of(arguments)
        if effect != "read" or self.effect == "read":
            return self if effect == self.effect else replace(self, effect=effect)
        approval: Approval = "always" if self.approval == "always" else "never"
        return replace(self, effect="read", scopes=(BASIC,), approval=approval)


def find(tenant_id: UUID, name: str) -> Effective:
    """The tool of that name, or of which it is an alias. NotFoundError when there is none."""
    return _effective(spec_of(name), tenant_id, registered())


def spec_of(name: str) -> ToolSpec:
    """What the code declares under that name or alias. NotFoundError when nothing."""
    spec = DECLARED.get(name) or next((spec for spec in DECLARED.values() if name in spec.aliases), None)
    if spec is None:
        raise NotFoundError(
            f"There is no tool {name[:100]!r}. GET /v1/tools lists those you may call.", code="tool_not_found"
        )
    return spec


def tools_of(tenant_id: UUID) -> tuple[Effective, ...]:
    """Every tool, in order of name, as it stands for this tenant; those that are off as well."""
    now = registered()
    place = (tenant_id, len(DECLARED))
    found = now.lists.get(place)
    if found is None:
        found = tuple(_effective(DECLARED[name], tenant_id, now) for name in sorted(DECLARED))
        _keep(now, place, found)
    return found


def callable_by(principal: Principal) -> tuple[Effective, ...]:
    """The tools that this caller may call now, in order of name."""
    now = registered()
    rights = (principal.roles, principal.scopes, is_platform_admin(principal))
    place = (principal.tenant_id, len(DECLARED), *rights)
    found = now.lists.get(place)
    if found is None:
        found = tuple(tool for tool in tools_of(principal.tenant_id) if not tool.off and may_call(principal, tool))
        _keep(now, place, found)
    return found


def may_call(principal: Principal, tool: Effective) -> bool:
    """Whether the caller may call the tool, if only to read with it."""
    weakest = tool.called_with({"action": tool.spec.reading_actions[0]}) if tool.spec.reading_actions else tool
    return lacks(principal, weakest) is None


def lacks(principal: Principal, tool: Effective) -> str | None:
    """The first permission or scope that the caller needs for the tool and has not; None when it may call it."""
    for permission in (INVOKE, *tool.spec.permissions):
        if not rbac.may(principal, permission):
            return permission
    if tool.spec.platform and not is_platform_admin(principal):
        return "platform administrator"
    return next((scope for scope in tool.needed_scopes if not covers(principal.scopes, scope)), None)


def registered() -> Registered:
    """At most three seconds old; while PostgreSQL is away the last known for a minute, then UnavailableError."""
    found = current.get()
    if found is None:
        raise UnavailableError("Tools cannot be looked up right now. Try again.", code="database_unavailable")
    return found


def _keep(now: Registered, place: object, found: tuple[Effective, ...]) -> None:
    """For as long as what was read is in force; a crowd of callers forgets the others' lists."""
    if len(now.lists) >= LISTS_KEPT:
        now.lists.clear()
    now.lists[place] = found


def _effective(spec: ToolSpec, tenant_id: UUID, now: Registered) -> Effective:
    """Tenants without a policy of their own share one."""
    policy = now.policies.get((tenant_id, spec.name))
    place = (None if policy is None else tenant_id, spec.name)
    found = now.tools.get(place)
    if found is None or found.spec is not spec:
        found = now.tools[place] = _narrowed(spec, now.manifests.get(spec.name), policy)
    return found


def _narrowed(spec: ToolSpec, manifest: Manifest | None, policy: Policy | None) -> Effective:
    """What the code declares, narrowed by the manifest, narrowed by the tenant: neither can widen what is before it.
    Only the manifest's rate stands for itself: how many calls the platform bears is its administrators' to say."""
    if manifest is None:
        off = "It is not in the registry: run `manage.py sync_tools`."
        return Effective(spec, off, spec.effect, spec.scopes, (), "always", (spec.rate,), spec.timeout_s)
    own = policy or Policy(None, (), "", None)
    off = ""
    if manifest.approved_fingerprint != spec.fingerprint:
        off = "What it does has changed, and no administrator of the platform has approved that yet."
    elif not manifest.enabled:
        off = "It is switched off."
    elif own.enabled is False:
        off = "It is switched off for your tenant."
    return Effective(
        spec,
        off,
        spec.effect,
        spec.scopes,
        tuple(dict.fromkeys((*manifest.extra_scopes, *own.extra_scopes))),
        max((spec.approval, _approval(manifest.approval), _approval(own.approval)), key=APPROVALS.index),
        _rates(manifest.rate, own.rate),
        min(manifest.timeout_s, spec.timeout_s),
    )


def _rates(platforms: Rate, tenants: Rate | None) -> tuple[Rate, ...]:
    """Both, or the smaller where they count in the same window."""
    if tenants is None:
        return (platforms,)
    if tenants.window_s == platforms.window_s:
        return (min(platforms, tenants, key=lambda rate: rate.requests),)
    return (platforms, tenants)


def _approval(said: str) -> Approval:
    return next((known for known in APPROVALS if known == said), "never")


class Reader:
    """Reads all of it anew where a row was written since, and else only learns that none was."""

    def __init__(self) -> None:
        self._last: tuple[tuple[Any, ...], Registered] | None = None

    def __call__(self) -> Registered:
        # Runs in a thread of its own, whose connection must go back to the pool.
        try:
            with engine_db.cursor() as cursor:
                cursor.execute(WRITTEN)
                written = tuple(cursor.fetchone())
                if self._last is None or self._last[0] != written:
                    self._last = (written, _read(cursor))
                return self._last[1]
        finally:
            connections[engine_db.ALIAS].close()


def _read(cursor: Any) -> Registered:
    cursor.execute(MANIFESTS)
    manifests = {
        name: Manifest(enabled, _texts(scopes), approval, Rate(requests, window_s), timeout_s, fingerprint)
        for name, enabled, scopes, approval, requests, window_s, timeout_s, fingerprint in cursor.fetchall()
    }
    cursor.execute(POLICIES)
    policies = {
        (tenant_id, tool): Policy(
            enabled,
            _texts(scopes),
            approval,
            None if requests is None or window_s is None else Rate(requests, window_s),
        )
        for tenant_id, tool, enabled, scopes, approval, requests, window_s in cursor.fetchall()
    }
    return Registered(manifests, policies)


def _texts(said: object) -> tuple[str, ...]:
    """A jsonb list as Django's or psycopg's connection hands it over."""
    found = json.loads(said) if isinstance(said, str) else said
    return tuple(str(one) for one in found) if isinstance(found, list) else ()


current: Reloaded[Registered] = Reloaded("tools", Reader(), (DatabaseError, psycopg.Error), PACE)
