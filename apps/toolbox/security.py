"""Who the caller is and what it may do (SPEC 8; contract 7.3). Nothing here says more than the tokens and tables of
rights do; about others only what an administrator of their tenant may know."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from apps.identity import access, rbac
from apps.identity.principal import Principal
from apps.identity.scopes import covers
from apps.identity.selectors import user_by_name
from apps.identity.standing import is_platform_admin, slug_of
from apps.tenancy.resolver import tenant_config
from apps.tools import registry
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.registry import Effective
from apps.tools.spec import ToolInput, ToolOutput, tool
from kernel.clock import iso
from kernel.errors import ForbiddenError, NotFoundError

LATEST_S = 253_402_300_799  # the last second that a calendar of four digits has
Word = Annotated[str, StringConstraints(min_length=1, max_length=150, pattern=r"^[^\x00-\x1f\x7f]+$")]


class NothingIn(ToolInput):
    """Nothing is asked for."""


class PrincipalOut(ToolOutput):
    sub: str = Field(description="Whom the token speaks for.")
    tenant_id: UUID = Field(description="The tenant that is worked in.")
    tenant: str | None = Field(description="Its short name.")
    tenant_status: str | None
    role: str | None = Field(description="The role that brings the most permissions.")
    roles: list[str]
    scopes: list[str] = Field(description="What the token may do in its bearer's name.")
    permissions: list[str] = Field(description="What roles and scopes allow together.")
    platform_admin: bool = Field(description="Whether the caller administers the whole platform.")
    acting_for: str | None = Field(
        description="The short name of the tenant acted for, where it is not the one that the token names."
    )
    home_tenant_id: UUID = Field(description="The tenant that the token names.")
    expires_at: str | None = Field(description="When the token ends; null where no token is involved, as in a run.")
    door: str = Field(description="How this call came: rest, mcp, agent or job.")
    run_id: UUID | None


@tool("security.describe_principal", effect="read", title="Who am I", example={})
def describe_principal(context: ToolContext, given: NothingIn) -> PrincipalOut:
    """Who makes this call: subject, tenant, roles, scopes, permissions, when the token ends, and for whom it acts."""
    principal, config = context.principal, tenant_config(context.tenant_id)
    slug = slug_of(principal.tenant_id)
    ends = datetime.fromtimestamp(min(principal.expires_at, LATEST_S), UTC) if principal.expires_at else None
    return PrincipalOut(
        sub=principal.sub,
        tenant_id=principal.tenant_id,
        tenant=slug,
        tenant_status=None if config is None else config.status,
        role=rbac.leading_role(principal),
        roles=sorted(principal.roles),
        scopes=sorted(principal.scopes),
        permissions=sorted(rbac.permissions_of(principal)),
        platform_admin=is_platform_admin(principal),
        acting_for=slug if principal.home_tenant_id is not None else None,
        home_tenant_id=principal.own_tenant_id,
        expires_at=iso(ends),
        door=context.door,
        run_id=context.run_id,
    )


class OperationsIn(ToolInput):
    matching: str = Field("", max_length=100, description="Only names and paths that hold this text, in any case.")
    include_tools: bool = Field(True, description="The tools you may call.")
    include_routes: bool = Field(False, description="The routes of the API that you may use.")


class AllowedTool(ToolOutput):
    name: str
    effect: str
    reading_only: bool = Field(description="You may call it only with those of its actions that read.")


class AllowedRoute(ToolOutput):
    method: str
    path: str
    needs: str


class OperationsOut(ToolOutput):
    sub: str
    roles: list[str]
    permissions: list[str] = Field(description="As resource:action.")
    tools: list[AllowedTool]
    routes: list[AllowedRoute]


@tool("security.allowed_operations", effect="read", title="What may I do", example={"matching": "graph"})
def allowed_operations(context: ToolContext, given: OperationsIn) -> OperationsOut:
    """The roles and permissions of who asks, the tools it may call, and the routes of the API it may use.

    A route or tool that is listed may still refuse a single object that is not the caller's.
    """
    principal, wanted = context.principal, given.matching.lower()
    tools = registry.callable_by(principal) if given.include_tools else ()
    return OperationsOut(
        sub=principal.sub,
        roles=sorted(principal.roles),
        permissions=sorted(one for one in rbac.permissions_of(principal) if wanted in one),
        tools=[_allowed(principal, one) for one in tools if wanted in one.spec.name],
        routes=_routes(principal, wanted) if given.include_routes else [],
    )


def _allowed(principal: Principal, one: Effective) -> AllowedTool:
    return AllowedTool(name=one.spec.name, effect=one.effect, reading_only=registry.lacks(principal, one) is not None)


def _routes(principal: Principal, wanted: str) -> list[AllowedRoute]:
    found = []
    for path, methods in access.ROUTES.items():
        if wanted not in path.lower():
            continue
        for method in methods:
            needs = access.need(path, method)
            if needs in (access.PUBLIC, access.SIGNED_IN) or (needs is not None and rbac.may(principal, needs)):
                found.append(AllowedRoute(method=method, path=path, needs=needs))
    return found


class PermissionsIn(ToolInput):
    action: Literal["resolve", "check", "list"]
    role: Word | None = Field(None, description="A role instead of you.")
    username: Word | None = Field(None, description="An account of your tenant instead of you; for its administrators.")
    scope: Word | None = Field(None, description="For check: a permission, as graph:read, or a scope.")


class Role(ToolOutput):
    role: str
    extends: str | None
    permissions: list[str]
    scopes: list[str]


class PermissionsOut(ToolOutput):
    action: str
    subject: str | None = Field(None, description="Whose rights these are.")
    roles: list[str] | None = None
    permissions: list[str] | None = None
    scopes: list[str] | None = None
    is_active: bool | None = Field(None, description="Of an account: whether it can sign in.")
    allowed: bool | None = None
    reason: str | None = None
    required_scope: str | None = None
    table: list[Role] | None = Field(None, description="With list: every role, or the one that was asked for.")


@tool(
    "security.permissions",
    effect="read",
    title="Roles and permissions",
    example={"action": "check", "scope": "graph:update"},
)
def permissions(context: ToolContext, given: PermissionsIn) -> PermissionsOut:
    """What roles, accounts and you may do, by the platform's table of rights.

    list shows the roles with their permissions and scopes; resolve what you, a role or an account of your tenant
    amount to; check whether one permission or scope (scope) is among it, and why. An account's rights are what it may
    have at most: a token may have fewer scopes.
    """
    if given.role is not None and given.role not in rbac.MATRIX:
        raise ToolFailed(f"There is no such role. Say one of {', '.join(rbac.MATRIX)}.", code="unknown_role")
    if given.action == "list":
        return PermissionsOut(action="list", table=[_role(name) for name in rbac.MATRIX if given.role in (None, name)])
    subject, holder, is_active = _holder(context.principal, given)
    if given.action == "resolve":
        return PermissionsOut(
            action="resolve",
            subject=subject,
            roles=sorted(holder.roles),
            permissions=sorted(rbac.permissions_of(holder)) if is_active else [],
            scopes=sorted(holder.scopes),
            is_active=is_active if given.username else None,
        )
    return _checked(subject, holder, given.scope, is_active=is_active)


def _role(name: str) -> Role:
    return Role(
        role=name,
        extends=rbac.EXTENDS.get(name),
        permissions=sorted(rbac.MATRIX[name]),
        scopes=sorted(rbac.scopes_of([name])),
    )


def _holder(principal: Principal, given: PermissionsIn) -> tuple[str, Principal, bool]:
    """(what to call it, who has the rights that are asked about, whether it can sign in)."""
    if given.username is not None:
        user = user_by_name(given.username)
        is_self = user is not None and str(user.id) == principal.sub
        if not is_self and not rbac.may(principal, "tenants:update"):
            raise ForbiddenError(
                "The rights of others are for administrators of the tenant to see. Leave username out for your own.",
                required_permission="tenants:update",
            )
        if user is None or user.tenant_id != principal.tenant_id:
            raise NotFoundError("There is no such account in your tenant.", code="account_not_found")
        roles = frozenset(user.roles)
        held = Principal(str(user.id), principal.tenant_id, roles, rbac.scopes_of(roles))
        return f"account {given.username}", held, user.is_active
    if given.role is not None:
        roles = frozenset({given.role})
        return f"role {given.role}", Principal("", principal.tenant_id, roles, rbac.scopes_of(roles)), True
    return f"you, {principal.sub}", principal, True


def _checked(subject: str, holder: Principal, wanted: str | None, *, is_active: bool) -> PermissionsOut:
    if wanted is None:
        raise ToolFailed("Say with scope which permission or scope is meant.", code="scope_missing")
    if wanted in rbac.PERMISSIONS:
        verdict = rbac.verdict(holder, wanted)
        allowed, reason, needed = verdict.allowed, verdict.reason, rbac.scope_for(wanted)
    else:
        allowed, needed = covers(holder.scopes, wanted), wanted
        reason = f"Its scopes {'cover' if allowed else 'do not cover'} {wanted}."
    if not is_active:
        allowed, reason = False, "The account is disabled."
    return PermissionsOut(
        action="check", subject=subject, roles=sorted(holder.roles), allowed=allowed, reason=reason,
        required_scope=needed,
    )  # fmt: skip
