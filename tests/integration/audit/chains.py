"""Reading chains in tests."""

from pathlib import Path
from uuid import UUID

from apps.audit.models import AuditLog
from kernel.tenant_context import tenant_scope

ROOT = Path(__file__).resolve().parents[3]


def rows_of(tenant_id: UUID) -> list[AuditLog]:
    """A chain as its own tenant reads it."""
    with tenant_scope(tenant_id):
        return list(AuditLog.objects.filter(tenant_id=tenant_id).order_by("seq"))
