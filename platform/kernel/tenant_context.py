"""Whose rows this thread of work may see. The database enforces it: see kernel/rls.py and docs/adr/0003.

Everything tenant-owned is read and written inside ``tenant_scope(tenant_id)``: one transaction whose first statement
tells PostgreSQL the tenant, with SET LOCAL's reach, so that a pooled connection forgets it at commit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

from django.db import connections, transaction

_current: ContextVar[UUID | None] = ContextVar("tenant_id", default=None)


def current_tenant_id() -> UUID | None:
    """The tenant of the innermost open scope, or None."""
    return _current.get()


@contextmanager
def tenant_scope(tenant_id: UUID, *, lock_timeout_ms: int | None = None) -> Iterator[None]:
    """Open a transaction on the application's connection that sees only this tenant's rows.

    A scope inside another of the same tenant is a savepoint; of another tenant, a programming error.
    """
    if not isinstance(tenant_id, UUID):
        raise TypeError(f"tenant_id must be a UUID, not {type(tenant_id).__name__}")
    outer = _current.get()
    if outer is not None and outer != tenant_id:
        raise RuntimeError("a tenant scope was opened inside another tenant's")
    token = _current.set(tenant_id)
    try:
        with transaction.atomic(using="default"):
            if outer is None:
                with connections["default"].cursor() as cursor:
                    if lock_timeout_ms is None:
                        cursor.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant_id)])
                    else:
                        cursor.execute(
                            "SELECT set_config('app.tenant_id', %s, true), set_config('lock_timeout', %s, true)",
                            [str(tenant_id), f"{lock_timeout_ms}ms"],
                        )
            yield
    finally:
        _current.reset(token)
