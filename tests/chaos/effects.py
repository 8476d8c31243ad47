"""Loaded into the suite's workers (``celery worker -I tests.chaos.effects``): ``test`` jobs that leave a trace, and
some that misbehave.

At its end a ``test`` job writes to chaos_effects, as to an external resource that knows fencing tokens: it refuses a
token that is not the job's, and takes one write a job. With AGENTIC_FENCING_ENABLED=false it takes everything.
Payload ``chaos``: ``kill`` kills the worker, ``spin`` computes for ever, ``block`` sleeps where no interrupt reaches,
``nap`` sleeps duration_ms without looking up and then ends, whatever has happened meanwhile.
"""

import os
import signal
import threading
import time
from typing import Any

import psycopg
from django.conf import settings

from kernel import engine_db
from workers.execution import Execution
from workers.handlers import registry, selftest

BLOCK_S = 60.0
_local = threading.local()

WRITE = """
WITH held AS MATERIALIZED (
    SELECT id, token, status FROM jobs WHERE id = %(id)s FOR UPDATE
), verdict AS (
    SELECT CASE
        WHEN NOT %(fencing)s THEN 'unfenced'
        WHEN token <> %(token)s OR status <> 'running' THEN 'stale'
        WHEN EXISTS (SELECT 1 FROM chaos_effects WHERE job_id = %(id)s AND accepted) THEN 'repeat'
        ELSE 'taken' END AS reason
    FROM held
)
INSERT INTO chaos_effects (job_id, token, attempt, accepted, reason)
SELECT %(id)s, %(token)s, %(attempt)s, reason IN ('taken', 'unfenced'), reason FROM verdict
"""


def _connection() -> psycopg.Connection[Any]:
    if getattr(_local, "connection", None) is None:
        _local.connection = engine_db.connect("chaos effects")
    return _local.connection


def leave_effect(job: Execution) -> None:
    """Write, trying again while PostgreSQL is away and the attempt is not stopped."""
    values = {"id": job.job_id, "token": job.token, "attempt": job.attempt, "fencing": settings.FENCING_ENABLED}
    while True:
        try:
            with _connection().transaction():
                # In two statements: the second must see what a holder of the row's lock has committed meanwhile.
                _connection().execute("SELECT 1 FROM jobs WHERE id = %s FOR UPDATE", [job.job_id])
                _connection().execute(WRITE, values)
            return
        except psycopg.OperationalError:
            if getattr(_local, "connection", None) is not None:
                _local.connection.close()
            _local.connection = None
            job.wait(0.1)


def run(job: Execution) -> dict[str, Any]:
    """The ``test`` handler with its effect."""
    match job.payload.get("chaos"):
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "spin":
            while True:
                pass
        case "block":
            time.sleep(BLOCK_S)
        case "nap":
            time.sleep(job.payload["duration_ms"] / 1000)
            leave_effect(job)
            return {"status": "completed"}
    result = selftest.run(job)
    leave_effect(job)
    return result


registry.HANDLERS["test"] = run
