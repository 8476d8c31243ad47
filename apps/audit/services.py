"""Acts on the audit log itself, each of which leaves a row in it."""

from uuid import UUID

from django.db import transaction

from apps.audit import selectors, trail
from apps.audit.selectors import Chain, Filters
from apps.identity.principal import Principal
from kernel import engine_db
from kernel.tenant_context import tenant_scope


def begin_export(principal: Principal, chain: Chain, filters: Filters) -> int:
    """Write `audit.exported` into the chain that is read. Returns the number up to which the export goes."""
    details: dict[str, object] = {"filters": filters.as_json()}
    if chain.is_own:
        with tenant_scope(chain.tenant_id):
            _exported(principal, chain, details)
    else:
        with transaction.atomic(using=engine_db.ALIAS):
            _exported(principal, chain, details)
    return selectors.last_seq(chain)


def note_foreign_look(principal: Principal, chain: Chain, action: str) -> None:
    """Whose chain is read by the platform's administrators shall see that it was."""
    if not chain.is_own:
        trail.note(
            tenant_id=chain.tenant_id,
            actor=principal.sub,
            action=action,
            resource_type="audit",
            resource_id=str(chain.tenant_id),
            outcome=trail.SUCCESS,
            actor_tenant_id=_home(principal, chain.tenant_id),
        )


def _exported(principal: Principal, chain: Chain, details: dict[str, object]) -> None:
    trail.record(
        tenant_id=chain.tenant_id,
        actor=principal.sub,
        action="audit.exported",
        resource_type="audit",
        resource_id=str(chain.tenant_id),
        details=details,
        actor_tenant_id=_home(principal, chain.tenant_id),
    )


def _home(principal: Principal, chain_id: UUID) -> UUID | None:
    return None if principal.own_tenant_id == chain_id else principal.own_tenant_id
