"""The audit row of an act in the administration pages: who, of which tenant, did what to what."""

import time
from typing import Any
from uuid import UUID

from django.db.models import Model

from apps.audit import trail
from apps.audit.models import PLATFORM_CHAIN
from apps.backoffice.rights import Staff

SAID_AGAIN_AFTER_S = 60.0  # a page that refreshes itself is one look
REMEMBERED = 10_000
_looked_at: dict[tuple[str, str, str], float] = {}


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


def looked(staff: Staff, row: Model) -> None:
    """Note, in the other tenant's chain, that somebody of the platform opened its row: once a minute and row."""
    tenant_id = getattr(row, "tenant_id", None)
    if tenant_id in (None, staff.tenant_id, PLATFORM_CHAIN):
        return
    place, now = (staff.sub, row._meta.label_lower, str(row.pk)), time.monotonic()
    if now - _looked_at.get(place, float("-inf")) < SAID_AGAIN_AFTER_S:
        return
    if len(_looked_at) >= REMEMBERED:
        _looked_at.clear()
    _looked_at[place] = now
    tell(staff, "viewed", tenant_id=tenant_id, resource_type=row._meta.model_name or "", resource_id=row.pk)


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
