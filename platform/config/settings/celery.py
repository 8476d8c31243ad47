"""Celery. Queues and routes come from workers.queues; redis:// means workers.transport (see workers.celery)."""

from config.env import env

CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 10,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 5,
    "visibility_timeout": 3600,  # stock queues only; above the longest step
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_BACKEND = None
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SEND_TASK_EVENTS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# A job's lease is in PostgreSQL: losing the broker is no reason to stop it. Stock tasks are safe to run twice.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_POOL = "threads"
RUN_CONCURRENCY = env.integer(
    "AGENTIC_RUN_CONCURRENCY", 32, "Steps of agent runs that one worker process runs at once.", 1, 256
)
# Beside them there is always a thread for the schedule's tasks: runs cannot take them all (workers/runs/steps.py).
CELERY_WORKER_CONCURRENCY = RUN_CONCURRENCY + env.integer(
    "AGENTIC_STOCK_CONCURRENCY", 2, "Other stock Celery tasks (the schedule) one worker process runs at once.", 1, 256
)
# A run's next task that cannot be sent is sent by the sweeper, and a schedule's comes again: nobody waits for a broker.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.1, "interval_step": 0, "interval_max": 0.1}
CELERY_ENABLE_UTC = True
CELERY_TIMEZONE = "UTC"
