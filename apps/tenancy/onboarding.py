"""A new tenant with all it needs in one call: row, settings, first administrator, caches."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction

from apps.identity.principal import Principal
from apps.identity.services import create_account
from apps.tenancy.models import Tenant
from apps.tenancy.services import create_tenant
from kernel import engine_db
from kernel.errors import ConflictError


@dataclass(frozen=True)
class FirstAdmin:
    """The account of the tenant's first administrator. ``password`` is shown this once."""

    id: str
    username: str
    password: str


def onboard(
    *,
    name: str,
    slug: str | None,
    admin_email: str,
    metadata: dict[str, Any],
    tenant_settings: dict[str, Any],
    admin: dict[str, str] | None,
    by: Principal | None,
) -> tuple[Tenant, FirstAdmin | None]:
    """All of it or nothing. ``admin``: {email, username}; needs the built-in issuer, else ConflictError."""
    if admin is not None and settings.OIDC_ISSUER:
        raise ConflictError(
            "People sign in at another issuer here: make the administrator's account there, with this tenant's id.",
            code="external_issuer",
        )
    with transaction.atomic(using=engine_db.ALIAS):
        tenant = create_tenant(
            slug, name, admin_email=admin_email, metadata=metadata, tenant_settings=tenant_settings, by=by
        )
        if admin is None:
            return tenant, None
        user, password = create_account(
            username=admin["username"], email=admin["email"], tenant_id=tenant.id, roles=["admin"]
        )
    return tenant, FirstAdmin(str(user.id), user.get_username(), password)
