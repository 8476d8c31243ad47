"""The audit row of an act in the administration pages: who, of which tenant, did what to what."""

from typing import Any
from uuid import UUID

from apps.audit import trail
from apps.backoffice.rights import Staff


def tell(
    staff: Staff,
    action: str,
    *,
    tenant_id: UUID | None,
    resource_type: str = "",
    resource_id: object = "",
    outcome: str = trail.SUCCESS,
    **details: Any,
) -> None:
    """Note an act that another transaction committed, in the chain of the tenant it happened to."""
    trail.note(
        tenant_id=tenant_id,
        actor=staff.sub,
        action=f"admin.{action}",
        resource_type=resource_type,
        resource_id=str(resource_id),
        outcome=outcome,
        details={**details, "roles": sorted(staff.roles)},
        actor_tenant_id=staff.tenant_id,
    )


def record(
    staff: Staff, action: str, *, tenant_id: UUID | None, resource_type: str, resource_id: object, **details: Any
) -> None:
    """The same in the open transaction of the change."""
    trail.record(
        tenant_id=tenant_id,
        actor=staff.sub,
        action=f"admin.{action}",
        resource_type=resource_type,
        resource_id=str(resource_id),
        details={**details, "roles": sorted(staff.roles)},
        actor_tenant_id=staff.tenant_id,
    )
