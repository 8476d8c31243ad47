"""The thread on which a process speaks Bolt. Callers wait for it with limits of their own: none can be held up by a
server that neither answers nor hangs up, which the blocking driver cannot promise."""

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_running: dict[int, asyncio.AbstractEventLoop] = {}


def event_loop() -> asyncio.AbstractEventLoop:
    """This process's loop, started when first asked for. A forked child gets one of its own."""
    loop = _running.get(os.getpid())
    if loop is not None:
        return loop
    with _lock:
        if os.getpid() not in _running:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="graph-door", daemon=True).start()
            _running[os.getpid()] = loop
        return _running[os.getpid()]


def submit(work: Coroutine[Any, Any, T]) -> "Future[T]":
    """Begin ``work`` on the loop."""
    return asyncio.run_coroutine_threadsafe(work, event_loop())
