"""What is left to do once an answer is there: its cost settled. Nobody waits for that.

One thread of the process does it, in the order in which calls end, within a millisecond or two. Whatever is not done
when the process dies is what the reservation is for: what was held counts as spent.
"""

import atexit
import os
import queue
import threading
from collections.abc import Callable

Task = Callable[[], None]
WAITING_AT_MOST = 64  # when more calls than that have just ended, each settles its own
EXIT_LIMIT_S = 5.0

_tasks: queue.Queue[Task] = queue.Queue(WAITING_AT_MOST)
_lock = threading.Lock()
_thread: threading.Thread | None = None


def do(task: Task) -> None:
    """Have ``task`` done soon; here and now when too many wait."""
    _start()
    try:
        _tasks.put_nowait(task)
    except queue.Full:
        task()


def finish(limit_s: float = EXIT_LIMIT_S) -> bool:
    """Wait until everything that was left to do until now is done. False when it takes longer than ``limit_s``."""
    if _thread is None or not _thread.is_alive():
        return _tasks.empty()
    done = threading.Event()
    try:
        _tasks.put(done.set, timeout=limit_s)
    except queue.Full:
        return False
    return done.wait(limit_s)


def _start() -> None:
    global _thread
    if _thread is not None and _thread.is_alive():
        return
    with _lock:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_run, name="llm-afterwards", daemon=True)
            _thread.start()


def _run() -> None:
    while True:
        _tasks.get()()  # what it raises ends this thread with a trace; the next call starts another


def _forked() -> None:
    """A child has neither the thread nor what its parent had to do."""
    global _tasks, _thread, _lock
    _tasks, _thread, _lock = queue.Queue(WAITING_AT_MOST), None, threading.Lock()


os.register_at_fork(after_in_child=_forked)
atexit.register(finish)
