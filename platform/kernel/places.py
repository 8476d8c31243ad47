"""How many of something are under way in this process, counted for each caller. Thread-safe."""

import threading
from collections import Counter
from collections.abc import Hashable
from typing import Literal

Taken = Literal["taken", "own_full", "all_full"]


class Places:
    """Who has taken a place gives it back. Nothing is kept of a caller that holds none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: Counter[Hashable] = Counter()

    def take(self, caller: Hashable, *, each: int, total: int | None = None) -> Taken:
        """One more for this caller, unless it holds ``each`` already, or all callers together hold ``total``."""
        with self._lock:
            if self._held[caller] >= each:
                return "own_full"
            if total is not None and self._held.total() >= total:
                return "all_full"
            self._held[caller] += 1
            return "taken"

    def __len__(self) -> int:
        """All that are held."""
        with self._lock:
            return self._held.total()

    def give_back(self, caller: Hashable) -> None:
        with self._lock:
            self._held[caller] -= 1
            if not self._held[caller]:
                del self._held[caller]
