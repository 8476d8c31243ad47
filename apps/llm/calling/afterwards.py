"""What is left to do once an answer is there: its cost settled. Nobody waits for that.

One thread of the process does it, in the order in which calls end, within a millisecond or two. While the books cannot
be written it tries again, for half a minute. Whatever is not done when the process dies is what the reservation is for:
what was held counts as spent.
"""

import atexit
import os
import queue
import threading
import time
from collections.abc import Callable

Task = Callable[[], bool]  # says whether it is done; what is not is tried again
WAITING_AT_MOST = 64  # when more calls than that have just ended, each settles its own
AGAIN_FOR_S = 30.0
PAUSE_S = 0.25  # after a try that failed
EXIT_LIMIT_S = 5.0

_tasks: queue.Queue[tuple[Task, float | None]] = queue.Queue(WAITING_AT_MOST)  # with when to give it up, once it failed
_lock = threading.Lock()
_thread: threading.Thread | None = None
_is_ending = False


def do(task: Task) -> None:
    """Have ``task`` done soon; here and now, once, when too many wait or the process ends."""
    if _put(task):
        _start()
    else:
        task()


def is_idle() -> bool:
    """Whether nothing is left to do, or being done."""
    return _tasks.unfinished_tasks == 0


def catch_up(limit_s: float) -> None:
    """Wait until what was left to do until now was tried once, or for ``limit_s``."""
    until = time.monotonic() + limit_s
    reached = threading.Event()

    def reach() -> bool:
        reached.set()
        return True

    try:
        _tasks.put((reach, None), timeout=limit_s)
    except queue.Full:
        return
    _start()
    reached.wait(max(0.0, until - time.monotonic()))


def finish(limit_s: float = EXIT_LIMIT_S) -> bool:
    """Wait until nothing is left to do. False when it takes longer than ``limit_s``."""
    with _tasks.all_tasks_done:
        return _tasks.all_tasks_done.wait_for(lambda: _tasks.unfinished_tasks == 0, limit_s)


def _put(task: Task) -> bool:
    with _lock:
        if _is_ending:
            return False
        try:
            _tasks.put_nowait((task, None))
        except queue.Full:
            return False
        return True


def _start() -> None:
    global _thread
    if _thread is not None and _thread.is_alive():
        return
    with _lock:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_run, name="llm-afterwards", daemon=True)
            _thread.start()


def _run() -> None:
    global _thread
    try:
        while True:
            task, give_up_at = _tasks.get()
            try:
                if not task():
                    _later(task, give_up_at or time.monotonic() + AGAIN_FOR_S)
            finally:
                _tasks.task_done()
    finally:  # a task raised what it must not: its trace is shown, and another thread does the rest
        _thread = None
        _start()


def _later(task: Task, give_up_at: float) -> None:
    """Behind the others, whose tenants' books may be in order."""
    if time.monotonic() < give_up_at:
        try:
            _tasks.put_nowait((task, give_up_at))
        except queue.Full:
            return
        time.sleep(PAUSE_S)


def _end() -> None:
    """Threads that still call have to settle for themselves: else there would be no end."""
    global _is_ending
    with _lock:
        _is_ending = True
    finish()


def _forked() -> None:
    """A child has neither the thread nor what its parent had to do."""
    global _tasks, _thread, _lock
    _tasks, _thread, _lock = queue.Queue(WAITING_AT_MOST), None, threading.Lock()


os.register_at_fork(after_in_child=_forked)
atexit.register(_end)
