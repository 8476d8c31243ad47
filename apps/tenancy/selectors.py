"""Reading tenants. Those of others are looked up through the engine's door."""

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q

from apps.tenancy.models import Tenant
from kernel import engine_db
from kernel.errors import NotFoundError
from kernel.pagination import Cursor
from kernel.tenant_context import tenant_scope


def tenant_by_slug(slug: str) -> Tenant | None:
    """The tenant of that short name, whatever its status, or None."""
    return Tenant.objects.using(engine_db.ALIAS).filter(slug=slug).first()


def tenant_id_of(name: str) -> UUID | None:
    """The tenant whose id or short name this is, or None. Looks across tenants: for the platform's administrators."""
    try:
        wanted = {"id": UUID(name)}
    except ValueError:
        wanted = {"slug": name}  # type: ignore[dict-item]
    if "\0" in name:
        return None
    return Tenant.objects.using(engine_db.ALIAS).filter(**wanted).values_list("id", flat=True).first()


def find_tenant(tenant_id: UUID) -> Tenant | None:
    """Any tenant, or None."""
    return Tenant.objects.using(engine_db.ALIAS).filter(id=tenant_id).first()


def get_tenant(tenant_id: UUID) -> Tenant:
    """Any tenant; NotFoundError when there is none. Callers ask apps/tenancy/rights.py first."""
    tenant = find_tenant(tenant_id)
    if tenant is None:
        raise NotFoundError("There is no such tenant.", code="tenant_not_found")
    return tenant


def list_tenants(
    *, only: UUID | None, statuses: Sequence[str], prefix: str, after: Cursor | None, limit: int
) -> tuple[list[Tenant], int]:
    """One page, newest first, with one row more than ``limit`` when there is a next; and the total.

    ``only``: the one tenant to show; None shows all. ``prefix``: how name or slug begin, in any case.
    """
    tenants = Tenant.objects.using(engine_db.ALIAS).all()
    if only is not None:
        tenants = tenants.filter(id=only)
    if statuses:
        tenants = tenants.filter(status__in=statuses)
    if prefix:
        tenants = tenants.filter(Q(name__istartswith=prefix) | Q(slug__istartswith=prefix))
    total = tenants.order_by().count()
    if after is not None:
        tenants = tenants.filter(Q(created_at__lt=after.created_at) | Q(created_at=after.created_at, id__lt=after.id))
    return list(tenants.order_by("-created_at", "-id")[: limit + 1]), total


def tenant_slugs() -> list[str]:
    """All short names, sorted."""
    return list(Tenant.objects.using(engine_db.ALIAS).order_by("slug").values_list("slug", flat=True))


def tenant_is_active(tenant_id: UUID) -> bool:
    """Whether the tenant exists and is not suspended, as its own members see it."""
    with tenant_scope(tenant_id):
        return Tenant.objects.filter(id=tenant_id, status=Tenant.Status.ACTIVE).exists()
