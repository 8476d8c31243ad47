"""What the platform's errors are on this wire, and the names of what we add to its messages.

A tool that was refused or failed is a result that says so (``isError``), because the model should read it and do
better; only what is no call at all (an unknown tool or resource, a bad cursor) is an error of the protocol.
"""

from typing import Any

from django.conf import settings
from mcp import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic_core import to_json

from apps.tools.errors import ApprovalRequired
from kernel.errors import NotFoundError, PlatformError
from kernel.request_context import current

PREFIX = "it.cineca.agentic/"
IDEMPOTENCY_KEY = f"{PREFIX}idempotency-key"  # in a call's _meta: a repeat gets the first one's outcome
INVOCATION, REPLAYED, ERROR = f"{PREFIX}invocation-id", f"{PREFIX}replayed", f"{PREFIX}error"
CORRELATION = f"{PREFIX}correlation-id"
REFUSED = -32050  # of the range that JSON-RPC leaves to implementations
NOT_FOUND_BEFORE_2026 = -32002
UNFORESEEN = "An unexpected error happened. Quote the correlation id when you report it."


def told(error: PlatformError) -> dict[str, Any]:
    """{code, message} and what else the error says, as the model reads it."""
    extra = {name: value for name, value in error.extra.items() if name not in ("code", "message")}
    said: dict[str, Any] = {"code": error.code, "message": error.detail, **extra}
    if error.errors is not None:
        said["errors"] = error.errors
    if error.retry_after_s is not None:
        said["retry_after_s"] = error.retry_after_s
    if isinstance(error, ApprovalRequired):
        said["approve_at"] = f"{settings.PUBLIC_URL}/v1/tools/approvals/{extra.get('approval_id')}"
        said["next"] = "Tell the person what waits for approval and where; once it is approved, make the same call."
    return said


def failure(said: dict[str, Any], **meta: Any) -> dict[str, Any]:
    """The result of a call that was refused or failed. It has no structured content: that would have to fit the
    tool's output schema."""
    marked = {ERROR: {"code": said["code"], "message": said["message"]}, CORRELATION: current().correlation_id, **meta}
    content = [{"type": "text", "text": to_json(said).decode()}]
    return {"content": content, "isError": True, "_meta": marked, "resultType": "complete"}


def protocol_error(error: PlatformError, version: str) -> MCPError:
    """The error of the protocol that stands for one of ours."""
    code = REFUSED
    if error.http_status in (400, 422):
        code = INVALID_PARAMS
    elif isinstance(error, NotFoundError):
        code = INVALID_PARAMS if version in MODERN_PROTOCOL_VERSIONS else NOT_FOUND_BEFORE_2026
    return MCPError(code, error.detail, {**told(error), "correlation_id": current().correlation_id})


def unforeseen() -> MCPError:
    """The answer to a bug: not a word about the inside."""
    said = {"code": "internal_error", "correlation_id": current().correlation_id}
    return MCPError(INTERNAL_ERROR, UNFORESEEN, said)
