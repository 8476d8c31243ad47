"""The one transaction of each write of the registry, its audit row, and what is told after the commit.

All writes go through the engine's door: a provider changes together with its key, which no other role may touch, and
the platform's rows have no tenant. So each statement names the tenant whose row it means.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import IntegrityError, models, transaction

from apps.audit import trail
from apps.identity.principal import Principal
from apps.llm import catalogue
from kernel import engine_db
from kernel.clock import now
from kernel.errors import ConflictError, PreconditionFailedError

SYSTEM = "system"  # the actor where no person is: manage.py


@contextmanager
def writing(tenant_id: UUID | None, conflict: str, *, code: str = "model_registry_conflict") -> Iterator[None]:
    """One transaction; what the database's constraints refuse is a ConflictError with this sentence."""
    try:
        with transaction.atomic(using=engine_db.ALIAS):
            yield
            transaction.on_commit(lambda: catalogue.forget(tenant_id), using=engine_db.ALIAS)
    except IntegrityError as error:
        raise ConflictError(conflict, code=code) from error


def save_version(row: models.Model, fields: dict[str, Any]) -> None:
    """Change these columns of a locked row, and count the change."""
    changed = {**fields, "version": row.version + 1, "updated_at": now()}  # type: ignore[attr-defined]
    for name, value in changed.items():
        setattr(row, name, value)
    row.save(using=engine_db.ALIAS, update_fields=list(changed))


def require_version(row: models.Model, expected_version: int | None, what: str) -> None:
    """PreconditionFailedError when the row is not at ``expected_version`` any more."""
    version = row.version  # type: ignore[attr-defined]
    if expected_version is not None and version != expected_version:
        raise PreconditionFailedError(
            f"The {what} was changed since you read it. Read it again and repeat your change.", current_version=version
        )


def audit(
    tenant_id: UUID | None, by: Principal | None, action: str, row: models.Model, details: dict[str, Any]
) -> None:
    """Last in its transaction: writers of the same chain wait from here to the commit."""
    trail.record(
        tenant_id=tenant_id,
        actor=by.sub if by else SYSTEM,
        action=action,
        resource_type=row._meta.db_table.rstrip("s"),
        resource_id=str(row.pk),
        details=details,
        actor_tenant_id=by.own_tenant_id if by else None,
        using=engine_db.ALIAS,
    )
