"""Tools, invocations and approvals as the API shows them (SPEC 8; the contract's 7.1 and 7.2 as a superset)."""

from collections.abc import Mapping
from typing import Any

from apps.tools import approvals
from apps.tools.calls import Outcome
from apps.tools.models import APPROVED, PENDING, RUNNING, SUCCEEDED, ToolApproval, ToolInvocation
from apps.tools.records import status_of
from apps.tools.registry import INVOKE, Effective
from apps.tools.selectors import EXPIRED, LOST
from apps.tools.spec import DECLARED, ToolSpec
from kernel.clock import iso, now
from kernel.request_context import current


def tool_out(tool: Effective, *, with_module: bool) -> dict[str, Any]:
    """A tool that the caller may call. ``with_module``: administrators see where its code is."""
    spec = tool.spec
    scopes = list(tool.required_scopes)
    return {
        "id": f"{spec.name}@{spec.version}",
        "name": spec.name,
        "title": spec.title,
        "version": spec.version,
        "category": spec.category,
        "namespace": spec.category,
        "description": spec.description,
        "module": spec.function.__module__ if with_module else None,
        "entrypoint": f"/v1/tools/{spec.name}/invocations",
        "input_schema": spec.input_schema,
        "output_schema": spec.output_schema,
        "effect": spec.effect,
        "reading_actions": list(spec.reading_actions),
        "destructive_when": list(spec.destructive_when),
        "scopes": scopes,
        "required_scopes": scopes,
        "permissions": [INVOKE, *spec.permissions],
        "platform_only": spec.platform,
        "capabilities": capabilities(spec),
        "invokable": True,
        "long_running": spec.long_running,
        "rate_limit": {"requests": tool.rate.requests, "window": tool.rate.window_s},
        "timeout_s": tool.timeout_s,
        "approval": tool.approval,
        "aliases": list(spec.aliases),
        "annotations": annotations(spec),
    }


def capabilities(spec: ToolSpec) -> list[str]:
    """Words that clients choose by."""
    found = ["read"] if spec.effect == "read" else ["write", *(["read"] if spec.reading_actions else [])]
    return [*found, *(["destructive"] if spec.effect == "destructive" or spec.destructive_when else []),
            *(["long_running", "progress", "cancel"] if spec.long_running else [])]  # fmt: skip


def annotations(spec: ToolSpec) -> dict[str, Any]:
    """What the Model Context Protocol calls a tool's hints, from its effect."""
    return {
        "title": spec.title,
        "readOnlyHint": spec.effect == "read",
        "destructiveHint": spec.effect == "destructive" or bool(spec.destructive_when),
        "idempotentHint": spec.effect in ("read", "idempotent"),
        "openWorldHint": False,
    }


def outcome_out(outcome: Outcome, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A call that has just been answered. ``ok`` stands here and in ``result``, as the predecessor had it."""
    return {
        "id": outcome.invocation_id,
        "invocation_id": outcome.invocation_id,
        "event_id": outcome.invocation_id,
        "name": outcome.tool,
        "tool": outcome.tool,
        "ok": outcome.ok,
        "status": status_of(outcome),
        "result": envelope(outcome.tool, arguments, outcome.result, outcome.error),
        "error": outcome.error,
        "duration_ms": outcome.duration_ms,
        "trace_id": current().trace_id,
        "replayed": outcome.replayed,
    }


def envelope(
    name: str, arguments: Mapping[str, Any], result: dict[str, Any] | None, error: dict[str, Any] | None
) -> dict[str, Any]:
    """What a tool gave, beside {ok, action}; a field of the tool's own of such a name is the tool's. For a failure {ok,
    action, code, message, details}."""
    said = arguments.get("action")
    action = said if isinstance(said, str) else name.partition(".")[2]
    if error is None:
        return {"ok": True, "action": action, **(result or {})}
    details = {key: value for key, value in error.items() if key != "message"}
    return {"ok": False, "action": action, "code": wire_code(error), "message": error["message"], "details": details}


def wire_code(error: Mapping[str, Any]) -> str:
    """The predecessor's code for a tool's error; ours stands in ``details``."""
    status = error.get("http_status", 500)
    if error["code"] in ("tool_timeout", "tool_cancelled"):
        return "E_TIMEOUT" if error["code"] == "tool_timeout" else "E_TOOL_ERROR"
    if status in (401, 403):
        return "E_PERMISSION"
    if status == 429:
        return "E_RATE_LIMIT"
    if status == 400 or "errors" in error:
        return "E_VALIDATION"
    return "E_INTERNAL" if status >= 500 else "E_TOOL_ERROR"


def job_out(job_id: Any, tool: str) -> dict[str, Any]:
    """A call that became a job, and nothing that changes."""
    return {"id": job_id, "job_id": job_id, "name": tool, "tool": tool, "status": "queued"}


def invocation_summary(row: ToolInvocation) -> dict[str, Any]:
    """An invocation in a list."""
    error = row.error or None
    return {
        "id": row.id,
        "invocation_id": row.id,
        "event_id": row.id,
        "name": row.tool,
        "tool": row.tool,
        "version": row.version,
        "effect": row.effect,
        "door": row.door,
        "status": LOST if is_lost(row) else row.status,
        "ok": row.status == SUCCEEDED,
        "error": error,
        "owner": row.owner_sub,
        "owner_sub": row.owner_sub,
        "duration_ms": row.duration_ms,
        "approval_id": row.approval_id,
        "run_id": row.run_id,
        "session_id": row.session_id,
        "job_id": row.job_id,
        "idempotency_key": row.idempotency_key,
        "correlation_id": row.correlation_id,
        "request_id": row.request_id,
        "trace_id": row.traceparent[3:35],
        "created_at": iso(row.created_at),
        "finished_at": iso(row.finished_at),
    }


def invocation_out(row: ToolInvocation, withheld: str | None) -> dict[str, Any]:
    """An invocation with what went in and what came out; ``result`` null while it runs. ``withheld``: why this caller
    sees neither, or None."""
    if withheld is not None:
        return {**invocation_summary(row), "arguments": {}, "result": None, "withheld": withheld}
    has_ended = row.status != RUNNING
    return {
        **invocation_summary(row),
        "arguments": row.arguments,
        "result": envelope(row.tool, row.arguments, row.result, row.error) if has_ended else None,
        "withheld": None,
    }


def is_lost(row: ToolInvocation) -> bool:
    """Whether it should have ended long ago: its process died."""
    return row.status == RUNNING and row.lost_at is not None and row.lost_at < now()


def approval_out(row: ToolApproval) -> dict[str, Any]:
    """A call that waits for a person, whole. ``arguments_sha256`` is of ``arguments_text`` in UTF-8."""
    return {
        **approval_summary(row),
        "arguments": row.arguments,
        "arguments_text": approvals.canonical_text(row.arguments),
    }


def approval_summary(row: ToolApproval) -> dict[str, Any]:
    """The same in a list: what it would do is looked at one by one."""
    spec = DECLARED.get(row.tool)
    return {
        "id": row.id,
        "approval_id": row.id,
        "name": row.tool,
        "tool": row.tool,
        "title": spec.title if spec else row.tool,
        "description": spec.description if spec else "",
        "effect": row.effect,
        "arguments_sha256": row.arguments_sha256,
        "door": row.door,
        "run_id": row.run_id,
        "owner": row.owner_sub,
        "owner_sub": row.owner_sub,
        "status": EXPIRED if is_expired(row) else row.status,
        "decided_by": row.decided_by or None,
        "decided_at": iso(row.decided_at),
        "created_at": iso(row.created_at),
        "expires_at": iso(row.expires_at),
    }


def is_expired(row: ToolApproval) -> bool:
    """Whether it can be neither decided nor used any more, though nobody did."""
    return row.status in (PENDING, APPROVED) and row.expires_at <= now()
