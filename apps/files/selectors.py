"""Files as a caller may see them: the own ones, for administrators all of the tenant's. Another's looks like none."""

from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.files.models import BACKUP, READY, File
from apps.identity import rbac
from apps.identity.principal import Principal
from kernel.clock import now
from kernel.errors import NotFoundError
from kernel.pagination import Cursor
from kernel.tenant_context import tenant_scope

EVERYBODYS = "all-files:read"


def missing() -> NotFoundError:
    """There is no such file for this caller."""
    return NotFoundError("There is no such file. GET /v1/files lists yours.", code="file_not_found")


def get_file(principal: Principal, file_id: UUID) -> File:
    """A file that can be read; NotFoundError for any other."""
    with tenant_scope(principal.tenant_id):
        row = _visible(principal).filter(id=file_id).first()
    if row is None:
        raise missing()
    return row


def list_files(principal: Principal, *, after: Cursor | None, limit: int) -> tuple[list[File], int]:
    """One more than ``limit``, newest first, and how many there are in all."""
    with tenant_scope(principal.tenant_id):
        rows = _visible(principal)
        total = rows.count()
        if after is not None:
            rows = rows.filter(Q(created_at__lt=after.created_at) | Q(created_at=after.created_at, id__lt=after.id))
        return list(rows.order_by("-created_at", "-id")[: limit + 1]), total


def backups(tenant_id: UUID) -> list[File]:
    """Every backup of the tenant that can be read, newest first: whoever may restore one sees them all."""
    with tenant_scope(tenant_id):
        found = File.objects.filter(kind=BACKUP, state=READY, expires_at__gt=now())
        return list(found.order_by("-created_at", "-id"))


def _visible(principal: Principal) -> Any:
    rows = File.objects.filter(state=READY, expires_at__gt=now())
    return rows if rbac.may(principal, EVERYBODYS) else rows.filter(owner_sub=principal.sub)
