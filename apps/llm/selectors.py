"""Reading providers and model instances: a tenant's own and the platform's, as row-level security shows them."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from apps.llm.models import ModelInstance, Provider, ProviderManifest
from kernel.errors import NotFoundError
from kernel.pagination import Cursor
from kernel.tenant_context import tenant_scope


@dataclass(frozen=True)
class InstanceFilter:
    """None: any. ``owners``: tenants whose rows are meant; None among them is the platform."""

    owners: tuple[UUID | None, ...] | None = None
    provider_id: UUID | None = None
    loaded: bool | None = None
    enabled: bool | None = None
    usable_only: bool = False  # what a caller may see who is no administrator


def list_instances(
    tenant_id: UUID, wanted: InstanceFilter, *, after: Cursor | None, limit: int
) -> tuple[list[ModelInstance], int]:
    """One page, newest first, with one row more than ``limit`` when there is a next; and the total."""
    with tenant_scope(tenant_id):
        rows = _matching(wanted)
        total = rows.count()
        if after is not None:
            rows = rows.filter(Q(created_at__lt=after.created_at) | Q(created_at=after.created_at, id__lt=after.id))
        return list(rows.select_related("provider").order_by("-created_at", "-id")[: limit + 1]), total


def get_instance(tenant_id: UUID, instance_id: UUID, *, usable_only: bool = False) -> ModelInstance:
    """The tenant's or the platform's. NotFoundError for others, and for what ``usable_only`` hides."""
    with tenant_scope(tenant_id):
        rows = _matching(InstanceFilter(usable_only=usable_only)).select_related("provider")
        found = rows.filter(id=instance_id).first()
    if found is None:
        raise NotFoundError("There is no such model instance.", code="model_not_found")
    return found


def find_instance(tenant_id: UUID, *, instance_id: UUID | None, name: str | None) -> ModelInstance:
    """By id, else by name, where the tenant's own comes before the platform's. NotFoundError when there is none."""
    with tenant_scope(tenant_id):
        rows = ModelInstance.objects.select_related("provider")
        rows = rows.filter(id=instance_id) if instance_id is not None else rows.filter(instance_name=name)
        found = list(rows)
    if not found:
        raise NotFoundError("There is no such model instance.", code="model_not_found")
    return min(found, key=lambda row: row.tenant_id is None)


def list_providers(tenant_id: UUID) -> list[Provider]:
    """The tenant's own and the platform's, by priority."""
    with tenant_scope(tenant_id):
        return list(Provider.objects.order_by("priority", "name", "id"))


def get_provider(tenant_id: UUID, provider_id: UUID) -> Provider:
    """The tenant's or the platform's; NotFoundError for others."""
    with tenant_scope(tenant_id):
        found = Provider.objects.filter(id=provider_id).first()
    if found is None:
        raise NotFoundError("There is no such provider.", code="provider_not_found")
    return found


def main_provider(tenant_id: UUID) -> Provider:
    """The tenant's main provider, else the platform's, else the first enabled one by priority. NotFoundError without
    any."""
    enabled = [provider for provider in list_providers(tenant_id) if provider.enabled]
    if not enabled:
        raise NotFoundError("There is no enabled provider. Register one.", code="provider_not_found")
    return min(enabled, key=lambda provider: (not provider.is_main, provider.tenant_id is None, provider.priority))


def list_manifests(tenant_id: UUID, *, limit: int) -> tuple[list[ProviderManifest], int]:
    """The newest of the tenant's own and the platform's, and how many there are."""
    with tenant_scope(tenant_id):
        rows = ProviderManifest.objects.order_by("-staged_at", "-id")
        return list(rows[:limit]), rows.count()


def _matching(wanted: InstanceFilter) -> QuerySet[ModelInstance]:
    rows = ModelInstance.objects.all()
    if wanted.owners is not None:
        which = Q(tenant_id__in=[owner for owner in wanted.owners if owner is not None])
        rows = rows.filter(which | Q(tenant_id=None) if None in wanted.owners else which)
    if wanted.provider_id is not None:
        rows = rows.filter(provider_id=wanted.provider_id)
    if wanted.loaded is not None:
        rows = rows.filter(loaded_at__isnull=not wanted.loaded)
    if wanted.enabled is not None:
        rows = rows.filter(enabled=wanted.enabled)
    if wanted.usable_only:
        rows = rows.filter(enabled=True, provider__enabled=True)
    return rows
