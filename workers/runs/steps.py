"""What runs add to a Celery worker, at Celery's own extension points (bootsteps).

``RunsStep`` starts what keeps runs alive with the worker, and gives back what is in hand at a warm shutdown.
``RunConsumer`` takes the queue ``runs:queue`` on a channel of its own, with room for RUN_CONCURRENCY tasks, so that
runs that wait for models never take the threads of the schedule.
"""

from typing import Any

import structlog
from celery import Celery, bootsteps
from django.conf import settings
from kombu import Consumer, Queue

from kernel.redis_keys import RUNS_QUEUE
from workers import transport
from workers.runs.onward import Events

log = structlog.get_logger("worker.runs")
YIELD_S = 2.0  # what phases get to come to a checkpoint, once they were told to stop
EVENTS_EVERY_S = 0.5


class RunsStep(bootsteps.StartStopStep):
    """The life of the process's runs is the worker's."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        from apps.tools.spec import DECLARED
        from workers.runs.core import RunEngine  # models: Django is set up by now, and was not when Celery was made
        from workers.runs.keeper import Keeper
        from workers.runs.scribe import Scribe
        from workers.runs.sweeper import RunSweeper

        DECLARED.fill()  # now: a phase that was interrupted in the midst of it would leave half a library behind
        parent.runs = parent.app.runs = RunEngine(name=parent.hostname)
        parent.run_sweeper = RunSweeper(parent.runs)
        self.threads = [Keeper(parent.runs), Scribe(parent.runs), parent.run_sweeper]

    def start(self, parent: Any) -> None:
        for thread in self.threads:
            thread.start()

    def stop(self, parent: Any) -> None:
        self._stop(parent, settings.SHUTDOWN_GRACE_S)

    def terminate(self, parent: Any) -> None:
        self._stop(parent, 0.0)

    def _stop(self, parent: Any, grace_s: float) -> None:
        """Phases in hand get ``grace_s`` to end; the rest is told to stop, and what does not is fenced off."""
        runs = parent.runs
        if runs.stopping:
            return
        runs.stopping = True
        if not runs.wait_idle(grace_s):
            for hold in runs.holds():
                hold.stop("shutdown")
            runs.wait_idle(YIELD_S)
        for hold in runs.holds():
            runs.give_back_token(hold.run_id, hold.token, reason="given_back")
        for thread in self.threads:
            thread.stop()
        for thread in self.threads:
            if thread.is_alive():
                thread.join(2.0)
        runs.connections.close()
        log.info("runs_stopped", worker=runs.worker)


class RunConsumer(bootsteps.ConsumerStep):
    """Hands messages to Celery as its own consumer does: strategy, pool, late acknowledgement (see onward.py)."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self.channel: transport.Channel | None = None
        self._timer: Any = None
        parent.run_events = Events(lambda: parent.event_dispatcher)  # before the tasks' strategies are made

    def get_consumers(self, channel: transport.Channel) -> list[Consumer]:
        queue = Queue(RUNS_QUEUE(), exchange="", routing_key=RUNS_QUEUE())
        return [Consumer(channel, queues=[queue], accept=["json"], auto_declare=False)]

    def start(self, parent: Any) -> None:
        self.channel = parent.connection.channel()
        self.channel.basic_qos(0, settings.RUN_CONCURRENCY, False)
        self.consumers = self.get_consumers(self.channel)
        for consumer in self.consumers:
            consumer.on_message = parent.create_task_handler()
            consumer.consume()
        self._timer = parent.hub.call_repeatedly(EVENTS_EVERY_S, parent.run_events.send_all)
        parent.controller.run_sweeper.listening = True

    def stop(self, parent: Any) -> None:
        parent.controller.run_sweeper.listening = False
        if self._timer is not None:
            self._timer.cancel()
        super().stop(parent)


def install(app: Celery) -> None:
    """Add the steps to ``app``."""
    app.steps["worker"].add(RunsStep)
    app.steps["consumer"].add(RunConsumer)
