"""Sending a run's first task, by name, as a Celery message on the queue ``runs:queue``.

Whoever accepts, resumes or rescues a run has no Celery at hand, and must not wait for a broker that is away. So the
message is put together here: the form is Celery's protocol 2 in kombu's envelope for Redis, which
tests/integration/runs/test_dispatch.py holds against what Celery itself sends. From there on Celery's chain carries it
(workers/canvas.py). A message is a hint like a job's id: lost, doubled or stale, it does no harm.
"""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import redis
import structlog

from kernel import metrics
from kernel.redis_client import availability, client
from kernel.redis_keys import RUNS_QUEUE
from kernel.request_context import current
from kernel.task_names import TaskName

log = structlog.get_logger("runs.dispatch")
EMPTY_EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
QUEUE = RUNS_QUEUE()


def message(run_id: UUID | str, *, traceparent: str = "", request_id: str = "", correlation_id: str = "") -> bytes:
    """The task ``agent_runs.start`` for this run, as kombu finds it on the list."""
    task_id, context = str(uuid4()), current()
    traces = {
        "traceparent": traceparent or context.traceparent,
        "request_id": request_id or context.request_id,
        "request_correlation_id": correlation_id or context.correlation_id,
    }
    envelope: dict[str, Any] = {
        "body": json.dumps([[str(run_id)], {}, EMPTY_EMBED]),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": TaskName.RUN_START,
            "id": task_id,
            "root_id": task_id,
            "parent_id": None,
            "group": None,
            "ignore_result": None,
            "argsrepr": repr((str(run_id),)),
            "kwargsrepr": "{}",
            **{name: value for name, value in traces.items() if value},
        },
        "properties": {
            "correlation_id": task_id,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": QUEUE},
            "priority": 0,
            "body_encoding": None,
            "delivery_tag": str(uuid4()),
        },
    }
    return json.dumps(envelope).encode()


def send(run_ids: Sequence[UUID], *, first: bool = False) -> bool:
    """Put these runs' start on the queue; ``first``: at the taking end, before everybody else's. False when Redis did
    not listen: then the sweeper does it."""
    if not run_ids:
        return True
    if not availability.usable():
        metrics.REDIS_ERRORS.labels("run_start").inc()
        return False
    messages = [message(run_id) for run_id in run_ids]
    try:
        if first:
            client().rpush(QUEUE, *reversed(messages))
        else:
            client().lpush(QUEUE, *messages)
    except redis.RedisError as error:
        availability.failed()
        metrics.REDIS_ERRORS.labels("run_start").inc()
        log.warning("redis_write_failed", where="run_start", error=type(error).__name__)
        return False
    return True
