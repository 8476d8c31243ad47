"""Log lines on their way out: handed to a thread of the process, so that nobody waits for a pipe or a disk.

The queue is bounded; what does not fit is dropped and counted (`log_lines_dropped_total`). At exit what is left is
written, for a second at most.
"""

import logging
import os
import sys
import threading
from collections import deque

from kernel import metrics

WAITING_MAX = 10_000
AT_ONCE = 200
FLUSH_S = 1.0


class LineHandler(logging.Handler):
    """Formats where the line is made, while its context is there; writes elsewhere. Its thread starts with the first
    line, and again in a process that was forked."""

    def __init__(self) -> None:
        super().__init__()
        self._stream = sys.stderr
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._waiting: deque[str] = deque()
        self._more = threading.Condition(threading.Lock())
        self._busy = False
        self._thread: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except (TypeError, ValueError, LookupError, AttributeError, RecursionError):  # what was logged cannot be shown
            self.handleError(record)
            return
        if self._pid != os.getpid():
            self._begin()
        with self._more:
            if len(self._waiting) >= WAITING_MAX:
                metrics.LOG_LINES_DROPPED.inc()
                return
            self._waiting.append(line)
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="log-lines", daemon=True)
                self._thread.start()
            self._more.notify_all()

    def flush(self) -> None:
        """Wait until everything is written, for FLUSH_S at most. logging.shutdown calls it when the process ends."""
        if self._pid == os.getpid():
            with self._more:
                self._more.wait_for(lambda: not (self._waiting or self._busy), FLUSH_S)

    def _write(self) -> None:
        while True:
            with self._more:
                self._busy = False
                self._more.notify_all()
                while not self._waiting:
                    self._more.wait()
                lines = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
                self._busy = True
            try:
                self._stream.write("\n".join(lines) + "\n")
                self._stream.flush()
            except (OSError, ValueError):  # nobody reads, or the stream was closed: there is no better place to say so
                metrics.LOG_LINES_DROPPED.inc(len(lines))
