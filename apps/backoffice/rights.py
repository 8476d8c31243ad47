"""Who may see and do what in the administration pages: one table, and the person of a request (docs/howto/admin.md)."""

from dataclasses import dataclass, replace
from typing import cast
from uuid import UUID

from django.http import HttpRequest

from apps.identity.principal import ADMIN_SCOPE, Principal
from apps.identity.rbac import scopes_of
from kernel.errors import ForbiddenError

OVERVIEW, JOBS, JOBS_ACT = "overview", "jobs", "jobs_act"
TENANTS, USERS, SIGNED_IN, LIMITS, AUDIT, AGENT_SESSIONS, SETTINGS = (
    "tenants", "users", "signed_in", "limits", "audit", "agent_sessions", "settings",
)  # fmt: skip
MODELS, SPENDING = "models", "spending"
RUNS, RUNS_ACT, AGENTS = "runs", "runs_act", "agents"
TOOLS, TOOLS_SET, TOOL_CALLS, TOOL_APPROVALS = "tools", "tools_set", "tool_calls", "tool_approvals"

# A role that is not here opens no page.
RIGHTS: dict[str, frozenset[str]] = {
    "admin": frozenset(
        {
            OVERVIEW,
            JOBS,
            JOBS_ACT,
            TENANTS,
            USERS,
            SIGNED_IN,
            LIMITS,
            AUDIT,
            AGENT_SESSIONS,
            SETTINGS,
            MODELS,
            SPENDING,
            RUNS,
            RUNS_ACT,
            AGENTS,
            TOOLS,
            TOOLS_SET,
            TOOL_CALLS,
            TOOL_APPROVALS,
        }
    ),
    "operator": frozenset({OVERVIEW, JOBS, JOBS_ACT, RUNS, RUNS_ACT, TOOLS, TOOL_CALLS}),
    "auditor": frozenset({OVERVIEW, AUDIT}),
}
# Of an administrator these only when its tenant is the platform's own: they show what no tenant owns.
PLATFORM_ONLY = frozenset({SETTINGS})


@dataclass(frozen=True)
class Staff:
    """The person at the keyboard, as its account or its token says at this very request."""

    sub: str
    user_id: UUID
    tenant_id: UUID
    tenant_slug: str
    roles: frozenset[str]
    is_platform: bool

    @property
    def rights(self) -> frozenset[str]:
        held = frozenset().union(*(RIGHTS.get(role, frozenset()) for role in self.roles))
        return held if self.is_platform else held - PLATFORM_ONLY

    def may(self, right: str) -> bool:
        return right in self.rights

    @property
    def principal(self) -> Principal:
        """The caller whom the services know, in its own tenant."""
        return self.acting_in(self.tenant_id)

    def acting_in(self, tenant_id: UUID) -> Principal:
        """The caller in the tenant of what is acted on, with the rights of its roles."""
        if tenant_id == self.tenant_id:
            return Principal(self.sub, tenant_id, self.roles, scopes_of(self.roles))
        if not self.is_platform:
            raise RuntimeError("an administrator of one tenant was about to act in another")
        return Principal(self.sub, tenant_id, self.roles, scopes_of(self.roles), home_tenant_id=self.tenant_id)

    def overseeing(self, tenant_id: UUID) -> Principal:
        """The same, but seeing what any owner has: to find and to end it, never to run it."""
        acting = self.acting_in(tenant_id)
        return replace(acting, roles=acting.roles | {"admin"}, scopes=acting.scopes | {ADMIN_SCOPE})


def staff_of(request: HttpRequest) -> Staff:
    """Who asks. Behind the site's door (site.py) there is always somebody."""
    return cast(Staff, request.staff)  # type: ignore[attr-defined]


def require(request: HttpRequest, right: str) -> Staff:
    """Who asks, if it has the right; ForbiddenError otherwise."""
    staff = staff_of(request)
    if not staff.may(right):
        raise ForbiddenError("Your role has no right to this page.")
    return staff


def _shows(request: HttpRequest, right: str) -> bool:
    staff: Staff | None = getattr(request, "staff", None)
    return staff is not None and staff.may(right)


# The side bar (config/settings/admin.py) names these by their paths.
def shows_overview(request: HttpRequest) -> bool:
    return _shows(request, OVERVIEW)


def shows_jobs(request: HttpRequest) -> bool:
    return _shows(request, JOBS)


def shows_agent_sessions(request: HttpRequest) -> bool:
    return _shows(request, AGENT_SESSIONS)


def shows_tenants(request: HttpRequest) -> bool:
    return _shows(request, TENANTS)


def shows_users(request: HttpRequest) -> bool:
    return _shows(request, USERS)


def shows_signed_in(request: HttpRequest) -> bool:
    return _shows(request, SIGNED_IN)


def shows_limits(request: HttpRequest) -> bool:
    return _shows(request, LIMITS)


def shows_audit(request: HttpRequest) -> bool:
    return _shows(request, AUDIT)


def shows_settings(request: HttpRequest) -> bool:
    return _shows(request, SETTINGS)


def shows_models(request: HttpRequest) -> bool:
    return _shows(request, MODELS)


def shows_spending(request: HttpRequest) -> bool:
    return _shows(request, SPENDING)


def shows_runs(request: HttpRequest) -> bool:
    return _shows(request, RUNS)


def shows_agents(request: HttpRequest) -> bool:
    return _shows(request, AGENTS)


def shows_tools(request: HttpRequest) -> bool:
    return _shows(request, TOOLS)


def shows_tools_set(request: HttpRequest) -> bool:
    return _shows(request, TOOLS_SET)


def shows_tool_calls(request: HttpRequest) -> bool:
    return _shows(request, TOOL_CALLS)


def shows_tool_approvals(request: HttpRequest) -> bool:
    return _shows(request, TOOL_APPROVALS)


def whose_view(request: HttpRequest) -> str:
    """The line below the site's name."""
    staff: Staff | None = getattr(request, "staff", None)
    if staff is None:
        return ""
    return "All tenants" if staff.is_platform else f"Tenant {staff.tenant_slug}"
