"""What the views of models share: headers, and whose a new row is."""

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter

from apps.identity.principal import Principal
from apps.identity.standing import slug_of
from apps.llm.registry import rights
from kernel.errors import ForbiddenError, ValidationError

READ = {"Cache-Control": "no-cache, must-revalidate", "Vary": "Authorization, X-Tenant-Id"}
IF_MATCH = OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, description="ETag of the version meant.")
MEANS_OWN = ("", "default", "tenant")


def owner_of(principal: Principal, *, scope: str | None, tenant_id: str | None) -> UUID | None:
    """Whose the new row is: the tenant acted for; None, the platform, where a body says `global` and its caller may.

    Nothing said means the tenant, for administrators of the platform too: what all tenants see is never an accident.
    """
    named = None if tenant_id is None else owner_named(principal, tenant_id)
    if named is not None and scope is not None and named != scope:
        raise ValidationError("scope and tenant_id name two owners: leave one away.", code="two_owners")
    return rights.owner_for(principal, "global" if "global" in (named, scope) else "tenant")


def means_own(own: UUID, tenant_id: str) -> bool:
    """Whether a tenant_id, as it was written, is the tenant acted for: by id, by short name, or by a word for it."""
    wanted = tenant_id.strip().lower()
    return wanted in MEANS_OWN or wanted in (str(own), slug_of(own))


def owner_named(principal: Principal, tenant_id: str) -> rights.Scope:
    """What a tenant_id in a body means. ForbiddenError for a tenant that is not the one acted for."""
    if tenant_id.strip().lower() == "global":
        return "global"
    if means_own(principal.tenant_id, tenant_id):
        return "tenant"
    raise ForbiddenError(
        "tenant_id names a tenant that is not yours. Administrators of the platform name one by X-Tenant-Id.",
        code="cross_tenant_refused",
    )
