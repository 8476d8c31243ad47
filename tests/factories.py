"""Tenants, callers and tokens for tests."""

from typing import Any
from uuid import UUID, uuid4

from django.conf import settings

from apps.identity.issuer import sign_access_token
from apps.identity.principal import Principal
from apps.identity.rbac import scopes_of
from apps.llm.models import ModelInstance, Provider
from apps.llm.registry.instances import create_instance
from apps.llm.registry.providers import register_provider
from apps.tenancy.models import Tenant
from apps.tenancy.selectors import tenant_by_slug
from apps.tenancy.services import create_tenant


def make_tenant() -> Tenant:
    """A tenant nobody else uses."""
    mark = uuid4().hex[:12]
    return create_tenant(f"t-{mark}", f"Tenant {mark}")


def platform_tenant() -> Tenant:
    """The tenant whose administrators administer the platform."""
    tenant = tenant_by_slug(settings.PLATFORM_TENANT)
    assert tenant is not None
    return tenant


def make_principal(tenant: Tenant, role: str = "user", sub: str | None = None) -> Principal:
    """A caller, as a verified token would make it."""
    return Principal(sub or f"{role}-{uuid4().hex[:8]}", tenant.id, frozenset({role}), frozenset(scopes_of([role])))


def make_token(tenant: Tenant, role: str = "user", sub: str | None = None, ttl_s: int = 3600) -> str:
    """A bearer token of the built-in issuer."""
    return sign_access_token(
        sub=sub or f"{role}-{uuid4().hex[:8]}",
        tenant_id=tenant.id,
        roles=[role],
        scopes=sorted(scopes_of([role])),
        client_id="tests",
        ttl_s=ttl_s,
    )


def make_model(tenant_id: UUID | None, *, name: str | None = None, **fields: Any) -> tuple[Provider, ModelInstance]:
    """A demo provider and a model instance of the tenant's, or the platform's (None)."""
    name = name or f"demo-{uuid4().hex[:8]}"
    provider = register_provider(tenant_id=tenant_id, name=name, type="demo", by=None)
    columns = {"instance_name": name, "model_id": "demo", **fields}
    made = create_instance(tenant_id=tenant_id, provider_id=provider.id, fields=columns, by=None)
    return provider, made.instance
