"""Tools that do not stop by themselves are stopped.

A tool is asked first: its checkpoints raise at the deadline, and whatever it waits for (PostgreSQL, the graph, a model)
is bounded by it. One that is still there GRACE_S later has ToolStopped raised in its thread at its next bytecode.
"""

import ctypes
import heapq
import itertools
import os
import threading
import time

from apps.tools.context import ToolContext
from apps.tools.errors import ToolStopped

GRACE_S = 1.0
LOOK_S = 0.25  # how often a caller is asked whether it still wants the result


class _TimeOver(ToolStopped):
    """Raised from outside, which takes a class that needs no arguments."""

    def __init__(self) -> None:
        super().__init__("The tool took longer than it may, did not stop when it was asked to, and was ended.")


class _CallerLeft(ToolStopped):
    """The same for a call that nobody wants any more."""

    code = "tool_cancelled"

    def __init__(self) -> None:
        super().__init__("The call was cancelled; the tool did not stop when it was asked to, and was ended.")


class Watch:
    """One tool at work in one thread."""

    def __init__(self, context: ToolContext) -> None:
        self.context = context
        self.thread_id = threading.get_ident()
        self.lock = threading.Lock()
        self.is_over = False
        self.interrupted = False
        self.asked_at: float | None = None
        self.why: type[ToolStopped] = _TimeOver

    def next_look(self) -> float:
        """When to look again: at the deadline, or soon where there is somebody who may leave."""
        if self.asked_at is not None:
            return self.asked_at + GRACE_S
        return min(self.context.deadline, time.monotonic() + LOOK_S)

    def look(self) -> None:
        """Interrupt the tool if it was asked to stop long enough ago."""
        now = time.monotonic()
        if self.asked_at is None:
            if now < self.context.deadline and not self.context.cancelled():
                return
            self.asked_at, self.why = now, _TimeOver if now >= self.context.deadline else _CallerLeft
        if now < self.asked_at + GRACE_S:
            return
        with self.lock:
            if not self.is_over:
                self.interrupted = True
                _raise_in(self.thread_id, self.why)
                self.asked_at = now  # once more, should it swallow this one

    def close(self) -> None:
        """The tool is over: nothing is raised in its thread any more, once this has returned. It may itself be what is
        interrupted, once: then close it again. Safe to repeat."""
        with self.lock:
            self.is_over = True
            if self.interrupted:
                _raise_in(self.thread_id, None)


class Stopper:
    """One thread of the process, started with the first tool."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """A process that was forked has neither the thread nor what it watched."""
        self._changed = threading.Condition()
        self._watches: list[tuple[float, int, Watch]] = []
        self._number = itertools.count()
        self._thread: threading.Thread | None = None

    def watch(self, context: ToolContext) -> Watch:
        """From now on this thread has ToolStopped raised in it when the tool does not stop. Close it in any case."""
        watch = Watch(context)
        with self._changed:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="tool-stopper", daemon=True)
                self._thread.start()
            at = watch.next_look()
            heapq.heappush(self._watches, (at, next(self._number), watch))
            if self._watches[0][2] is watch:
                self._changed.notify()
        return watch

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._watches or self._watches[0][0] > time.monotonic():
                    wait_s = self._watches[0][0] - time.monotonic() if self._watches else None
                    self._changed.wait(wait_s)
                watch = heapq.heappop(self._watches)[2]
            if watch.is_over:
                continue
            try:
                watch.look()
            finally:  # should asking the caller have failed, the thread that follows looks again
                with self._changed:
                    heapq.heappush(self._watches, (watch.next_look(), next(self._number), watch))


def _raise_in(thread_id: int, why: type[ToolStopped] | None) -> None:
    """Have the thread raise at its next bytecode; None takes back what was not raised yet."""
    error = None if why is None else ctypes.py_object(why)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), error)


stopper = Stopper()
os.register_at_fork(after_in_child=stopper.forget)
