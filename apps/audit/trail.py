"""The two ways to write an audit row. Request, correlation and trace ids are taken from kernel.request_context.

``record`` belongs to a change and commits or fails with it; ``note`` is for what changed nothing (a refusal, a read).
"""

import time
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from django.db import connections

from apps.audit.rows import INSERT, row_of
from apps.audit.writer import writer
from apps.identity.principal import Principal
from kernel import engine_db

SUCCESS, DENIED, FAILED = "success", "denied", "failed"
# Where a transaction may be open, the one that may write the most first. A tenant scope is one on "default".
_DOORS = (engine_db.ALIAS, "default", "issuer")


def by(principal: Principal) -> dict[str, Any]:
    """Whose act it is, and in which chain it stands: what ``record`` and ``note`` want to know of a caller."""
    return {
        "tenant_id": principal.tenant_id,
        "actor": principal.sub,
        "actor_tenant_id": principal.own_tenant_id,
    }


def record(
    *,
    tenant_id: UUID | None,
    actor: str,
    action: str,
    resource_type: str = "",
    resource_id: str = "",
    outcome: str = SUCCESS,
    details: dict[str, Any] | None = None,
    actor_tenant_id: UUID | None = None,
    error_message: str = "",
    using: str | None = None,
) -> None:
    """Write one row in the caller's open transaction. ``tenant_id`` None: the platform's own chain.

    ``using`` names the connection when transactions are open on more than one. Call it last: from here to the commit
    other writers of the same chain wait. Several chains in one transaction: the platform's own last. Inside a tenant
    scope only that tenant's chain and the platform's can be written.
    """
    row = row_of(
        tenant_id=tenant_id,
        actor=actor,
        action=action,
        resource_type=resource_type,
        resource_id=resource_id,
        outcome=outcome,
        details=details,
        actor_tenant_id=actor_tenant_id,
        error_message=error_message,
    )
    with psycopg.Cursor(connections[using or _open_door()].connection) as cursor:
        cursor.execute(INSERT, row.values())


def statement(**said: Any) -> tuple[LiteralString, dict[str, Any]]:
    """What ``record`` would write of the same arguments (all but ``error_message`` and ``using`` are needed), with its
    values: for who sends it in one pipeline with the change, after that (kernel.tenant_context.tenant_statements)."""
    return INSERT, row_of(**{"error_message": "", **said}).values()


def note(
    *,
    tenant_id: UUID | None,
    actor: str,
    action: str,
    resource_type: str = "",
    resource_id: str = "",
    outcome: str = DENIED,
    details: dict[str, Any] | None = None,
    actor_tenant_id: UUID | None = None,
    error_message: str = "",
) -> None:
    """Hand one row to the process's writer, which commits within a fraction of a second; never blocks, never fails."""
    row = row_of(
        tenant_id=tenant_id,
        actor=actor,
        action=action,
        resource_type=resource_type,
        resource_id=resource_id,
        outcome=outcome,
        details=details,
        actor_tenant_id=actor_tenant_id,
        error_message=error_message,
    )
    row.noted_at_s = time.monotonic()
    writer.put(row)


def _open_door() -> str:
    for alias in _DOORS:
        if connections[alias].in_atomic_block:
            return alias
    raise RuntimeError("trail.record() belongs into an open transaction; use trail.note() where nothing is changed")
