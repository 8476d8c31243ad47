"""tools/call: the pipeline's outcome as the protocol's result."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp_types import INVALID_PARAMS, CallToolRequestParams
from pydantic_core import from_json, to_json

from apps.mcp import names, visits, wire
from apps.mcp.in_hand import Hand, in_hand
from apps.mcp.progress import ProgressLine
from apps.tools import pipeline
from apps.tools.calls import Call, Outcome
from apps.tools.context import nobody
from kernel.errors import PlatformError
from kernel.request_context import current
from kernel.web.parameters import idempotency_key

Context = ServerRequestContext[Any, Any]


async def call_tool(context: Context, params: CallToolRequestParams) -> dict[str, Any]:
    """The tool's result; what was refused and what failed are results with ``isError``."""
    visit, hand = visits.current(), Hand()
    meta: Mapping[str, Any] = context.meta or {}
    wants_progress = meta.get("progress_token") is not None
    line = ProgressLine(partial(_tell, context, visit)) if wants_progress else None
    try:
        call = Call(
            principal=visit.principal,
            name=names.meant(params.name),
            arguments=params.arguments or {},
            door="mcp",
            idempotency_key=_key(meta.get(wire.IDEMPOTENCY_KEY)),
            cancelled=hand.stop.is_set,
            report=nobody if line is None else line.report,
        )
        assert context.request_id is not None
        outcome = await in_hand.run(visit, context.request_id, hand, lambda: pipeline.invoke(call), line)
    except PlatformError as error:
        if error.code == "tool_not_found":
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {params.name[:100]!r}", wire.told(error)) from error
        return wire.failure(_cleaned(visit, wire.told(error)))
    return _result(outcome)


async def _tell(context: Context, visit: visits.Visit, progress: float, total: float | None, message: str) -> None:
    await context.session.report_progress(progress, total, _cleaned(visit, {"message": message})["message"])


def _cleaned(visit: visits.Visit, said: dict[str, Any]) -> dict[str, Any]:
    """What the pipeline did not see, without personal data."""
    clean: dict[str, Any] = from_json(visit.passage.clean(to_json(said)))
    return clean


def _key(given: Any) -> str | None:
    """The idempotency key of the call's _meta. BadRequestError when it is none."""
    return None if given is None else idempotency_key(given if isinstance(given, str) else "")


def _result(outcome: Outcome) -> dict[str, Any]:
    meta: dict[str, Any] = {wire.INVOCATION: str(outcome.invocation_id)}
    if outcome.replayed:
        meta[wire.REPLAYED] = True
    if outcome.error is not None:
        return wire.failure(outcome.error, **meta)
    meta[wire.CORRELATION] = current().correlation_id
    text = to_json(outcome.result).decode()
    content = [{"type": "text", "text": text}]
    return {"content": content, "structuredContent": outcome.result, "_meta": meta, "resultType": "complete"}
