"""Whether the graph may be asked just now: how many may ask at once, and who tries first after it was away (F24)."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum

from apps.graph.errors import GraphUnavailableError

BUSY_RETRY_S = 1.0


class Turn(Enum):
    """What a caller may do: ask, or first see whether the server is back."""

    ASK = "ask"
    TRY = "try"


class Standing:
    """One a process. After a call found nobody there, calls are refused for ``away_s``; then one tries, and while it
    does the others are still refused."""

    def __init__(self, *, at_once: int, slot_wait_s: float, away_s: float, clock: Callable[[], float] = time.monotonic):
        self._slots = threading.BoundedSemaphore(at_once)
        self._slot_wait_s = slot_wait_s
        self._away_s = away_s
        self._clock = clock
        self._lock = threading.Lock()
        self._away_until: float | None = None
        self._trying = False

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """A slot for one call. GraphUnavailableError when the server is away (``graph_unavailable``) or all slots are
        taken for longer than a call waits (``graph_busy``)."""
        turn = self._admit()
        try:
            if not self._slots.acquire(timeout=self._slot_wait_s):
                raise GraphUnavailableError(
                    "The graph has as many queries under way as it may. Try again in a moment.",
                    code="graph_busy",
                    retry_after_s=BUSY_RETRY_S,
                )
            try:
                yield turn
            finally:
                self._slots.release()
        finally:
            if turn is Turn.TRY:
                with self._lock:
                    self._trying = False

    def answered(self) -> None:
        """The server is there."""
        if self._away_until is not None:
            with self._lock:
                self._away_until = None

    def was_silent(self) -> None:
        """The server is away: refused, cut off, or silent."""
        with self._lock:
            self._away_until = self._clock() + self._away_s

    def _admit(self) -> Turn:
        with self._lock:
            if self._away_until is None:
                return Turn.ASK
            left_s = self._away_until - self._clock()
            if left_s > 0 or self._trying:
                raise away(max(left_s, 0.1))
            self._trying = True
            return Turn.TRY


def away(retry_after_s: float) -> GraphUnavailableError:
    """The graph does not answer."""
    return GraphUnavailableError("The graph does not answer. Try again in a moment.", retry_after_s=retry_after_s)
