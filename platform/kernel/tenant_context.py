"""Whose rows this thread of work may see. The database enforces it: see kernel/rls.py and docs/adr/0003.

Everything tenant-owned is read and written inside ``tenant_scope(tenant_id)``: one transaction whose first statement
tells PostgreSQL the tenant, with SET LOCAL's reach, so that a pooled connection forgets it at commit.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from django.db import connections, transaction
from psycopg.rows import dict_row

_current: ContextVar[UUID | None] = ContextVar("tenant_id", default=None)


def current_tenant_id() -> UUID | None:
    """The tenant of the innermost open scope, or None."""
    return _current.get()


def prepared_cursor() -> psycopg.Cursor[dict[str, Any]]:
    """A cursor for the statements that every request runs: parameters bound by the server, prepared after the second
    use on a connection, rows as dicts. Inside a tenant_scope only; its errors are psycopg's own, not Django's.
    """
    if _current.get() is None:
        raise RuntimeError("prepared_cursor() needs an open tenant_scope")
    return psycopg.Cursor(connections["default"].connection, row_factory=dict_row)


def tenant_statement(tenant_id: UUID, statement: LiteralString, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Run one statement in a transaction of its own that sees only this tenant's rows, in one round trip; its rows.

    For what every call does, where the four round trips of a scope would be most of the time. The tenant, with SET
    LOCAL's reach, and the statement travel together and are one transaction. Errors are psycopg's own, not Django's.
    """
    if not isinstance(tenant_id, UUID):
        raise TypeError(f"tenant_id must be a UUID, not {type(tenant_id).__name__}")
    wrapper = connections["default"]
    if wrapper.in_atomic_block or _current.get() is not None:
        raise RuntimeError("a statement of its own cannot be run inside a transaction")
    wrapper.ensure_connection()
    with wrapper.connection.pipeline():
        psycopg.Cursor(wrapper.connection).execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant_id)])
        cursor = psycopg.Cursor(wrapper.connection, row_factory=dict_row).execute(statement, values)
    return cursor.fetchall()


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
                cursor = prepared_cursor()
                cursor.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant_id)])
                if lock_timeout_ms is not None:
                    cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{lock_timeout_ms}ms"])
            yield
    finally:
        _current.reset(token)
