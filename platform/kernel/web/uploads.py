"""Bodies that are taken a piece at a time while they arrive, instead of being there whole before anybody looks.

Under ASGI Django reads a whole body before its first layer runs. For the routes here, apps/edge/body_limit.py shows
Django an empty body and leaves the real one in the scope: a view takes it from there, in its own thread, once every
layer has let the request through. Under WSGI the server hands bodies over piece by piece anyway.
"""

import asyncio
from collections.abc import Iterator
from typing import IO, Any, cast

from django.conf import settings
from django.http import HttpRequest

from kernel.errors import BadRequestError, PayloadTooLargeError, RequestTimeoutError
from kernel.web.asgi import Message, Receive

ROUTES = frozenset({("POST", "/v1/files")})
SCOPE_KEY = "agentic.body"
PIECE_BYTES = 256 * 1024


def is_upload(method: str | None, path: str) -> bool:
    """Whether this request's body is taken piece by piece."""
    return (method, path) in ROUTES


def max_bytes() -> int:
    """What such a body may have."""
    limit: int = settings.FILES_MAX_BYTES
    return limit


def pieces(request: HttpRequest) -> Iterator[bytes]:
    """The body. PayloadTooLargeError, RequestTimeoutError; BadRequestError when the client hung up before its end."""
    scope = getattr(request, "scope", {})
    if SCOPE_KEY in scope:
        yield from scope[SCOPE_KEY].pieces()
        return
    chunked = "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH")
    source = cast(IO[bytes], request.META["wsgi.input"]) if chunked and "wsgi.input" in request.META else request
    size = 0
    while piece := source.read(PIECE_BYTES):
        size += len(piece)
        if size > max_bytes():
            raise too_large()
        yield piece


class ArrivingBody:
    """One request's body. Made on the event loop; ``pieces`` is for one other thread.

    ``receive`` is what Django gets: an empty body, and after the real one is over whether the client has left.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._shown = False
        self._left = False
        self._deadline = self._loop.time() + settings.FILES_ARRIVAL_S
        self._size = 0

    @property
    def is_over(self) -> bool:
        """Everything has arrived, or nothing more will."""
        return self._over.is_set()

    async def receive(self) -> Message:
        if not self._shown:
            self._shown = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._over.wait()
        return {"type": "http.disconnect"} if self._left else await self._receive()

    def pieces(self) -> Iterator[bytes]:
        """Waits for each, in the thread that asks."""
        while not self.is_over:
            piece = asyncio.run_coroutine_threadsafe(self._take(), self._loop).result()
            if piece:
                yield piece

    async def drain(self, *, most_bytes: int, within_s: float) -> None:
        """Take what is on its way and throw it away, for a moment."""
        try:
            async with asyncio.timeout(within_s):
                while most_bytes > 0 and not self.is_over:
                    most_bytes -= len(await self._next())
        except TimeoutError:
            pass
        self._over.set()

    async def _take(self) -> bytes:
        pause_s = min(settings.FILES_STALL_S, self._deadline - self._loop.time())
        try:
            async with asyncio.timeout(max(0.0, pause_s)):
                piece = await self._next()
        except TimeoutError:
            raise RequestTimeoutError(
                f"The body did not arrive: it may pause for {settings.FILES_STALL_S:g} seconds, and take "
                f"{settings.FILES_ARRIVAL_S:g} in all."
            ) from None
        if self._left:
            raise BadRequestError("The body ended before its end was said.")
        self._size += len(piece)
        if self._size > max_bytes():
            raise too_large()
        return piece

    async def _next(self) -> bytes:
        message: Any = await self._receive()
        if message["type"] == "http.disconnect":
            self._left = True
        if self._left or not message.get("more_body"):
            self._over.set()
        return bytes(message.get("body", b""))


def too_large() -> PayloadTooLargeError:
    """The file is larger than one may be."""
    return PayloadTooLargeError(f"A file may have {max_bytes():,} bytes at most.", max_bytes=max_bytes())
