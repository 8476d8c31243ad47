"""/mcp as an ASGI application: the SDK's stateless streamable HTTP, behind the layers (apps/edge/mcp_gate.py).

There are no sessions: nothing to guess, to steal or to run out of, and any process answers any request. So nothing is
there for GET to follow or DELETE to end. Who asks and with which body is known before this is called.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import structlog
from django.conf import settings
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import INVALID_REQUEST, PARSE_ERROR
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic_core import from_json, to_json

from apps.mcp import visits
from apps.mcp.in_hand import in_hand
from apps.mcp.server import build
from kernel.errors import PlatformError, UnavailableError
from kernel.web.asgi import Receive, Scope, Send, as_raw, headers_of

log = structlog.get_logger("mcp")
METHOD = "POST"
CANCELLED = "notifications/cancelled"
VERSION_HEADER = "mcp-protocol-version"


class MethodNotAllowed(PlatformError):
    """Anything but POST."""

    code, http_status, title = "method_not_allowed", 405, "Method Not Allowed"


class McpApplication:
    """Runs between `lifespan`'s two messages. One a process: the SDK's task group lives on one event loop."""

    def __init__(self) -> None:
        self._manager: StreamableHTTPSessionManager | None = None

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The server's start and end (ASGI lifespan)."""
        await receive()
        async with self.running():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Requests are answered inside of this."""
        manager = StreamableHTTPSessionManager(build(), stateless=True, max_request_body_size=settings.MAX_BODY_BYTES)
        async with manager.run():
            self._manager = manager
            try:
                yield
            finally:
                self._manager = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, body: bytes, visit: visits.Visit) -> None:
        """Answer one request, whose body has been read; ``receive`` then only says that the client has left.

        MethodNotAllowed; UnavailableError where the server knows no lifespan.
        """
        if scope["method"] != METHOD:
            raise MethodNotAllowed("Messages are sent by POST; there is no session to follow or to end.")
        if self._manager is None:
            raise UnavailableError("This server process does not serve MCP: it was started without ASGI lifespan.")
        message, fault = _read(body)
        if fault is not None:
            await _refuse(send, fault)
            return
        with visits.visit(visit):
            self._stop_what_was_cancelled(scope, message, visit)
            await self._manager.handle_request(scope, _with_body(body, receive), send)

    @staticmethod
    def _stop_what_was_cancelled(scope: Scope, message: dict[str, Any], visit: visits.Visit) -> None:
        """Before 2026 a client cancels by a message of its own, which no task of the call's sees. Since then it hangs
        up, and says nothing that could be meant for another's call."""
        if message["method"] != CANCELLED or headers_of(scope).get(VERSION_HEADER) in MODERN_PROTOCOL_VERSIONS:
            return
        params = message.get("params")
        named = params.get("requestId") if isinstance(params, dict) else None
        if isinstance(named, str | int) and not isinstance(named, bool):
            in_hand.stop(visit, named)


def _read(body: bytes) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The message, or the error of the protocol for what is none: no JSON, or several messages in one (batches left
    the protocol in 2025). Responses are not for us: we ask nobody."""
    try:
        message = from_json(body, allow_inf_nan=False)
    except ValueError:
        return {}, {"code": PARSE_ERROR, "message": "The body is not valid JSON."}
    if not _is_message(message):
        return {}, {"code": INVALID_REQUEST, "message": "The body must be one JSON-RPC request or notification."}
    return message, None


def _is_message(message: Any) -> bool:
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0" or not isinstance(message.get("method"), str):
        return False
    numbered = isinstance(message.get("id", 0), str | int) and not isinstance(message.get("id"), bool)
    return numbered and isinstance(message.get("params", {}), dict)


async def _refuse(send: Send, fault: dict[str, Any]) -> None:
    body = to_json({"jsonrpc": "2.0", "id": None, "error": fault})
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Cache-Control": "no-store"}
    await send({"type": "http.response.start", "status": 400, "headers": as_raw(headers)})
    await send({"type": "http.response.body", "body": body})


def _with_body(body: bytes, receive: Receive) -> Callable[[], Awaitable[MutableMapping[str, Any]]]:
    """The whole body at once, then what the client does."""
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> MutableMapping[str, Any]:
        return pending.pop() if pending else dict(await receive())

    return received
