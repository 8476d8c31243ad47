"""The first of the two steps of deleting a tenant: what would go, and a token that says that somebody looked."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core import signing

from apps.identity.principal import Principal
from apps.tenancy import ownership, rights, selectors
from apps.tenancy.models import Tenant
from kernel.clock import now
from kernel.errors import ConflictError, PreconditionRequiredError

CONFIRM_WITHIN_S = 600
_signer = signing.TimestampSigner(salt="tenant-deletion")


def preview(tenant: Tenant) -> tuple[dict[str, int | None], str, datetime]:
    """Rows by table (null: too many to count in time), the confirmation for exactly this version, and its expiry."""
    refuse_the_platforms_own(tenant)
    counts = ownership.row_counts(tenant.id)
    return counts, confirmation(tenant), now() + timedelta(seconds=CONFIRM_WITHIN_S)


def confirmation(tenant: Tenant) -> str:
    """What proves that the caller saw what will go."""
    return _signer.sign(f"{tenant.id}:{tenant.version}")


def check_confirmation(tenant: Tenant, token: str) -> None:
    """PreconditionRequiredError without a token that is ours, of this tenant and fresh; ConflictError for one that
    was given for another version of it."""
    try:
        said = _signer.unsign(token[:300], max_age=CONFIRM_WITHIN_S)
    except signing.BadSignature as error:
        raise not_confirmed(tenant.id) from error
    tenant_id, _, version = said.partition(":")
    if tenant_id != str(tenant.id):
        raise not_confirmed(tenant.id)
    if version != str(tenant.version):
        raise ConflictError(
            "The tenant was changed since the deletion was looked at. Look again.", code="confirmation_outdated"
        )


def confirmed_tenant_id(token: str) -> UUID | None:
    """Whose deletion this token of ours confirmed, however long ago; None for one that is not ours."""
    try:
        return UUID(_signer.unsign(token[:300]).partition(":")[0])
    except (signing.BadSignature, ValueError):
        return None


def not_confirmed(tenant_id: UUID) -> PreconditionRequiredError:
    """Deleting takes two steps."""
    return PreconditionRequiredError(
        "Deleting a tenant takes two steps: GET its deletion-preview, look at the counts, and repeat with ?confirm= "
        "and the confirmation given there, within ten minutes.",
        code="confirmation_required",
        preview=f"/v1/tenants/{tenant_id}/deletion-preview",
    )


def refuse_the_platforms_own(tenant: Tenant) -> None:
    """ConflictError for the tenant of the platform's administrators."""
    if tenant.slug == settings.PLATFORM_TENANT:
        raise ConflictError(
            "This is the tenant of the platform's administrators: it can be neither suspended nor deleted.",
            code="platform_tenant",
        )


def admit_job(principal: Principal, payload: dict[str, Any]) -> None:
    """Whether this caller may have this offboarding done: job type tenant.offboard asks before a job is accepted."""
    rights.require_platform_admin(principal)
    tenant = selectors.get_tenant(UUID(payload["tenant_id"]))
    refuse_the_platforms_own(tenant)
    check_confirmation(tenant, payload["confirmation"])
