"""Several calls in one request: in their order, each as if it were alone."""

import time
from typing import Any

import psycopg
from django.db import DatabaseError

from apps.identity.principal import Principal
from apps.tools.answers import answer
from apps.tools.calls import Call
from apps.tools.schemas import BatchCall, BatchCreate
from apps.tools.spec import SYNC_TIMEOUT_MAX_S
from kernel.errors import PlatformError
from kernel.request_context import current
from kernel.web.problem import as_platform_error

SHORTEST_CALL_S = 1.0
LEFT_OUT = 424


def made_in_order(principal: Principal, asked: BatchCreate) -> list[dict[str, Any]]:
    """An item for each call. All of them together have SYNC_TIMEOUT_MAX_S: what would begin later is left out."""
    items: list[dict[str, Any]] = []
    deadline = time.monotonic() + SYNC_TIMEOUT_MAX_S
    stopped = ""
    for call in asked.invocations:
        left_s = deadline - time.monotonic()
        if left_s < SHORTEST_CALL_S:
            stopped = f"The calls before it took {SYNC_TIMEOUT_MAX_S:g} s. Send it in another batch."
        if stopped:
            item = _failed(PlatformError(stopped, code="left_out"), LEFT_OUT)
        else:
            item = _made(principal, call, left_s, read_only=asked.safe_mode)
        items.append({"index": len(items), "name": call.name, **item})
        if asked.stop_on_error and not item["ok"]:
            stopped = "A call before it was refused or failed, and stop_on_error was asked for."
    return items


def _made(principal: Principal, call: BatchCall, left_s: float, *, read_only: bool) -> dict[str, Any]:
    wanted = Call(
        principal,
        call.name,
        call.args,
        "rest",
        idempotency_key=call.idempotency_key,
        timeout_s=left_s,
        read_only=read_only,
    )
    try:
        answered = answer(wanted, "auto", request_id=current().request_id)
    except (PlatformError, DatabaseError, psycopg.Error) as error:
        problem = as_platform_error(error)
        if problem is None:
            raise
        return _failed(problem, problem.http_status)
    return {"ok": True, "error": None, **answered.body, "http_status": answered.status}


def _failed(error: PlatformError, http_status: int) -> dict[str, Any]:
    told = {"code": error.code, "message": error.detail, **error.extra}
    if error.errors is not None:
        told["errors"] = error.errors
    if error.retry_after_s is not None:
        told["retry_after_s"] = error.retry_after_s
    return {"ok": False, "error": told, "http_status": http_status}
