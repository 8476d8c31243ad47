"""Server-sent events over ASGI: the frame, and a consumer that streams until its source ends or its client goes.

Built on Channels' AsyncConsumer with no channel layer of its own: AsyncHttpConsumer ends when its handler returns,
and a layer would mean one Redis subscription a client.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import structlog
from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer
from django.conf import settings
from pydantic_core import to_json

from kernel import metrics
from kernel.errors import PlatformError
from kernel.ids import request_id_of
from kernel.web.problem import MEDIA_TYPE, as_platform_error, problem_body, problem_headers

log = structlog.get_logger("sse")
KEEP_ALIVE = b": keep-alive\n\n"


def frame(data: bytes, *, event: str, event_id: int | None = None) -> bytes:
    """One event. ``data`` is JSON on one line, so no text inside it can end the frame or start another."""
    head = b"" if event_id is None else b"id: %d\n" % event_id
    return head + b"event: %s\ndata: %s\n\n" % (event.encode(), data)


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
            task.cancel()
            await asyncio.wait([task])
        raise StopConsumer

    async def _stream(self) -> None:
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in self.scope["headers"]}
        self.headers = headers
        self.request_id = request_id_of(headers.get("x-request-id"))
        self.correlation_id = request_id_of(headers.get("x-correlation-id"), self.request_id)
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
                    (b"x-request-id", self.request_id.encode()),
                    (b"x-correlation-id", self.correlation_id.encode()),
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
        body = problem_body(
            problem,
            instance=self.scope["path"],
            request_id=self.request_id,
            correlation_id=self.correlation_id,
        )
        headers = {
            **problem_headers(problem),
            "Content-Type": MEDIA_TYPE,
            "X-Request-Id": self.request_id,
            "X-Correlation-Id": self.correlation_id,
        }
        await self.send(
            {
                "type": "http.response.start",
                "status": problem.http_status,
                "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            }
        )
        await self._send(to_json(body), more=False)
