"""A value loaded from elsewhere and kept: one load at a time, in the background; last known good when it fails."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

T = TypeVar("T")
log = structlog.get_logger("identity")


@dataclass(frozen=True)
class Pace:
    """When to load again. All in seconds."""

    fresh_s: float  # younger: nobody thinks of loading
    overdue_s: float  # older: callers wait for the load, at most patience_s
    expired_s: float  # older: the value is no longer given out
    min_interval_s: float  # between the starts of two loads
    after_failure_s: float  # the same after a load that failed
    patience_s: float  # a caller waits for one load no longer than this after its start
    patience_with_nothing_s: float = 0.0  # the same, if longer, without a value, or when it lacks what is looked for


class Reloaded(Generic[T]):
    """Thread-safe. Callers may block up to `patience_s`, so asynchronous code calls it in a thread."""

    def __init__(
        self,
        name: str,
        load: Callable[[], T],
        failures: tuple[type[Exception], ...],
        pace: Pace,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._load, self._failures, self._pace, self._clock = name, load, failures, pace, clock
        self._changed = threading.Condition()
        self._value: T | None = None
        self._value_from = float("-inf")  # monotonic start of the load that brought the value
        self._last_start = float("-inf")
        self._running = False
        self._failed = False

    @property
    def is_degraded(self) -> bool:
        """Whether the last load failed: answers then rest on what was known before."""
        return self._failed

    def get(self) -> T | None:
        """The value; None when none was ever loaded or the last one is older than `expired_s`."""
        age_s = self._clock() - self._value_from
        if age_s > self._pace.fresh_s:
            self._start()
            if age_s > self._pace.overdue_s:
                self._wait_for(newer_than=self._value_from, has_something=self._is_usable())
        return self._value if self._is_usable() else None

    def reload(self) -> T | None:
        """Like get, but loaded after this call if the pace allows: for what the known value lacks."""
        called_at = self._clock()
        while (
            self._value_from < called_at
            and self._start()
            and self._wait_for(newer_than=self._value_from, has_something=False)
        ):
            pass
        return self.get()

    def _is_usable(self) -> bool:
        return self._clock() - self._value_from <= self._pace.expired_s

    def _start(self) -> bool:
        """See to it that a load is under way; False when it is too early for one."""
        with self._changed:
            if self._running:
                return True
            interval_s = self._pace.after_failure_s if self._failed else self._pace.min_interval_s
            if self._clock() - self._last_start < interval_s:
                return False
            self._running, self._last_start = True, self._clock()
        threading.Thread(target=self._run, name=f"reload-{self._name}", daemon=True).start()
        return True

    def _wait_for(self, *, newer_than: float, has_something: bool) -> bool:
        patience_s = self._pace.patience_s
        if not has_something:
            patience_s = max(patience_s, self._pace.patience_with_nothing_s)
        with self._changed:
            limit_s = self._last_start + patience_s - self._clock()
            self._changed.wait_for(lambda: not self._running, timeout=max(0.0, limit_s))
            return self._value_from > newer_than

    def _run(self) -> None:
        value, loaded = None, False
        try:
            value = self._load()
            loaded = True
        except self._failures as error:
            if not self._failed:
                log.warning("reload_failed", what=self._name, error=type(error).__name__, detail=str(error)[:300])
        finally:
            with self._changed:
                if loaded:
                    self._value, self._value_from = value, self._last_start
                self._failed, self._running = not loaded, False
                self._changed.notify_all()
