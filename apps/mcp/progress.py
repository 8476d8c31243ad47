"""What a tool reports, on its way from the tool's thread to the client."""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable

Tell = Callable[[float, float | None, str], Awaitable[None]]
KEPT = 64  # of what a client does not read fast enough; older reports are forgotten
MESSAGE_CHARS = 500
WHOLE = 100.0


class ProgressLine:
    """Reports of one call. The protocol wants ever larger numbers: one that is not is made a hair larger."""

    def __init__(self, tell: Tell) -> None:
        self.wake = asyncio.Event()
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[str, str, float | None]] = deque(maxlen=KEPT)
        self._last = -math.ulp(0.0)

    def report(self, stage: str, message: str, percent: float | None) -> None:
        """From any thread."""
        self._waiting.append((stage, message, percent))
        self._loop.call_soon_threadsafe(self.wake.set)

    async def flush(self) -> None:
        """Tell the client what was reported so far."""
        while self._waiting:
            stage, message, percent = self._waiting.popleft()
            wanted = self._last if percent is None or not math.isfinite(percent) else min(percent, WHOLE)
            self._last = wanted if wanted > self._last else math.nextafter(self._last, math.inf)
            said = f"{stage}: {message}" if message else stage
            await self._tell(self._last, None if percent is None else WHOLE, said[:MESSAGE_CHARS])
