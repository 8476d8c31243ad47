"""What a body may cost before anybody has looked at it: bytes and seconds (SPEC 2.6, SPEC 14).

Django under ASGI keeps a whole body before its first layer runs. This stands in front: an announced length that is too
large is refused at once, a body that grows or dawdles too long when it does. InputGuard (layer 6) says the same under
WSGI, where the server hands the body over piece by piece.
"""

import asyncio

from django.conf import settings
from opentelemetry.trace import SpanKind

from apps.edge.cors import CorsPolicy
from apps.edge.trace import response_headers
from kernel.errors import PayloadTooLargeError, PlatformError, RequestTimeoutError
from kernel.ids import request_id_of
from kernel.tracing import span
from kernel.web import uploads
from kernel.web.asgi import Application, Message, Receive, Scope, Send, headers_of, send_problem

LINGER_S = 2.0
LINGER_BYTES = 4 * 1024 * 1024


class BodyLimit:
    """ASGI, for HTTP only."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.cors = CorsPolicy.from_settings()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        announced, has_body = 0, False
        for name, value in scope["headers"]:
            if name == b"content-length":
                announced, has_body = int(value) if value.isdigit() else 0, value != b"0"
            elif name == b"transfer-encoding":
                has_body = True
        if not has_body:
            await self.application(scope, receive, send)
        elif uploads.is_upload(scope["method"], scope["path"]):
            if announced > uploads.max_bytes():
                await self._refuse(uploads.too_large(), scope, receive, send)
            else:
                await self._uploaded(scope, receive, send)
        elif announced > settings.MAX_BODY_BYTES:
            await self._refuse(_too_large(), scope, receive, send)
        else:
            await self._measured(scope, receive, send)

    async def _measured(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope = {**scope, "headers": list(scope["headers"])}
        undeclared = all(name != b"content-length" for name, _ in scope["headers"])
        deadline = asyncio.get_running_loop().time() + settings.REQUEST_ARRIVAL_S
        size, complete, started = 0, False, False
        refusal: PlatformError | None = None

        async def measured() -> Message:
            nonlocal size, complete, refusal
            if complete:
                return await receive()
            if refusal is None:
                try:
                    async with asyncio.timeout_at(deadline):
                        message = await receive()
                except TimeoutError:
                    refusal = RequestTimeoutError(
                        f"The body did not arrive within {settings.REQUEST_ARRIVAL_S:g} seconds."
                    )
                else:
                    size += len(message.get("body", b""))
                    complete = not message.get("more_body")
                    if size <= settings.MAX_BODY_BYTES:
                        if complete and undeclared:  # Django reads the headers later, and DRF no body without a length
                            scope["headers"].append((b"content-length", b"%d" % size))
                        return message
                    refusal = _too_large()
            return {"type": "http.disconnect"}

        async def unless_refused(message: Message) -> None:
            nonlocal started
            if refusal is None:
                started = True
                await send(message)

        await self.application(scope, measured, unless_refused)
        if refusal is not None and not started:
            await self._refuse(refusal, scope, receive, send)

    async def _uploaded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A body that its view takes while it arrives, once the layers have let it through (kernel/web/uploads.py)."""
        body = uploads.ArrivingBody(receive)

        async def answer(message: Message) -> None:
            if not body.is_over and message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            elif not body.is_over and not message.get("more_body"):  # refused before all of it had come
                await send({**message, "more_body": True})
                await body.drain(most_bytes=LINGER_BYTES, within_s=LINGER_S)
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        await self.application({**scope, uploads.SCOPE_KEY: body}, body.receive, answer)

    async def _refuse(self, problem: PlatformError, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer and close. What is on its way is read for a moment and thrown away: a socket that is closed with
        bytes unread takes the answer with it."""
        sent = headers_of(scope)
        request_id = request_id_of(sent.get("x-request-id"))
        with span(
            f"HTTP {scope['method']}",
            kind=SpanKind.SERVER,
            traceparent=sent.get("traceparent", ""),
            tracestate=sent.get("tracestate", ""),
            request_id=request_id,
            correlation_id=request_id_of(sent.get("x-correlation-id"), request_id),
        ) as context:
            headers = {
                **response_headers(context),
                **self.cors.headers(sent.get("origin")),
                "Vary": "Origin",
                "Connection": "close",
            }
            await send_problem(send, problem, instance=scope["path"], headers=headers, more_body=True)
        await _drain(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _drain(receive: Receive) -> None:
    left = LINGER_BYTES
    try:
        async with asyncio.timeout(LINGER_S):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return
    except TimeoutError:
        return


def _too_large() -> PayloadTooLargeError:
    return PayloadTooLargeError(
        f"The body may have {settings.MAX_BODY_BYTES} bytes at most.", max_bytes=settings.MAX_BODY_BYTES
    )
