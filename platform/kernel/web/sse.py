"""Server-sent events over ASGI: the frame, and a consumer that streams until its source ends or its client goes.

Built on Channels' AsyncConsumer with no channel layer of its own: AsyncHttpConsumer ends when its handler returns,
and a layer would mean one Redis subscription a client. apps/edge/stream_gate.py stands around it: names of the request,
its trace and CORS come from there.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import structlog
from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer
from django.conf import settings

from kernel import metrics
from kernel.errors import PlatformError
from kernel.web.asgi import headers_of, send_problem
from kernel.web.problem import as_platform_error

log = structlog.get_logger("sse")
KEEP_ALIVE = b": keep-alive\n\n"
CANCEL_AGAIN_S = 0.5


def frame(data: bytes, *, event: str, event_id: int | None = None) -> bytes:
    """One event. ``data`` is JSON on one line, so no text inside it can end the frame or start another."""
    head = b"" if event_id is None else b"id: %d\n" % event_id
    return head + b"event: %s\ndata: %s\n\n" % (event.encode(), data)


async def end(task: asyncio.Task[None]) -> None:
    """Cancel the task and wait for its end. redis-py loses a cancellation now and then: it is repeated until heard."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_AGAIN_S)


class EventStreamConsumer(AsyncConsumer):
    """Subclasses write ``open`` (authorise; raise a PlatformError; may set ``status``) and ``frames`` (yield bytes)."""

    channel_layer_alias = None
    status = 200

    async def open(self) -> None:
        raise NotImplementedError

    def frames(self) -> AsyncIterator[bytes]:
        raise NotImplementedError

    async def close(self) -> None:
        """Called once, however the stream ended."""

    async def http_request(self, message: dict[str, Any]) -> None:
        if not message.get("more_body"):
            self._task = asyncio.create_task(self._stream())

    async def http_disconnect(self, message: dict[str, Any]) -> None:
        task = getattr(self, "_task", None)
        if task is not None:
            await end(task)
        raise StopConsumer

    async def _stream(self) -> None:
        self.headers = headers_of(self.scope)
        try:
            await self.open()
        except Exception as error:  # noqa: BLE001 - the edge of a stream, as apps/edge/errors.py is of a request
            await self._refuse(error)
            return
        metrics.SSE_ACTIVE.labels("sse").inc()
        try:
            await self._begin()
            async for chunk in self.frames():
                await self._send(chunk, more=True)
            await self._send(b"", more=False)
        except TimeoutError:
            metrics.SSE_SLOW_CLOSED.inc()
            log.info("slow_client_closed", path=self.scope["path"])
        finally:
            metrics.SSE_ACTIVE.labels("sse").dec()
            await self.close()

    async def _begin(self) -> None:
        await self.send(
            {
                "type": "http.response.start",
                "status": self.status,
                "headers": [
                    (b"content-type", b"text/event-stream; charset=utf-8"),
                    (b"cache-control", b"no-store"),
                    (b"x-accel-buffering", b"no"),
                ],
            }
        )

    async def _send(self, body: bytes, *, more: bool) -> None:
        """TimeoutError when the client does not read."""
        async with asyncio.timeout(settings.SSE_SEND_TIMEOUT_S):
            await self.send({"type": "http.response.body", "body": body, "more_body": more})

    async def _refuse(self, error: Exception) -> None:
        problem = as_platform_error(error)
        if problem is None:
            log.exception("stream_failed", path=self.scope["path"])
            problem = PlatformError("Something went wrong here. Quote the correlation id to an operator.")
        async with asyncio.timeout(settings.SSE_SEND_TIMEOUT_S):
            await send_problem(self.send, problem, instance=self.scope["path"])
