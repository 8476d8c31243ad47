"""ASGI below Django: what goes around it or comes before it speaks HTTP with these."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from pydantic_core import to_json

from kernel.errors import PlatformError
from kernel.request_context import current
from kernel.web.problem import MEDIA_TYPE, problem_body, problem_headers

Message = Mapping[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def headers_of(scope: Scope) -> dict[str, str]:
    """Request headers by lower-case name; of several with one name the last."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def as_raw(headers: Mapping[str, str]) -> Iterable[tuple[bytes, bytes]]:
    """Headers as ASGI wants them."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


async def send_problem(
    send: Send,
    error: PlatformError,
    *,
    instance: str,
    headers: Mapping[str, str] | None = None,
    more_body: bool = False,
) -> None:
    """The error as an answer, with ids from kernel.request_context. ``more_body``: the caller sends the empty end."""
    context = current()
    body = to_json(
        problem_body(
            error,
            instance=instance,
            request_id=context.request_id,
            correlation_id=context.correlation_id,
            trace_id=context.trace_id,
        )
    )
    sent = {
        **problem_headers(error),
        "Content-Type": MEDIA_TYPE,
        "Content-Length": str(len(body)),
        **(headers or {}),
    }
    await send({"type": "http.response.start", "status": error.http_status, "headers": as_raw(sent)})
    await send({"type": "http.response.body", "body": body, "more_body": more_body})
