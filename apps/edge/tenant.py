"""Layer 5: which tenant a request is for, whether that tenant is served, and what is configured for it (SPEC 2.5).

The tenant is the token's. Only an administrator of the platform may name another one by X-Tenant-Id, and both tenants'
audit logs say so. Everything after this layer reads and writes by `principal.tenant_id`: kernel/tenant_context.py makes
it the database's tenant, and what a job does later is done for the same one.
"""

from collections.abc import Callable
from dataclasses import replace

import structlog
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.audit import trail
from apps.identity.principal import Principal
from apps.identity.standing import is_platform_admin, slug_of
from apps.tenancy.config import TenantConfig
from apps.tenancy.resolver import tenant_config
from apps.tenancy.selectors import tenant_id_of
from kernel.errors import ForbiddenError, NotFoundError, PlatformError, UnauthenticatedError
from kernel.web.problem import problem_response

HEADER = "X-Tenant-Id"
# What the predecessor's clients send when they mean no tenant in particular (contract 1.2).
MEANS_OWN = frozenset({"", "global", "default"})


class TenantResolver:
    """Sets request.principal (acting for another tenant or not) and request.tenant_config; 403 for a suspended one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.tenant_config = None  # type: ignore[attr-defined]
        principal: Principal | None = getattr(request, "principal", None)
        if principal is not None:
            try:
                acting = principal_for(principal, request.META.get("HTTP_X_TENANT_ID"))
                config = config_for(acting)
            except PlatformError as problem:
                return problem_response(request, problem)
            if acting is not principal:
                structlog.contextvars.bind_contextvars(tenant_id=str(acting.tenant_id))
            request.principal, request.tenant_config = acting, config  # type: ignore[attr-defined]
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: object) -> None:
        """Django calls it once the route is known and layer 3 has let the caller through."""
        principal: Principal | None = getattr(request, "principal", None)
        if principal is not None and principal.home_tenant_id is not None and request.resolver_match is not None:
            note_acting(principal, method=request.method or "", route="/" + request.resolver_match.route)


def principal_for(principal: Principal, header: str | None) -> Principal:
    """Who acts for whom when a request carries this X-Tenant-Id: the caller itself, or for another tenant.

    ForbiddenError (cross_tenant_refused) for a tenant that is not the caller's; NotFoundError where an administrator
    of the platform names one that is none.
    """
    wanted = (header or "").strip()
    if wanted in MEANS_OWN or wanted.lower() == str(principal.tenant_id) or wanted == slug_of(principal.tenant_id):
        return principal
    if not is_platform_admin(principal):
        raise ForbiddenError(
            f"{HEADER} names a tenant that is not yours. Leave it away: your token says which tenant you are of.",
            code="cross_tenant_refused",
        )
    tenant_id = tenant_id_of(wanted)
    if tenant_id is None:
        raise NotFoundError(f"There is no tenant of the id or short name that {HEADER} gives.", code="tenant_not_found")
    return replace(principal, tenant_id=tenant_id, home_tenant_id=principal.tenant_id)


def config_for(principal: Principal) -> TenantConfig:
    """The configuration of the tenant acted for. ForbiddenError unless that tenant is active."""
    config = tenant_config(principal.tenant_id)
    if config is None:
        raise UnauthenticatedError("Invalid or missing token")
    if not config.is_active:
        raise ForbiddenError(
            "The tenant is suspended. Ask its administrator or the platform's."
            if config.status == "suspended"
            else "The tenant is being deleted.",
            code="tenant_suspended",
        )
    return config


def note_acting(principal: Principal, *, method: str, route: str) -> None:
    """An administrator of the platform acts for another tenant: both tenants' chains say so."""
    for chain in (principal.tenant_id, principal.own_tenant_id):
        trail.note(
            tenant_id=chain,
            actor=principal.sub,
            action="tenant.acted_for",
            resource_type="tenant",
            resource_id=str(principal.tenant_id),
            outcome=trail.SUCCESS,
            details={"method": method, "route": route, "actor_tenant_id": str(principal.own_tenant_id)},
        )
