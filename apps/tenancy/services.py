"""Writing tenants, through the engine's door: the application's role cannot."""

from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F

from apps.tenancy.models import Tenant
from kernel import engine_db
from kernel.clock import now
from kernel.errors import ConflictError, NotFoundError


def create_tenant(slug: str, name: str, *, admin_email: str = "") -> Tenant:
    """A new active tenant. ConflictError when slug or name (in any case) is taken."""
    try:
        with transaction.atomic(using=engine_db.ALIAS):
            return Tenant.objects.using(engine_db.ALIAS).create(slug=slug, name=name, admin_email=admin_email)
    except IntegrityError as error:
        raise ConflictError(f"A tenant with slug {slug!r} or name {name!r} exists already.") from error


def set_tenant_status(tenant_id: UUID, status: Tenant.Status) -> None:
    """Suspend or reactivate. Tokens of a suspended tenant are refused within five seconds."""
    changed = (
        Tenant.objects.using(engine_db.ALIAS)
        .filter(id=tenant_id)
        .update(status=status, version=F("version") + 1, updated_at=now())
    )
    if not changed:
        raise NotFoundError("There is no such tenant.")
