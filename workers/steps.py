"""What this platform adds to a Celery worker, at Celery's own extension points (bootsteps).

``EngineStep`` starts the engine with the worker and ends it with a warm shutdown. ``JobConsumer`` takes ids from the
job queues, on a channel of its own, whose room is the engine's free slots. ``--job-types demo,test`` limits a worker.
"""

import contextlib
import os
from typing import Any
from uuid import UUID

import click
import structlog
from celery import Celery, bootsteps
from celery.worker.control import Panel, inspect_command
from django.conf import settings
from kombu import Consumer, Queue

from apps.jobs.types import JOB_TYPES
from kernel import metrics
from kernel.task_names import TaskName
from workers import transport
from workers.engine.core import Engine
from workers.execution import Execution
from workers.queues import job_queues

log = structlog.get_logger("worker")
EVENTS_EVERY_S = 0.5


def _types(option: str | None) -> list[str]:
    chosen = [name for name in (option or "").split(",") if name] or list(JOB_TYPES)
    unknown = [name for name in chosen if name not in JOB_TYPES]
    if unknown:
        raise click.BadParameter(f"--job-types: {unknown[0]!r} is none of {', '.join(JOB_TYPES)}.")
    return chosen


class EngineStep(bootsteps.StartStopStep):
    """The engine's life is the worker's."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, job_types: str | None = None, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        parent.engine = Engine(name=parent.hostname, types=_types(job_types), concurrency=settings.WORKER_CONCURRENCY)

    def start(self, parent: Any) -> None:
        if settings.METRICS_PORT:
            from workers.metrics_server import serve  # a port is opened only in a process that wants one

            serve(settings.METRICS_PORT)
        parent.app.engine = parent.engine
        parent.engine.start()

    def stop(self, parent: Any) -> None:
        parent.engine.stop(settings.SHUTDOWN_GRACE_S)

    def terminate(self, parent: Any) -> None:
        parent.engine.stop(0.0)


class JobConsumer(bootsteps.ConsumerStep):
    """Takes ids. When the engine is full nothing is asked of Redis; a freed slot wakes the event loop."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self.engine: Engine = parent.controller.engine
        self.channel: transport.Channel | None = None
        self._taken: list[UUID] = []
        self._wake: tuple[int, int] | None = None
        self._timer: Any = None

    def get_consumers(self, channel: transport.Channel) -> list[Consumer]:
        queues = [
            Queue(name, exchange="", routing_key=name)
            for name in job_queues([JOB_TYPES[name] for name in self.engine.types])
        ]
        return [Consumer(channel, queues=queues, on_message=self._on_message, no_ack=True, auto_declare=False)]

    def start(self, parent: Any) -> None:
        self.channel = parent.connection.channel()
        self.channel.job_credit = self.engine.credit
        self.consumers = self.get_consumers(self.channel)
        for consumer in self.consumers:
            consumer.consume()
        if self._wake is None:
            self._wake = os.pipe()
            os.set_blocking(self._wake[0], False)
            os.set_blocking(self._wake[1], False)
        parent.hub.add_reader(self._wake[0], self._drain_wake)
        parent.hub.on_tick.add(self._hand_over)
        self._timer = parent.hub.call_repeatedly(EVENTS_EVERY_S, self._send_events, parent)
        self.engine.on_credit = self._poke
        self.engine.on_unknown = self._set_aside_unknown
        self.engine.listening = True

    def stop(self, parent: Any) -> None:
        self.engine.listening = False
        self._hand_over()
        if self._timer is not None:
            self._timer.cancel()
        super().stop(parent)

    def _on_message(self, message: Any) -> None:
        self._taken.append(UUID(message.headers["id"]))
        if len(self._taken) == 1:
            self._poke()  # hand over in this turn of the loop, with whatever else the same answer brought

    def _hand_over(self) -> None:
        if self._taken:
            taken, self._taken = self._taken, []
            self.engine.take(taken)

    def _poke(self) -> None:
        """Wake the event loop from any thread."""
        if self._wake is not None:
            with contextlib.suppress(BlockingIOError):  # it is awake already
                os.write(self._wake[1], b"x")

    def _drain_wake(self) -> None:
        try:
            while os.read(self._wake[0], 4096) if self._wake else b"":
                pass
        except BlockingIOError:
            pass
        self._hand_over()

    def _set_aside_unknown(self, job_id: UUID) -> None:
        metrics.QUEUE_REJECTED.labels("unknown_id").inc()
        log.warning("queue_item_set_aside", reason="unknown_id", item=str(job_id))
        transport.record_dead("jobs:queue", str(job_id), "unknown_id")

    def _send_events(self, parent: Any) -> None:
        """Celery's task events, for Flower: jobs are not Celery requests, so nobody else sends them."""
        dispatcher = parent.event_dispatcher
        told = self.engine.told
        while told:
            what, execution, status = told.popleft()
            if dispatcher and dispatcher.enabled:
                _send(dispatcher, what, execution, status)


def _send(dispatcher: Any, what: str, execution: Execution, status: str) -> None:
    identity = {"uuid": str(execution.job_id)}
    if what == "started":
        dispatcher.send(
            "task-received",
            name=TaskName.JOBS_RUN,
            args=f"('{execution.type}',)",
            kwargs="{}",
            retries=execution.attempt - 1,
            **identity,
        )
        dispatcher.send("task-started", **identity)
    elif status == "finished":
        dispatcher.send("task-succeeded", result=f"'{status}'", runtime=execution.runtime_s, **identity)
    elif status == "cancelled":
        dispatcher.send("task-revoked", terminated=True, signum=None, expired=False, **identity)
    else:
        dispatcher.send("task-failed", exception=f"'{status}'", traceback="", **identity)


@inspect_command(name="active_queues")
def _active_queues(state: Any) -> list[dict[str, Any]]:
    """Stock queues and job queues alike, so that Flower shows both."""
    consumer = state.consumer
    stock = (
        [dict(queue.as_dict(recurse=True)) for queue in consumer.task_consumer.queues] if consumer.task_consumer else []
    )
    engine: Engine = consumer.controller.engine
    return stock + [{"name": name} for name in job_queues([JOB_TYPES[name] for name in engine.types])]


def install(app: Celery) -> None:
    """Add the steps and the option to ``app``."""
    app.steps["worker"].add(EngineStep)
    app.steps["consumer"].add(JobConsumer)
    app.user_options["worker"].add(
        click.Option(["--job-types"], default=None, help="Comma-separated job types this worker runs; all by default.")
    )
    Panel.data["active_queues"] = _active_queues
