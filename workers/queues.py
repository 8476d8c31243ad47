"""The queue table. Job queues are the Redis lists of SPEC 9.2 with bare ids, taken by workers.steps.JobConsumer;
stock queues are ordinary Celery queues.

| queue                   | carries          | at once, per worker process        | limits                           |
|-------------------------|------------------|------------------------------------|----------------------------------|
| jobs:queue:{type}[:high]| ids of one type  | AGENTIC_WORKER_CONCURRENCY in all  | the type's time_limit_s          |
| runs:queue              | tasks of runs    | AGENTIC_RUN_CONCURRENCY            | the run's deadline               |
| maintenance             | the schedule     | AGENTIC_STOCK_CONCURRENCY          | a run is skipped when it is late |
"""

from kombu import Queue

from apps.jobs.types import JOB_TYPES, JobType
from kernel.redis_keys import RUNS_QUEUE
from kernel.task_names import TaskName

DEFAULT_QUEUE = "maintenance"
STOCK_QUEUES = (Queue(DEFAULT_QUEUE),)
# Taken by workers.runs.steps.RunConsumer, not by Celery's own consumer; made here so that tasks can be sent to it.
RUN_QUEUE = Queue(RUNS_QUEUE(), exchange="", routing_key=RUNS_QUEUE())
ROUTES = {
    f"{TaskName.MAINTENANCE_PREFIX}*": {"queue": DEFAULT_QUEUE},
    f"{TaskName.RUN_PREFIX}*": {"queue": RUN_QUEUE},
}


def job_queues(types: list[JobType] | None = None) -> list[str]:
    """The lists that carry these types' ids (all types by default); high priority first."""
    chosen = list(JOB_TYPES.values()) if types is None else types
    return [job_type.queue(priority=1) for job_type in chosen] + [job_type.queue() for job_type in chosen]
