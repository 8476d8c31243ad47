"""Which tables belong to tenants, as the database's catalog has it, so that a new app's table cannot be forgotten.

Everything here runs as cineca_app inside the tenant's scope: row-level security, not these statements, makes sure that
no other tenant is touched.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from uuid import UUID

import psycopg
from django.db import connections
from psycopg import sql

from kernel.tenant_context import prepared_cursor, tenant_scope

# Exported and not erased: what was done stays on record.
KEPT = frozenset({"audit_logs"})
# Not the application's to read; who sees to them.
ELSEWHERE = {
    "users": "apps/identity/services.py erases accounts as cineca_issuer",
    "audit_heads": "the audit chain's heads, written by the database",
}
ERASE_BATCH = 200
COUNT_TIMEOUT_MS = 3_000
EXPORT_TIMEOUT_MS = 60_000
ERASE_TIMEOUT_MS = 300_000

TABLES = """
SELECT c.relname AS name, has_table_privilege(c.oid, 'SELECT') AS readable,
    (SELECT array_agg(a.attname::text ORDER BY array_position(i.indkey::int2[], a.attnum))
        FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
        WHERE i.indrelid = c.oid AND i.indisprimary) AS key
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
ORDER BY c.relname
"""
REFERENCES = """
SELECT conrelid::regclass::text AS child, confrelid::regclass::text AS parent, confdeltype = 'c' AS cascades
FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND conrelid <> confrelid
"""


@dataclass(frozen=True)
class OwnedTable:
    """A table whose rows carry tenant_id. ``key``: the columns of its primary key."""

    name: str
    key: tuple[str, ...]

    @property
    def is_kept(self) -> bool:
        return self.name in KEPT


def owned_tables(tenant_id: UUID) -> list[OwnedTable]:
    """Every table of tenants' rows that the application may read, in an order in which they can be emptied.

    RuntimeError for one with a tenant_id that nobody has decided about.
    """
    with tenant_scope(tenant_id), prepared_cursor() as cursor:
        rows = cursor.execute(TABLES).fetchall()
        references = cursor.execute(REFERENCES).fetchall()
    undecided = [row["name"] for row in rows if not row["readable"] and row["name"] not in ELSEWHERE]
    if undecided:
        raise RuntimeError(f"Nobody exports or erases {', '.join(undecided)}: see apps/tenancy/ownership.py.")
    tables = {row["name"]: OwnedTable(row["name"], tuple(row["key"])) for row in rows if row["readable"]}
    order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(tables, ()))
    for reference in references:
        child, parent = reference["child"], reference["parent"]
        if child in tables and parent in tables:
            # Rows that go with their parent's are found by its key; those that hold it back go before it.
            order.add(*((child, parent) if reference["cascades"] else (parent, child)))
    return [tables[name] for name in order.static_order()]


def row_counts(tenant_id: UUID) -> dict[str, int | None]:
    """Rows of the tenant by table; None where counting takes longer than COUNT_TIMEOUT_MS."""
    counts: dict[str, int | None] = {}
    for table in owned_tables(tenant_id):
        query = sql.SQL("SELECT count(*) AS rows FROM {} WHERE tenant_id = %s").format(sql.Identifier(table.name))
        try:
            with _patient_scope(tenant_id, COUNT_TIMEOUT_MS), prepared_cursor() as cursor:
                row = cursor.execute(query, [tenant_id]).fetchone()
                counts[table.name] = None if row is None else row["rows"]
        except psycopg.errors.QueryCanceled:
            counts[table.name] = None
    return dict(sorted(counts.items()))


def rows_as_json(tenant_id: UUID, table: OwnedTable) -> Iterator[str]:
    """Every row of the tenant, a JSON object each, in constant memory."""
    query = sql.SQL("SELECT row_to_json(t)::text FROM {} AS t WHERE tenant_id = %s").format(sql.Identifier(table.name))
    with (
        _patient_scope(tenant_id, EXPORT_TIMEOUT_MS),
        psycopg.ServerCursor(connections["default"].connection, "tenant_export") as cursor,
    ):
        cursor.itersize = 100
        for (line,) in cursor.execute(query, [tenant_id]):
            yield line


def ids_of(tenant_id: UUID, table: OwnedTable) -> Iterator[str]:
    """The id of every row of the tenant."""
    query = sql.SQL("SELECT id::text FROM {} WHERE tenant_id = %s").format(sql.Identifier(table.name))
    with (
        _patient_scope(tenant_id, EXPORT_TIMEOUT_MS),
        psycopg.ServerCursor(connections["default"].connection, "tenant_ids") as cursor,
    ):
        cursor.itersize = 500
        for (row_id,) in cursor.execute(query, [tenant_id]):
            yield row_id


def erase_rows(tenant_id: UUID, table: OwnedTable, checkpoint: Callable[[], None]) -> int:
    """Delete every row of the tenant, a batch a transaction. Returns how many went, those that cascaded aside."""
    key = sql.SQL(", ").join(map(sql.Identifier, table.key))
    query = sql.SQL(
        "DELETE FROM {table} WHERE tenant_id = %(tenant)s AND ({key}) IN "
        "(SELECT {key} FROM {table} WHERE tenant_id = %(tenant)s LIMIT %(batch)s)"
    ).format(table=sql.Identifier(table.name), key=key)
    erased = 0
    while True:
        checkpoint()
        with _patient_scope(tenant_id, ERASE_TIMEOUT_MS), prepared_cursor() as cursor:
            gone = cursor.execute(query, {"tenant": tenant_id, "batch": ERASE_BATCH}).rowcount
        erased += gone
        if gone < ERASE_BATCH:
            return erased


@contextmanager
def _patient_scope(tenant_id: UUID, timeout_ms: int) -> Iterator[None]:
    """The tenant's scope with time limits of its own, for a statement and for the pause between two."""
    with tenant_scope(tenant_id):
        with prepared_cursor() as cursor:
            cursor.execute(
                "SELECT set_config('statement_timeout', %(limit)s, true), "
                "set_config('idle_in_transaction_session_timeout', %(limit)s, true)",
                {"limit": f"{timeout_ms}ms"},
            )
        yield
