"""The end of a run in a worker's hands: the move that ends it, its answer in the session, and its provenance (SPEC 10),
in one transaction."""

import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from pydantic_core import to_json

from apps.agents.runs import ledger as run_ledger
from apps.agents.runs.ledger import Connection
from apps.agents.runs.order import LOCK_SESSION
from apps.agents.runs.records import Move, Moved, Row
from apps.agents.states import CANCELLED, SUCCEEDED
from apps.audit import rows as audit_rows
from apps.audit.trail import FAILED, SUCCESS
from kernel.jsonb import json_text

# An ended session keeps its steps as they are.
SAY = """
WITH said AS (
    UPDATE sessions SET last_step_seq = last_step_seq + 1, last_step_id = %(id)s, updated_at = now(),
        version = version + 1, expires_at = now() + make_interval(secs => %(idle_s)s)
    WHERE id = %(session_id)s AND status = 'active' RETURNING id, tenant_id, last_step_seq
)
INSERT INTO session_steps (id, tenant_id, session_id, seq, type, message, output, status, completed_at, request_hash)
SELECT %(id)s, tenant_id, id, last_step_seq, 'assistant', %(message)s, %(output)s, 'completed', now(), '' FROM said
"""
TAPE = """
SELECT count(*), encode(sha256(convert_to(COALESCE(string_agg(
    concat_ws(' ', request_hash, occurrence, answer::text), E'\\n' ORDER BY id), ''), 'UTF8')), 'hex')
FROM run_tape WHERE run_id = %s
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """What an end is to leave behind beside its run's row. ``answer``: for the session, None: nothing is said there."""

    run: Row
    answer: str | None


def end(connection: Connection, change: Move, ended: Ended, *, fencing: bool) -> Moved | None:
    """End the run; None when it is not ours any more, and then nothing is written."""
    session_id = ended.run["session_id"]
    with connection.transaction():
        if session_id is not None:  # before the run's row: see apps/agents/runs/order.py
            connection.execute(LOCK_SESSION, [session_id])
        moved = run_ledger.move(connection, change, fencing=fencing)
        if moved is None:
            return None
        if session_id is not None and ended.answer is not None:
            connection.execute(SAY, _said(session_id, ended))
        if change.status != CANCELLED:
            connection.execute(audit_rows.INSERT, _provenance(connection, change, ended.run))  # the last: it locks
    return moved


def _said(session_id: UUID, ended: Ended) -> dict[str, Any]:
    return {
        "id": uuid4(),
        "session_id": session_id,
        "idle_s": settings.SESSION_IDLE_S,
        "message": ended.answer,
        "output": json_text({"run_id": ended.run["id"]}),
    }


def _provenance(connection: Connection, change: Move, run: Row) -> dict[str, Any]:
    """The parameters of an audit row that says, by hashes, from what the run's output came."""
    entries, tape_hash = connection.execute(TAPE, [run["id"]]).fetchone() or (0, "")
    row = audit_rows.row_of(
        tenant_id=run["tenant_id"],
        actor=run["owner_sub"],
        action="run.completed",
        resource_type="agent_run",
        resource_id=str(run["id"]),
        outcome=SUCCESS if change.status == SUCCEEDED else FAILED,
        details={
            "agent": run["agent_name"],
            "agent_version": run["agent_version"],
            "attempt": run["attempt"],
            "prompt_sha256": _sha256(run["prompt"].encode()),
            "tape_sha256": tape_hash,
            "tape_entries": entries,
            "output_sha256": _sha256(to_json(change.output, inf_nan_mode="null")),
        },
        actor_tenant_id=None,
        error_message=str((change.error or {}).get("reason", "")),
    )
    return row.values()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
