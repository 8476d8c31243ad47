"""The thread that tells Redis what was committed, so that the ledger need not wait for Redis.

One thread and one queue: what was committed first is told first. Whatever has gathered while one pipeline was under way
goes into the next. All of it is hints, so a queue that grows too long (Redis hangs) drops its oldest part.
"""

import threading
from collections import deque
from typing import Any

import structlog

from apps.jobs import mirror
from kernel import metrics

log = structlog.get_logger("announcer")
Rows = list[dict[str, Any]]
ROWS_AT_ONCE = 512
ROWS_WAITING_MAX = 20_000


class Announcer(threading.Thread):
    """``publish`` and ``give_back`` never block and may be called from any thread."""

    def __init__(self) -> None:
        super().__init__(name="announcer", daemon=True)
        self._condition = threading.Condition()
        self._waiting: deque[tuple[Rows, bool]] = deque()
        self._rows_waiting = 0
        self._busy = False
        self._stopping = False

    def publish(self, rows: Rows) -> None:
        """Show moves and events."""
        self._add(rows, requeue=False)

    def give_back(self, rows: Rows) -> None:
        """Show them, and put the jobs' ids back at the taking end of their queues."""
        self._add(rows, requeue=True)

    def _add(self, rows: Rows, *, requeue: bool) -> None:
        if not rows:
            return
        with self._condition:
            self._waiting.append((rows, requeue))
            self._rows_waiting += len(rows)
            while self._rows_waiting > ROWS_WAITING_MAX:
                dropped, _ = self._waiting.popleft()
                self._rows_waiting -= len(dropped)
                metrics.REDIS_ERRORS.labels("announcer_full").inc()
            self._condition.notify()

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything was told; False when that took too long."""
        with self._condition:
            return self._condition.wait_for(lambda: not (self._waiting or self._busy), timeout_s)

    def stop(self) -> None:
        with self._condition:
            self._stopping = True
            self._condition.notify()

    def run(self) -> None:
        while True:
            with self._condition:
                while not (self._waiting or self._stopping):
                    self._condition.wait()
                if not self._waiting:
                    return
                shown: Rows = []
                returned: Rows = []
                while self._waiting and len(shown) < ROWS_AT_ONCE:
                    rows, requeue = self._waiting.popleft()
                    self._rows_waiting -= len(rows)
                    shown.extend(rows)
                    if requeue:
                        returned.extend(rows)
                self._busy = True
            mirror.announce(shown, returned)
            with self._condition:
                self._busy = False
                self._condition.notify_all()
