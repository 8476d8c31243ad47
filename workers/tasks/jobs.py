"""``jobs.run``: the name under which a job id travels.

JobConsumer hands ids to the engine without executing this task. It is executed when a worker's stock consumer is told
to take a job queue too (``celery worker -Q jobs:queue:demo``), and then does the same.
"""

from uuid import UUID

from celery import Task

from kernel.task_names import TaskName
from workers.celery import app


@app.task(name=TaskName.JOBS_RUN, bind=True)
def run_job(self: Task) -> None:
    """The task id is the job id. Safe to run twice: only a queued row can be claimed."""
    self.app.engine.take([UUID(self.request.id)])
