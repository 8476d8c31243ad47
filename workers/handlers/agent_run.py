"""Job type agent.run: follows an agent run, which it makes if its payload names none, to its end.

The run itself is carried by its own tasks (workers/canvas.py). A job that is cancelled, or runs out of time, takes its
run along; one whose worker is lost is followed on by another, and the run does not notice.
"""

from typing import Any
from uuid import UUID

import psycopg
import structlog
from django.db import DatabaseError

from apps.agents.runs import jobs as run_jobs
from apps.agents.runs.services import cancel_run
from apps.agents.states import CANCELLED, FAILED
from apps.identity.present import rights_now
from apps.identity.principal import Principal
from apps.jobs.payloads import AgentRunPayload
from kernel.connections import give_back
from kernel.errors import PlatformError, UnavailableError
from kernel.outages import is_database_lost
from kernel.request_context import current
from workers.execution import Execution, Stopped
from workers.runs.follower import follower

log = structlog.get_logger("worker")
LOOK_S = 0.25
AGAIN_S = 1.0


class RunFailed(PlatformError):
    """The run that the job follows has failed; the code is the run's reason."""

    code = "run_failed"


def run(job: Execution) -> dict[str, Any]:
    """Result: {status, run_id, output, todos, steps, warnings, metrics, elapsed_ms, model}. RunFailed if it failed.

    While PostgreSQL is away it begins again, which changes nothing: a job that failed would take its run along.
    """
    while True:
        try:
            return _run(job)
        except (UnavailableError, DatabaseError, psycopg.OperationalError) as error:
            if not (isinstance(error, UnavailableError) or is_database_lost(error)):
                raise
            log.warning("agent_run_lost_database", error=str(error)[:200])
            give_back()
        job.wait(AGAIN_S)


def _run(job: Execution) -> dict[str, Any]:
    payload = AgentRunPayload.model_validate(job.payload)
    caller = rights_now(Principal.from_json(job.principal))
    followed = run_jobs.run_of_job(caller, job.job_id, payload.as_fields(job.payload), current())
    follower.join(followed.id)
    try:
        _follow(job, followed.id)
    except Stopped:
        if job.stop_reason in ("cancelled", "time_limit"):
            _take_along(caller, followed.id)
        raise
    finally:
        follower.leave(followed.id)
    ended, result = run_jobs.result_of(caller.tenant_id, followed.id)
    if ended.status == CANCELLED:
        job.stop("cancelled")
        job.checkpoint()
    if ended.status == FAILED:
        error = ended.error_json or {}
        raise RunFailed(str(error.get("message", "The run failed.")), code=str(error.get("reason", RunFailed.code)))
    return result


def _follow(job: Execution, run_id: UUID) -> None:
    """The run's progress is the job's, until the run has ended."""
    told = 0
    while True:
        has_ended, last_seq = follower.seen(run_id)
        if last_seq > told:
            for _, progress in run_jobs.progress_after(job.tenant_id, run_id, told):
                job.report(progress["stage"], progress["message"], progress["percent"])
                job.flush(float("inf"))  # the run's log holds at most ten a second already, and every stage counts
            told = last_seq
        if has_ended:
            return
        job.wait(LOOK_S)


def _take_along(caller: Principal, run_id: UUID) -> None:
    try:
        cancel_run(caller, run_id)
    except PlatformError as error:  # the sweeper does it when the job's end is written
        log.warning("run_not_cancelled_with_its_job", run_id=str(run_id), code=error.code)
