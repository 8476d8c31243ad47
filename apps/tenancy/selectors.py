"""Reading tenants. Those of others are looked up through the engine's door."""

from uuid import UUID

from apps.tenancy.models import Tenant
from kernel import engine_db
from kernel.tenant_context import tenant_scope


def tenant_by_slug(slug: str) -> Tenant | None:
    """The tenant of that short name, whatever its status, or None."""
    return Tenant.objects.using(engine_db.ALIAS).filter(slug=slug).first()


def tenant_slugs() -> list[str]:
    """All short names, sorted."""
    return list(Tenant.objects.using(engine_db.ALIAS).order_by("slug").values_list("slug", flat=True))


def tenant_is_active(tenant_id: UUID) -> bool:
    """Whether the tenant exists and is not suspended, as its own members see it."""
    with tenant_scope(tenant_id):
        return Tenant.objects.filter(id=tenant_id, status=Tenant.Status.ACTIVE).exists()
