"""Calls that a job makes: what its payload says, whether it is accepted, and how it is asked for (SPEC 5, 8)."""

import hashlib
from typing import Any, LiteralString
from uuid import UUID

from pydantic_core import to_json

from apps.identity.principal import Principal
from apps.jobs.payloads import ToolInvokePayload
from apps.jobs.services import CREATE_ROUTE, Accepted, create_job
from apps.tools import pipeline, policy, registry
from apps.tools.calls import Call
from kernel.errors import ConflictError, ValidationError
from kernel.tenant_context import tenant_statement

TYPE = "tool.invoke"
KEY_OF_JOB: LiteralString = """
SELECT 1 AS found FROM idempotency_keys WHERE tenant_id = %(tenant)s AND owner_sub = %(sub)s AND method = 'POST'
    AND route = %(route)s AND key = %(key)s AND expires_at > now()
"""
KEY_OF_CALL: LiteralString = """
SELECT 1 AS found FROM tool_invocations
WHERE tenant_id = %(tenant)s AND owner_sub = %(sub)s AND tool = %(tool)s AND idempotency_key = %(key)s
"""


def submit(call: Call, *, request_id: str = "") -> Accepted:
    """Accept a job that makes this call. Raises whatever `pipeline.invoke` raises before a tool runs: a call that waits
    for a person is refused now. A repeat with the call's key gives the same job; ConflictError for other arguments."""
    tool = registry.find(call.principal.tenant_id, call.name)
    key = None if call.idempotency_key is None else _key(tool.spec.name, call.idempotency_key)
    _refuse(call, KEY_OF_CALL, {"tool": tool.spec.name, "key": call.idempotency_key})
    payload = {
        "tool": tool.spec.name,
        "arguments": dict(call.arguments),
        **({} if call.timeout_s is None else {"timeout_s": call.timeout_s}),
        **({"safe_mode": True} if call.read_only else {}),
        **({"tainted": True} if policy.needs_approval(call, tool.called_with(call.arguments)) else {}),
    }
    try:
        return create_job(
            call.principal,
            type_name=TYPE,
            payload=payload,
            idempotency_key=key,
            request_id=request_id,
        )
    except ValidationError as error:
        if error.code != "idempotency_key_reused":
            raise
        raise ConflictError(
            "This Idempotency-Key was used with other arguments. Use a new key for another call.", code=error.code
        ) from error


def refuse_key_of_job(call: Call, tool: str) -> None:
    """ConflictError when a job was made with the call's key: the same call twice is one call, however it is made."""
    if call.idempotency_key is not None:
        _refuse(call, KEY_OF_JOB, {"route": CREATE_ROUTE, "key": _key(tool, call.idempotency_key)})


def admit(principal: Principal, payload: dict[str, Any]) -> None:
    """What POST /v1/jobs asks before it accepts such a job, whoever sends it."""
    pipeline.admit_for_later(call_of(principal, payload))


def call_of(principal: Principal, payload: dict[str, Any], job_id: UUID | None = None, **more: Any) -> Call:
    """The call that a payload of the right shape means. ``job_id``: of the job that makes it now, which holds it
    alone; without one it is only asked for."""
    said = ToolInvokePayload.model_validate(payload)
    made_by: dict[str, Any] = {"door": "rest"}
    if job_id is not None:
        made_by = {"door": "job", "job_id": job_id, "idempotency_key": f"job:{job_id}", "supersedes": True}
    return Call(
        principal,
        said.tool,
        said.arguments,
        timeout_s=said.timeout_s,
        read_only=said.safe_mode,
        tainted=said.tainted,
        **made_by,
        **more,
    )


def _refuse(call: Call, used: LiteralString, values: dict[str, Any]) -> None:
    if call.idempotency_key is None:
        return
    if tenant_statement(call.principal.tenant_id, used, values | _caller(call.principal)):
        raise ConflictError(
            "This Idempotency-Key was used for a call of the other mode (sync, async). Repeat it in that mode, or use "
            "a new key.",
            code="idempotency_key_reused",
        )


def _caller(principal: Principal) -> dict[str, Any]:
    return {"tenant": principal.tenant_id, "sub": principal.sub}


def _key(tool: str, key: str) -> str:
    """A key is one tool's; jobs that are posted have keys of their own."""
    return "tool." + hashlib.sha256(to_json([tool, key])).hexdigest()
