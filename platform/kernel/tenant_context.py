"""Whose rows this thread of work may see. The database enforces it: see kernel/rls.py and docs/adr/0003.

Everything tenant-owned is read and written inside ``tenant_scope(tenant_id)``: one transaction whose first statement
tells PostgreSQL the tenant, with SET LOCAL's reach, so that a pooled connection forgets it at commit.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from django.db import connections, transaction
from psycopg.rows import dict_row

_current: ContextVar[UUID | None] = ContextVar("tenant_id", default=None)
# A tenant_statement may begin its FROM with this and is then sent alone, which is half the work. Whatever reads or
# writes rows must depend on it: a function in the SELECT list, or one that takes ``own.tenant`` as an argument.
OWN_TENANT: LiteralString = "set_config('app.tenant_id', %(own_tenant)s, true) AS own (tenant)"


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
    LOCAL's reach, and the statement travel together and are one transaction. A thread that holds no connection has one
    of the pool's for no longer than that. Errors of statements are psycopg's own, not Django's.
    """
    if not isinstance(tenant_id, UUID):
        raise TypeError(f"tenant_id must be a UUID, not {type(tenant_id).__name__}")
    with _statements_connection() as connection:
        cursor = psycopg.Cursor(connection, row_factory=dict_row)
        if OWN_TENANT in statement:
            return cursor.execute(statement, {**values, "own_tenant": str(tenant_id)}).fetchall()
        with connection.pipeline():
            psycopg.Cursor(connection).execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant_id)])
            cursor.execute(statement, values)
        return cursor.fetchall()


def tenant_statements(tenant_id: UUID, statements: Sequence[tuple[LiteralString, Mapping[str, Any]]]) -> None:
    """Run statements with their values in one transaction of their own, in one round trip: all of them, or none."""
    if not isinstance(tenant_id, UUID):
        raise TypeError(f"tenant_id must be a UUID, not {type(tenant_id).__name__}")
    with _statements_connection() as connection, connection.pipeline():
        psycopg.Cursor(connection).execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant_id)])
        for statement, values in statements:
            psycopg.Cursor(connection).execute(statement, values)


@contextmanager
def _statements_connection() -> Iterator[psycopg.Connection[Any]]:
    """The thread's connection, or else one of the pool's, without what Django does to make it the thread's."""
    wrapper: Any = connections["default"]
    if wrapper.in_atomic_block or _current.get() is not None:
        raise RuntimeError("a statement of its own cannot be run inside a transaction")
    if wrapper.connection is not None:
        yield wrapper.connection
        return
    with wrapper.wrap_database_errors:
        connection = wrapper.get_new_connection({})
    try:
        if not connection.autocommit:  # a scope was torn down while it was open: nothing would be committed
            connection.autocommit = True
        yield connection
    finally:
        wrapper.pool.putconn(connection)


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


def leave_all() -> None:
    """Out of every scope and transaction that this thread was torn out of: whoever is interrupted at any bytecode may
    not come to leave them. Nothing of theirs is committed; the connections go back."""
    _current.set(None)
    for wrapper in connections.all(initialized_only=True):
        wrapper.in_atomic_block = False
        wrapper.run_on_commit = []
        wrapper.close()
