"""The same windows inside one process, for the time Redis is away: each process allows its share of every limit."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kernel.rate_limit.windows import Limit, Usage, Window

KEYS_PER_SCOPE = 10_000  # the longest unused go first; a flood of one scope forgets nobody of another

_Counts = dict[int, int]  # slot -> requests


@dataclass(frozen=True, slots=True)
class _Look:
    """What one limit's counts say right now."""

    limit: Limit
    counts: _Counts
    current: int
    usage: Usage


def share(limit: Limit, processes: int) -> Limit:
    """What one of ``processes`` may allow by itself: an equal part, at least 1 of what is not 0."""
    return replace(limit, limit=limit.limit and max(1, limit.limit // processes))


class LocalWindows:
    """Thread-safe. ``clock`` is monotonic seconds, so that setting the machine's clock changes nothing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, keys_per_scope: int = KEYS_PER_SCOPE) -> None:
        self._clock, self._keys_per_scope = clock, keys_per_scope
        self._lock = threading.Lock()
        self._scopes: dict[str, OrderedDict[tuple[str, str], _Counts]] = {}

    def take(self, limits: Sequence[Limit]) -> list[Usage]:
        """Count one request against all limits, or against none when one of them refuses."""
        with self._lock:
            now_ms = round(self._clock() * 1000)
            looks = [self._look(limit, now_ms) for limit in limits]
            if any(look.usage.wait_ms for look in looks):
                return [look.usage for look in looks]
            for look in looks:
                look.counts[look.current] = look.counts.get(look.current, 0) + 1
            return [replace(look.usage, used=look.usage.used + 1) for look in looks]

    def forget(self, limits: Sequence[Limit]) -> None:
        """Begin the counts of these limits anew."""
        with self._lock:
            for limit in limits:
                self._scopes.get(limit.scope, OrderedDict()).pop((limit.key, limit.owner), None)

    def __len__(self) -> int:
        return sum(len(keys) for keys in self._scopes.values())

    def _look(self, limit: Limit, now_ms: int) -> _Look:
        counts = self._counts(limit)
        window, current = limit.window, now_ms // limit.window.slot_ms
        for slot in [slot for slot in counts if slot < current - window.slots]:
            del counts[slot]
        used, oldest = sum(counts.values()), min(counts, default=current)
        wait_ms = _wait_ms(counts, limit.limit, window, current, now_ms) if used >= limit.limit else 0
        reset_ms = (oldest + window.slots + 1) * window.slot_ms - now_ms
        return _Look(limit, counts, current, Usage(used, reset_ms, wait_ms))

    def _counts(self, limit: Limit) -> _Counts:
        keys = self._scopes.setdefault(limit.scope, OrderedDict())
        name = (limit.key, limit.owner)
        counts = keys.setdefault(name, {})
        keys.move_to_end(name)
        if len(keys) > self._keys_per_scope:
            keys.popitem(last=False)
        return counts


def _wait_ms(counts: _Counts, limit: int, window: Window, current: int, now_ms: int) -> int:
    """Until enough of the oldest slots have left; a whole window when even an empty one has no room."""
    left, last = sum(counts.values()), current
    for slot in sorted(counts):
        left, last = left - counts[slot], slot
        if left < limit:
            break
    return (last + window.slots + 1) * window.slot_ms - now_ms
