"""How a run's tasks follow each other in one thread, without a way through Redis between two of them.

A message of ``runs:queue`` is carried out as Celery does it. When its task has left word of what comes next, the same
thread hands Celery's own strategy a message of that, and carries out the request that comes of it: a task with an id, a
parent and a root, with its signals, its log lines and its events for Flower. The message that came from Redis is
acknowledged when the thread is done with the run, so that the channel's credit counts threads.

A run goes through the queue again when its process has no thread to spare or is leaving, and after STRAIGHT_S: then a
worker that has more room can take it.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from celery import Celery, Task
from celery.app.trace import fast_trace_task
from celery.utils.log import get_logger
from celery.worker import strategy as stock
from celery.worker.request import Request

from kernel.redis_keys import RUNS_QUEUE
from workers.traces import carried

STRAIGHT_S = 1.0
log = get_logger(__name__)


@dataclass(slots=True)
class Message:
    """What Celery reads of a message; this one was never sent."""

    headers: dict[str, Any]
    payload: tuple[Any, ...]
    content_type: None = None  # the body is no text that must be read
    content_encoding: None = None
    delivery_info: dict[str, Any] = field(default_factory=lambda: {"exchange": "", "routing_key": RUNS_QUEUE()})
    properties: dict[str, Any] = field(default_factory=dict)

    @property
    def body(self) -> tuple[Any, ...]:
        return self.payload


class _Here(threading.local):
    """What a thread is at: ``until`` when its run stays with it, what is ``left`` to do, the ``request`` of that."""

    until = 0.0
    left: Message | None = None
    request: Request | None = None


_here = _Here()


def may_go_on() -> bool:
    """Whether this thread may take its run's next task itself, as far as its time goes."""
    return time.monotonic() < _here.until


def leave(task: Task, name: str, *arguments: str | int) -> None:
    """From inside ``task``: what this thread is to do when it is over."""
    own, task_id = task.request, str(uuid4())
    headers = {
        "lang": "py",
        "task": name,
        "id": task_id,
        "root_id": own.root_id or own.id,
        "parent_id": own.id,
        "argsrepr": repr(arguments),
        "kwargsrepr": "{}",
        **carried(),
    }
    _here.left = Message(headers, (list(arguments), {}, {}), properties={"correlation_id": task_id})


class Events:
    """Celery's task events of runs, for Flower: gathered from all threads, sent together by the event loop."""

    def __init__(self, dispatcher: Callable[[], Any]) -> None:
        self._dispatcher = dispatcher
        self._told: deque[tuple[str, dict[str, Any]]] = deque()

    @property
    def enabled(self) -> bool:
        dispatcher = self._dispatcher()
        return bool(dispatcher and dispatcher.enabled)

    def send(self, type: str, **fields: Any) -> None:
        self._told.append((type, {"timestamp": time.time(), **fields}))

    def send_all(self) -> None:
        """In the event loop's thread."""
        dispatcher = self._dispatcher()
        while self._told and dispatcher:
            event, fields = self._told.popleft()
            dispatcher.send(event, **fields)


class _Acknowledgement:
    """Celery's own, which waits for the thread once it has one."""

    def __init__(self, send: Callable[..., Any]) -> None:
        self.send = send
        self.waits = False

    def __call__(self, *arguments: Any) -> None:
        if not self.waits:
            self.send(*arguments)


class _Consumer:
    """The consumer as the strategy sees it: what it has made of a message is carried out here."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self.event_dispatcher = consumer.run_events

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)

    def on_task_request(self, request: Request) -> None:
        if _here.until:
            _here.request = request
        else:
            self._consumer.pool.apply_async(_carry_out, (request, self._consumer), callback=_nothing)


def strategy(task: Task, app: Celery, consumer: Any) -> Callable[..., None]:
    """Celery's strategy for a run's tasks (``Task.Strategy``)."""
    handle = stock.default(task, app, _Consumer(consumer))

    def on_message(message: Any, body: Any, ack: Any, reject: Any, callbacks: Any) -> None:
        handle(message, body, _Acknowledgement(ack), reject, callbacks)

    return on_message


def _carry_out(first: Request, consumer: Any) -> None:
    """A request, and whatever follows it in this thread."""
    first.on_ack.waits = True
    _here.until = time.monotonic() + STRAIGHT_S
    try:
        request: Request | None = first
        while request is not None:
            request.on_accepted(os.getpid(), time.monotonic())
            request.on_success(
                fast_trace_task(
                    *(request.type, request.id, request.request_dict),
                    *(request.body, request.content_type, request.content_encoding),
                )
            )
            request = _following(consumer)
    finally:
        consumer.app.runs.give_back_kept()
        _here.__dict__.clear()
        first.on_ack.send(log, first.connection_errors)


def _following(consumer: Any) -> Request | None:
    left, _here.left, _here.request = _here.left, None, None
    if left is not None:
        consumer.strategies[left.headers["task"]](left, None, _nothing, _nothing, ())
    return _here.request


def _nothing(*_: Any) -> None:
    """Nobody waits for an answer, and nothing came from Redis that would be acknowledged."""
