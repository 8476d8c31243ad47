"""Which tools there are for a tenant, as its manifests and policies stand now. The code declares; PostgreSQL narrows.

A process asks PostgreSQL every other second; a change bites everywhere within three. A tool without a manifest, or
whose code is not what was approved (its fingerprint), is there and cannot be called.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
PACE = Pace(
    fresh_s=2.0,
    overdue_s=3.0,
    expired_s=60.0,
    min_interval_s=0.0,
    after_failure_s=1.0,
    patience_s=0.5,
    patience_with_nothing_s=2.0,
)
MANIFESTS = (
    "SELECT name, enabled, extra_scopes, approval, rate_requests, rate_window_s, timeout_s, approved_fingerprint "
    "FROM tool_manifests WHERE is_declared"
)
POLICIES = "SELECT tenant_id, tool, enabled, extra_scopes, approval, rate_requests, rate_window_s FROM tool_policies"


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
    """Everything read at one moment."""

    manifests: Mapping[str, Manifest]
    policies: Mapping[tuple[UUID, str], Policy]


@dataclass(frozen=True, slots=True)
class Effective:
    """A tool as it stands for one tenant. ``off``: why it cannot be called by anybody there, or empty.

    ``scopes``: what its code asks of a token; ``extra_scopes``: what administrators ask besides. ``effect``: of the
    call at hand, where its arguments say (``called_with``).
    """

    spec: ToolSpec
    off: str
    effect: Effect
    scopes: tuple[str, ...]
    extra_scopes: tuple[str, ...]
    approval: Approval
    rate: Rate
    timeout_s: float

    @property
    def writes(self) -> bool:
        return self.effect != "read"

    @property
    def needed_scopes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.scopes, *self.extra_scopes)))

    def called_with(self, arguments: Mapping[str, Any]) -> "Effective":
        """The tool as this call uses it: one of its reading actions asks for no more than a tool that reads."""
        if self.spec.effect_of(arguments) == self.effect:
            return self
        approval: Approval = "always" if self.approval == "always" else "never"
        return replace(self, effect="read", scopes=(BASIC,), approval=approval)


def find(tenant_id: UUID, name: str) -> Effective:
    """The tool of that name, or of which it is an alias. NotFoundError when there is none."""
    spec = DECLARED.get(name) or _by_alias(name)
    if spec is None:
        raise NotFoundError(
            f"There is no tool {name[:100]!r}. GET /v1/tools lists those you may call.", code="tool_not_found"
        )
    return _effective(spec, tenant_id, registered())


def tools_of(tenant_id: UUID) -> tuple[Effective, ...]:
    """Every tool, in order of name, as it stands for this tenant; those that are off as well."""
    now = registered()
    return tuple(_effective(DECLARED[name], tenant_id, now) for name in sorted(DECLARED))


def callable_by(principal: Principal) -> tuple[Effective, ...]:
    """The tools that this caller may call now, in order of name."""
    return tuple(tool for tool in tools_of(principal.tenant_id) if not tool.off and may_call(principal, tool))


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


def _by_alias(name: str) -> ToolSpec | None:
    return next((spec for spec in DECLARED.values() if name in spec.aliases), None)


def _effective(spec: ToolSpec, tenant_id: UUID, now: Registered) -> Effective:
    manifest, policy = now.manifests.get(spec.name), now.policies.get((tenant_id, spec.name))
    if manifest is None:
        off = "It is not in the registry: run `manage.py sync_tools`."
        return Effective(spec, off, spec.effect, spec.scopes, (), "always", spec.rate, spec.timeout_s)
    own = policy or Policy(None, (), "", None)
    off = ""
    if manifest.approved_fingerprint != spec.fingerprint:
        off = "What it does has changed, and no administrator of the platform has approved that yet."
    elif not manifest.enabled:
        off = "It is switched off."
    elif own.enabled is False:
        off = "It is switched off for your tenant."
    rates = (manifest.rate, own.rate or manifest.rate)
    return Effective(
        spec,
        off,
        spec.effect,
        spec.scopes,
        (*manifest.extra_scopes, *own.extra_scopes),
        max((_approval(said) for said in (manifest.approval or spec.approval, own.approval)), key=APPROVALS.index),
        min(rates, key=lambda rate: rate.requests / rate.window_s),
        manifest.timeout_s,
    )


def _approval(said: str) -> Approval:
    return next((known for known in APPROVALS if known == said), "never")


def _load() -> Registered:
    # Runs in a thread of its own, whose connection must go back to the pool.
    try:
        with engine_db.cursor() as cursor:
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
    finally:
        connections[engine_db.ALIAS].close()


def _texts(said: object) -> tuple[str, ...]:
    """A jsonb list as Django's or psycopg's connection hands it over."""

    found = json.loads(said) if isinstance(said, str) else said
    return tuple(str(one) for one in found) if isinstance(found, list) else ()


current: Reloaded[Registered] = Reloaded("tools", _load, (DatabaseError, psycopg.Error), PACE)
