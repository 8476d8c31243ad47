"""Rows of the invocation store (SPEC 7.2): before it runs for what writes or has a key, after it for a plain read."""

import hashlib
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from pydantic_core import from_json, to_json

from apps.audit import trail
from apps.tools.calls import Call, Outcome
from apps.tools.models import CANCELLED, FAILED, RUNNING, SUCCEEDED, TIMED_OUT
from apps.tools.registry import Effective
from apps.tools.stopping import GRACE_S
from kernel.errors import ConflictError
from kernel.jsonb import json_text
from kernel.request_context import current
from kernel.tenant_context import OWN_TENANT, tenant_statement, tenant_statements

LOST_AFTER_S = 10.0  # beyond the time that the tool has

_COLUMNS: LiteralString = """
INSERT INTO tool_invocations (id, tenant_id, owner_sub, tool, version, effect, door, status, arguments, result, error,
    idempotency_key, request_hash, approval_id, run_id, session_id, job_id, request_id, correlation_id, traceparent,
    duration_ms, created_at, finished_at, lost_at)
SELECT %(id)s, own.tenant::uuid, %(sub)s, %(tool)s, %(version)s, %(effect)s, %(door)s, %(status)s,
    %(arguments)s::jsonb, %(result)s::jsonb, %(error)s::jsonb, %(key)s, %(hash)s, %(approval)s, %(run)s, %(session)s,
    %(job)s, %(request_id)s, %(correlation_id)s, %(traceparent)s, %(duration_ms)s::float8,
"""
WHOLE: LiteralString = f"""{_COLUMNS}
clock_timestamp() - make_interval(secs => %(duration_ms)s::float8 / 1000), clock_timestamp(), NULL
FROM {OWN_TENANT} RETURNING id
"""
# Whoever finds a row of the same key there does nothing, unless that row was lost, or is the caller's to take over: a
# worker that shut down has stopped the tool, which the next one begins again.
BEGIN: LiteralString = f"""{_COLUMNS}
clock_timestamp(), NULL, clock_timestamp() + make_interval(secs => %(lost_after_s)s::float8)
FROM {OWN_TENANT}
ON CONFLICT (tenant_id, owner_sub, tool, idempotency_key) DO UPDATE SET lost_at = EXCLUDED.lost_at,
    status = 'running', error = NULL, finished_at = NULL
    WHERE tool_invocations.request_hash = EXCLUDED.request_hash
        AND (%(supersedes)s::boolean AND tool_invocations.status IN ('running', 'cancelled')
            OR tool_invocations.status = 'running' AND tool_invocations.lost_at < clock_timestamp())
RETURNING id
"""
FIND: LiteralString = """
SELECT id, status, request_hash, result::text AS result, error::text AS error, duration_ms FROM tool_invocations
WHERE tenant_id = %(tenant)s AND owner_sub = %(sub)s AND tool = %(tool)s AND idempotency_key = %(key)s
"""
SPENT: LiteralString = """
SELECT approval_id FROM tool_invocations
WHERE tenant_id = %(tenant)s AND owner_sub = %(sub)s AND tool = %(tool)s AND idempotency_key = %(key)s
    AND request_hash = %(hash)s AND status IN ('running', 'cancelled') AND approval_id IS NOT NULL
"""
END: LiteralString = """
UPDATE tool_invocations SET status = %(status)s, result = %(result)s::jsonb, error = %(error)s::jsonb,
    duration_ms = %(duration_ms)s, finished_at = clock_timestamp(), lost_at = NULL
WHERE id = %(id)s AND status = 'running' RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a call before its tool runs. ``arguments``: as shown to who reads the store (keeping.py)."""

    id: UUID
    call: Call
    tool: Effective
    arguments: dict[str, Any]
    request_hash: str
    approval_id: UUID | None


def request_hash(arguments: dict[str, Any]) -> str:
    """SHA-256, in hex, of the arguments as the tool gets them."""
    return hashlib.sha256(to_json(arguments)).hexdigest()


def find_earlier(call: Call, tool: Effective, wanted_hash: str) -> Outcome | None:
    """What an earlier call with the same key came to; None without one, or when that one is still open.

    ConflictError when the key was used with other arguments.
    """
    if call.idempotency_key is None:
        return None
    rows = tenant_statement(call.principal.tenant_id, FIND, _key(call, tool))
    if not rows:
        return None
    (row,) = rows
    if row["request_hash"] != wanted_hash:
        raise ConflictError(
            "This Idempotency-Key was used with other arguments. Use a new key for another call.",
            code="idempotency_key_reused",
        )
    is_open = row["status"] == RUNNING or (call.supersedes and row["status"] == CANCELLED)
    return None if is_open else _outcome(row, tool)


def find_spent_approval(call: Call, tool: Effective, wanted_hash: str) -> UUID | None:
    """The approval that an attempt which this call takes over has spent on this very call."""
    if not call.supersedes or call.idempotency_key is None:
        return None
    rows = tenant_statement(call.principal.tenant_id, SPENT, _key(call, tool) | {"hash": wanted_hash})
    return rows[0]["approval_id"] if rows else None


def begin(entry: Entry) -> UUID:
    """Write that it will run; the id of its row, an earlier one's where that was lost. ConflictError while another call
    with the key is under way."""
    values = _values(entry) | {
        "status": RUNNING,
        "lost_after_s": entry.tool.timeout_s + GRACE_S + LOST_AFTER_S,
        "supersedes": entry.call.supersedes,
    }
    rows = tenant_statement(entry.call.principal.tenant_id, BEGIN, values)
    if not rows:
        raise ConflictError(
            "A call with this Idempotency-Key is still under way. Try again in a second.",
            code="idempotency_in_progress",
            retry_after_s=1,
        )
    found: UUID = rows[0]["id"]
    return found


def end(entry: Entry, outcome: Outcome, *, begun: bool) -> None:
    """Write what came of it, and leave it in the audit log: with a change in the change's transaction."""
    tenant_id = entry.call.principal.tenant_id
    values = _values(entry) | {
        "id": outcome.invocation_id,
        "status": status_of(outcome),
        "result": json_text(outcome.result),
        "error": json_text(outcome.error),
        "duration_ms": outcome.duration_ms,
    }
    if not entry.tool.writes:
        tenant_statement(tenant_id, END if begun else WHOLE, values)
        trail.note(**_audited(entry, outcome))
        return
    tenant_statements(tenant_id, [(END, values), trail.statement(**_audited(entry, outcome))])


def _audited(entry: Entry, outcome: Outcome) -> dict[str, Any]:
    details: dict[str, Any] = {"tool": outcome.tool, "door": entry.call.door, "effect": entry.tool.effect,
                               "request_hash": entry.request_hash}  # fmt: skip
    for name, value in (("run_id", entry.call.run_id), ("approval_id", entry.approval_id)):
        if value is not None:
            details[name] = str(value)
    if outcome.error is not None:
        details["code"] = outcome.error["code"]
    return {
        **trail.by(entry.call.principal),
        "action": "tool.invoke",
        "resource_type": "tool_invocation",
        "resource_id": str(outcome.invocation_id),
        "outcome": trail.SUCCESS if outcome.ok else trail.FAILED,
        "details": details,
    }


def _values(entry: Entry) -> dict[str, Any]:
    call, context = entry.call, current()
    return {
        "id": entry.id,
        **_key(call, entry.tool),
        "version": entry.tool.spec.version,
        "effect": entry.tool.effect,
        "door": call.door,
        "arguments": json_text(entry.arguments),
        "result": None,
        "error": None,
        "hash": entry.request_hash,
        "approval": entry.approval_id,
        "run": call.run_id,
        "session": call.session_id,
        "job": call.job_id,
        "request_id": context.request_id,
        "correlation_id": context.correlation_id,
        "traceparent": context.traceparent,
        "duration_ms": None,
    }


def _key(call: Call, tool: Effective) -> dict[str, Any]:
    return {
        "tenant": call.principal.tenant_id,
        "sub": call.principal.sub,
        "tool": tool.spec.name,
        "key": call.idempotency_key,
    }


def status_of(outcome: Outcome) -> str:
    """As the invocation store says it."""
    if outcome.ok:
        return SUCCEEDED
    code = (outcome.error or {}).get("code")
    return {"tool_cancelled": CANCELLED, "tool_timeout": TIMED_OUT}.get(str(code), FAILED)


def _outcome(row: dict[str, Any], tool: Effective) -> Outcome:
    error = None if row["error"] is None else from_json(row["error"])
    return Outcome(
        invocation_id=row["id"],
        tool=tool.spec.name,
        ok=row["status"] == SUCCEEDED,
        result=None if row["result"] is None else from_json(row["result"]),
        error=error,
        http_status=200 if error is None else int(error.get("http_status", 500)),
        duration_ms=row["duration_ms"] or 0.0,
        replayed=True,
    )
