"""An audit row on its way into the database: what it says, and how one row, or many of them, are written."""

from dataclasses import dataclass, field
from typing import Any, LiteralString
from uuid import UUID, uuid4

from apps.audit.models import PLATFORM_CHAIN
from apps.audit.scrubbing import as_json, scrubbed, scrubbed_text
from kernel.request_context import current

NAME_MAX = 300

# seq, created_at and the hashes are the database's to say. Prepared on each connection after its second use.
INSERT: LiteralString = """
INSERT INTO audit_logs (id, tenant_id, actor, actor_tenant_id, action, resource_type, resource_id, outcome, details,
    error_message, request_id, correlation_id, trace_id, client_ip)
VALUES (%(id)s, %(tenant_id)s, %(actor)s, %(actor_tenant_id)s, %(action)s, %(resource_type)s, %(resource_id)s,
    %(outcome)s, %(details)s::jsonb, %(error_message)s, %(request_id)s, %(correlation_id)s, %(trace_id)s, %(client_ip)s)
"""
# The same for a JSON list of such values, in its order: half the work of one statement a row.
INSERT_ALL: LiteralString = """
INSERT INTO audit_logs (id, tenant_id, actor, actor_tenant_id, action, resource_type, resource_id, outcome, details,
    error_message, request_id, correlation_id, trace_id, client_ip)
SELECT id, tenant_id, actor, actor_tenant_id, action, resource_type, resource_id, outcome, (details #>> '{}')::jsonb,
    error_message, request_id, correlation_id, trace_id, client_ip
FROM ROWS FROM (jsonb_populate_recordset(NULL::audit_logs, %(rows)s::jsonb)) WITH ORDINALITY ORDER BY ordinality
"""


@dataclass
class Row:
    """Scrubbed already. ``noted_at_s`` is the monotonic clock's, where the row waits for the writer."""

    tenant_id: UUID
    columns: dict[str, Any]
    details: dict[str, Any]
    id: UUID = field(default_factory=uuid4)
    noted_at_s: float = 0.0

    def values(self) -> dict[str, Any]:
        """The parameters of INSERT."""
        return {**self.columns, "id": self.id, "tenant_id": self.tenant_id, "details": as_json(self.details)}


def row_of(
    *,
    tenant_id: UUID | None,
    actor: str,
    action: str,
    resource_type: str,
    resource_id: str,
    outcome: str,
    details: dict[str, Any] | None,
    actor_tenant_id: UUID | None,
    error_message: str,
) -> Row:
    """The row, with the ids of the request or task that is going on."""
    context = current()
    safe = scrubbed(details) if details else {}
    if actor_tenant_id is None and isinstance(safe.get("actor_tenant_id"), str):
        actor_tenant_id = _uuid(safe["actor_tenant_id"])
    columns = {
        "actor": scrubbed_text(actor, NAME_MAX),
        "actor_tenant_id": actor_tenant_id,
        "action": scrubbed_text(action, NAME_MAX),
        "resource_type": scrubbed_text(resource_type, NAME_MAX),
        "resource_id": scrubbed_text(resource_id, NAME_MAX),
        "outcome": outcome,
        "error_message": scrubbed_text(error_message),
        "request_id": context.request_id,
        "correlation_id": context.correlation_id,
        "trace_id": context.trace_id,
        "client_ip": context.client_ip,
    }
    return Row(PLATFORM_CHAIN if tenant_id is None else tenant_id, columns, safe)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
