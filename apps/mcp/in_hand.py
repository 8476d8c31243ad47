"""Tools that run for this door now: in threads of their own, few for each caller, and stopped when nobody waits."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from django.conf import settings
from django.db import connections

from apps.mcp.progress import ProgressLine
from apps.mcp.visits import Visit
from apps.tools import under_way
from kernel import metrics
from kernel.places import Places

T = TypeVar("T")
RequestId = str | int


@dataclass(slots=True)
class Hand:
    """One call at work. ``stop`` is looked at by the tool (apps/tools/stopping.py)."""

    stop: threading.Event = field(default_factory=threading.Event)


class InHand:
    """The calls of this process. Everything here is called on the event loop."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(settings.MCP_THREADS, thread_name_prefix="mcp-tool")
        self._places = Places()
        self._hands: dict[tuple[str, RequestId], list[Hand]] = {}

    async def run(
        self, visit: Visit, request_id: RequestId, hand: Hand, work: Callable[[], T], line: ProgressLine | None
    ) -> T:
        """``work`` in a thread. When this is cancelled the tool is told to stop. RateLimitedError for a caller with
        too many at work."""
        future = self._submit(visit, work)
        place = (visit.mark, request_id)
        self._hands.setdefault(place, []).append(hand)
        try:
            waited = asyncio.wrap_future(future)
            if line is not None:
                waited.add_done_callback(lambda _: line.wake.set())
                while not waited.done():
                    await line.wake.wait()
                    line.wake.clear()
                    await line.flush()
            return await waited
        finally:
            hand.stop.set()
            future.cancel()  # one that did not begin yet never will
            others = [other for other in self._hands[place] if other is not hand]
            self._hands[place] = others
            if not others:
                del self._hands[place]

    def stop(self, visit: Visit, request_id: RequestId) -> bool:
        """notifications/cancelled of the revisions before 2026, which comes by itself: stop the call it names. Numbers
        are the client's own; where two of one token's calls have the same, neither is stopped."""
        found = self._hands.get((visit.mark, request_id), [])
        if len(found) != 1:
            return False
        found[0].stop.set()
        return True

    def _submit(self, visit: Visit, work: Callable[[], T]) -> "Future[T]":
        caller = (visit.principal.tenant_id, visit.principal.sub)
        if self._places.take(caller, each=settings.MCP_CALLS_PER_CALLER) != "taken":
            error = under_way.too_many(settings.MCP_CALLS_PER_CALLER)
            metrics.TOOL_REFUSALS.labels(error.code).inc()
            raise error
        context = contextvars.copy_context()

        def run() -> T:
            try:
                return context.run(work)
            finally:
                connections.close_all()

        future = self._threads.submit(run)
        future.add_done_callback(lambda _: self._places.give_back(caller))  # a call whose client left counts until then
        return future


in_hand = InHand()
