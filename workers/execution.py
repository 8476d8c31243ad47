"""One attempt at one job, as its handler sees it: payload in, reports out, and a place to notice that it must stop."""

import ctypes
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from apps.jobs.event_types import LOG, PROGRESS
from apps.jobs.ledger import NewEvent

PROGRESS_INTERVAL_S = 0.1  # at most ten progress events a second are stored
MESSAGE_MAX_CHARS = 16_000


class Stopped(BaseException):
    """Raised at a checkpoint when the attempt must end. Not an Exception, so that handlers do not swallow it."""


def storable_text(value: object, *, shorten: bool = True) -> str:
    """Text that PostgreSQL can store, whatever a handler says: an event must not fail, its number is taken."""
    text = str(value)[:MESSAGE_MAX_CHARS] if shorten else str(value)
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def stop_thread(thread_id: int) -> None:
    """Raise Stopped in a thread that never comes to a checkpoint: at its next bytecode, if it reaches one."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), ctypes.py_object(Stopped))


def spare_thread(thread_id: int) -> None:
    """Take back what ``stop_thread`` asked for and was not raised yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), None)


class Execution:
    """Handlers use ``payload``, ``report``, ``log``, ``wait`` and ``checkpoint``; the engine uses the rest.

    ``stop_reason`` is None, or why the attempt must end: cancelled, time_limit, shutdown,
    lease_lost (it is somebody else's now) or self_fenced (it may soon be: no renewal came through).
    """

    def __init__(self, row: dict[str, Any], *, queue_time_limit_s: float, emit: Callable[[NewEvent], None]) -> None:
        self.job_id: UUID = row["id"]
        self.token: int = row["token"]
        self.type: str = row["type"]
        self.attempt: int = row["attempt"]
        self.is_suspect: bool = row["crashes"] > 0 and row["crashes"] + 1 >= row["max_attempts"]
        self.tenant_id: UUID = row["tenant_id"]
        self.payload: dict[str, Any] = row["payload_json"]
        self.principal: dict[str, Any] = row["principal_json"]
        self.request_id: str = row["request_id"]
        self.correlation_id: str = row["correlation_id"]
        self.traceparent: str = row["traceparent"]
        self.retry_of: UUID | None = row["retry_of"]
        self.started = time.monotonic()
        self.deadline = self.started + queue_time_limit_s
        self.thread_id: int | None = None
        self.stop_reason: str | None = None
        self.stopped_at: float | None = None
        self.closed = False
        self.ending = False
        self._emit = emit
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._pending: tuple[str, dict[str, Any], float | None] | None = None
        self._seq: int = row["last_seq"]  # of the event that the claim wrote; ours follow
        self._last_progress = 0.0

    @property
    def runtime_s(self) -> float:
        """Seconds since it was claimed."""
        return time.monotonic() - self.started

    # -- for handlers
    def report(self, stage: str, message: str, percent: float | None = None) -> None:
        """A progress event {stage, message, percent}; the latest of each tenth of a second is kept. A checkpoint."""
        self.checkpoint()
        percent = None if percent is None else min(100.0, max(0.0, float(percent)))
        data = PROGRESS.data(stage=storable_text(stage), message=storable_text(message), percent=percent)
        with self._lock:
            self._pending = (PROGRESS.name, data, percent)
        self.flush(time.monotonic())

    def log(self, message: str) -> None:
        """A log event {message}. A checkpoint."""
        self.checkpoint()
        self.flush(float("inf"))
        with self._lock:
            self._number_and_emit(LOG.name, LOG.data(message=storable_text(message)), None)

    def checkpoint(self) -> None:
        """Raise Stopped if the attempt must end."""
        if self._stop.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Sleep, ending at once with Stopped when the attempt must end."""
        if self._stop.wait(seconds):
            raise Stopped

    # -- for the engine
    def flush(self, now: float) -> None:
        """Send the pending progress event if it is due; ``inf`` sends it in any case."""
        with self._lock:
            if self._pending is None or now - self._last_progress < PROGRESS_INTERVAL_S:
                return
            event, self._pending, self._last_progress = self._pending, None, min(now, time.monotonic())
            self._number_and_emit(*event)

    def _number_and_emit(self, event_type: str, data: dict[str, Any], percent: float | None) -> None:
        """Under the lock: events leave in the order of their numbers."""
        self._seq += 1
        self._emit(NewEvent(self.job_id, self.token, self._seq, event_type, data, percent))

    def stop(self, reason: str) -> None:
        """Ask the handler to end. The first reason stays."""
        if self.stop_reason is None:
            self.stop_reason = reason
            self.stopped_at = time.monotonic()
            self._stop.set()

    def interrupt(self) -> None:
        """Raise Stopped inside a handler that never comes to a checkpoint: at its next bytecode, if it reaches one."""
        if self.thread_id is not None and not self.closed:
            stop_thread(self.thread_id)
