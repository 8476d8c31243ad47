"""Writing tenants, through the engine's door: the application's role cannot.

Each change is one transaction with its audit row; what the layers know of the tenant follows the commit.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from apps.audit import trail
from apps.identity.principal import Principal
from apps.tenancy import resolver, rights
from apps.tenancy.config import TenantSettings
from apps.tenancy.merging import changed_leaves, checked_metadata, merged, merged_settings
from apps.tenancy.models import Tenant
from apps.tenancy.states import DELETING, MOVES
from kernel import engine_db
from kernel.errors import ConflictError, NotFoundError, PreconditionFailedError, ValidationError

SYSTEM = "system"  # the actor where no person is: manage.py
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,61}[a-z0-9]", re.ASCII)
# Names that old clients send in X-Tenant-Id when they mean "my own" (contract 1.2).
RESERVED_SLUGS = frozenset({"global", "default"})


def create_tenant(
    slug: str | None,
    name: str,
    *,
    admin_email: str = "",
    metadata: dict[str, Any] | None = None,
    tenant_settings: dict[str, Any] | None = None,
    by: Principal | None = None,
) -> Tenant:
    """A new active tenant; a slug is made of the name where none is given. ConflictError when slug or name (in any
    case) is taken."""
    if by is not None:
        rights.require_platform_admin(by)
    if slug is not None and not SLUG.fullmatch(slug):
        raise ValidationError(
            "A slug has 2 to 63 lower-case letters, digits and hyphens, and neither begins nor ends with a hyphen."
        )
    if slug in RESERVED_SLUGS:
        raise ConflictError(f"The slug {slug!r} is reserved. Choose another.", code="tenant_exists")
    row = {
        "slug": slug or _slug_of(name),
        "name": name,
        "admin_email": admin_email,
        "metadata": checked_metadata(merged({}, metadata or {})),
        "settings": merged_settings({}, tenant_settings or {}),
    }
    with _writing(f"A tenant with slug {row['slug']!r} or name {name!r} exists already."):
        tenant = Tenant.objects.using(engine_db.ALIAS).create(**row)
        _audit(tenant.id, by, "tenant.created", {"slug": tenant.slug, "name": name, "settings": tenant.settings})
        transaction.on_commit(lambda: resolver.publish(tenant), using=engine_db.ALIAS)
    return tenant


def change_tenant(
    tenant_id: UUID, change: dict[str, Any], *, by: Principal | None, expected_version: int | None = None
) -> Tenant:
    """Lay a partial change over the tenant: name, admin_email, metadata and settings (null removes a member).

    A tenant's administrator changes the own tenant only, within what the platform allows (apps/tenancy/rights.py).
    PreconditionFailedError when the tenant is not at ``expected_version`` any more.
    """
    if by is not None:
        rights.require_sight(by, tenant_id)
        rights.require_own_fields(by, change)
    with _writing("Another tenant has this name already."):
        tenant = _locked(tenant_id, expected_version)
        if tenant.status == DELETING:
            raise ConflictError("The tenant is being deleted: nothing of it can be changed.", code="tenant_status")
        before = {"name": tenant.name, "admin_email": tenant.admin_email, "metadata": tenant.metadata}
        after = {name: change.get(name, old) for name, old in before.items()}
        metadata = change.get("metadata", {})
        after["metadata"] = {} if metadata is None else checked_metadata(merged(tenant.metadata, metadata))
        before["settings"] = TenantSettings.model_validate(tenant.settings).model_dump(mode="json")
        after["settings"] = merged_settings(before["settings"], change.get("settings") or {})
        if by is not None and "rate_limits" in (change.get("settings") or {}):
            rights.require_below_ceiling(by, TenantSettings.model_validate(after["settings"]).rate_limits)
        differences = changed_leaves(before, after)
        if not differences:
            return tenant
        _written(tenant, after)
        _audit(tenant_id, by, "tenant.updated", {"changes": differences})
    return tenant


def set_tenant_status(
    tenant_id: UUID, status: Tenant.Status, *, by: Principal | None = None, expected_version: int | None = None
) -> Tenant:
    """Suspend, resume, or begin to delete. Callers of a tenant that is not active get 403 within a second."""
    if by is not None:
        rights.require_sight(by, tenant_id)
        rights.require_platform_admin(by)
    with _writing("Another tenant has this name already."):
        tenant = _locked(tenant_id, expected_version)
        if tenant.status == status:
            return tenant
        if status not in MOVES[tenant.status]:
            raise ConflictError(f"A tenant that is {tenant.status} cannot become {status}.", code="tenant_status")
        if tenant.slug == settings.PLATFORM_TENANT:
            raise ConflictError(
                "This is the tenant of the platform's administrators: it can be neither suspended nor deleted.",
                code="platform_tenant",
            )
        before = tenant.status
        _written(tenant, {"status": status})
        _audit(tenant_id, by, f"tenant.{status}", {"status": [before, status]})
    return tenant


def note_export(tenant_id: UUID, export: dict[str, Any], *, by: Principal) -> None:
    """Everything of a tenant that is being deleted lies in a file on disk: from now on rows may be erased."""
    with _writing("There is no such tenant."):
        tenant = _locked(tenant_id, None)
        _written(tenant, {"offboarding": export})
        _audit(tenant_id, by, "data.exported", export)


def note_download(name: str, *, by: Principal) -> None:
    """An export leaves the platform."""
    with _writing("The audit row cannot be written."):
        trail.record(
            tenant_id=by.own_tenant_id,
            actor=by.sub,
            action="data.exported",
            resource_type="export",
            resource_id=name,
        )


def remove_tenant(tenant_id: UUID, *, by: Principal, details: dict[str, Any]) -> bool:
    """The last step of an offboarding: the row itself. False when it is gone already; ConflictError while anything
    still refers to it."""
    rights.require_platform_admin(by)
    with _writing("Rows of this tenant are left: run the offboarding again."):
        with engine_db.cursor() as cursor:
            cursor.execute("DELETE FROM tenants WHERE id = %s AND status = %s", [tenant_id, DELETING])
            gone = cursor.rowcount > 0
        if gone:
            for chain in (tenant_id, None):
                _audit(chain, by, "tenant.deleted", details, resource_id=str(tenant_id))
    resolver.forget(tenant_id)
    return gone


@contextmanager
def _writing(conflict: str) -> Iterator[None]:
    """One transaction through the engine's door; what the database's constraints refuse is a ConflictError."""
    try:
        with transaction.atomic(using=engine_db.ALIAS):
            yield
    except IntegrityError as error:
        raise ConflictError(conflict, code="tenant_exists") from error


def _locked(tenant_id: UUID, expected_version: int | None) -> Tenant:
    tenant = Tenant.objects.using(engine_db.ALIAS).select_for_update().filter(id=tenant_id).first()
    if tenant is None:
        raise NotFoundError("There is no such tenant.", code="tenant_not_found")
    if expected_version is not None and tenant.version != expected_version:
        raise PreconditionFailedError(
            "The tenant was changed since you read it. Read it again and repeat your change.",
            current_version=tenant.version,
        )
    return tenant


def _written(tenant: Tenant, fields: dict[str, Any]) -> None:
    """Change the row, and ``tenant`` with it."""
    Tenant.objects.using(engine_db.ALIAS).filter(id=tenant.id).update(**fields)
    tenant.refresh_from_db(using=engine_db.ALIAS)  # version and updated_at are the database's
    transaction.on_commit(lambda: resolver.publish(tenant), using=engine_db.ALIAS)


def _audit(
    chain: UUID | None, by: Principal | None, action: str, details: dict[str, Any], *, resource_id: str = ""
) -> None:
    """Last in its transaction: writers of the same chain wait from here to the commit."""
    trail.record(
        tenant_id=chain,
        actor=by.sub if by else SYSTEM,
        action=action,
        resource_type="tenant",
        resource_id=resource_id or str(chain),
        details=details,
        actor_tenant_id=by.own_tenant_id if by else None,
    )


def _slug_of(name: str) -> str:
    """A slug from the name, with something random so that two similar names do not collide."""
    readable = slugify(name).replace("_", "-")[:54].strip("-")
    return f"{readable or 'tenant'}-{secrets.token_hex(4)}"
