"""The Celery app. ``celery -A workers worker|beat|flower``."""

import os

from celery import Celery, signals
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# kombu's own registry: broker URLs stay redis://, which is what Flower understands.
TRANSPORT_ALIASES.update(redis="workers.transport:Transport", rediss="workers.transport:Transport")

app = Celery("agentic")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_queues=(),  # filled by workers.queues when a process starts
    include=["workers.tasks.agent_runs", "workers.tasks.jobs", "workers.tasks.maintenance", "workers.tasks.models"],
    beat_schedule={},
)


@app.on_configure.connect
def _configure(sender: Celery, **kwargs: object) -> None:
    """Wire the rest once Django's settings are read (importing it earlier would need Django before it is set up)."""
    from workers import beat, queues

    sender.conf.task_queues = queues.STOCK_QUEUES
    sender.conf.task_default_queue = queues.DEFAULT_QUEUE
    sender.conf.task_routes = queues.ROUTES
    sender.conf.beat_schedule = beat.SCHEDULE


@signals.setup_logging.connect
def _leave_logging_alone(**kwargs: object) -> None:
    """kernel.logs has set it up with Django; Celery would set the root's level to its own."""


from workers import steps, traces  # noqa: E402
from workers.runs import steps as run_steps  # noqa: E402

steps.install(app)
run_steps.install(app)
traces.install()
