"""Runs that an agent.run job follows: begun when a worker takes the job, shown as the job's result when they end."""

from typing import Any
from uuid import UUID, uuid5

from django.db import IntegrityError

from apps.agents.models import AgentRun, RunStep
from apps.agents.runs import dispatch
from apps.agents.runs.selectors import get_run
from apps.agents.runs.services import create_run, resume_run
from apps.agents.states import CANCELLED, FAILED, RUN_TERMINAL
from apps.identity.principal import Principal
from apps.identity.rbac import require
from kernel.clock import iso
from kernel.errors import ForbiddenError, NotFoundError
from kernel.request_context import RequestContext
from kernel.tenant_context import prepared_cursor, tenant_scope

# A run whose job waits is not due; from now on it is, and the sweeper looks after it.
BEGIN = """
UPDATE agent_runs SET hinted_at = clock_timestamp(), job_id = %(job_id)s
WHERE id = %(id)s AND status IN ('queued', 'running') AND (job_id = %(job_id)s OR job_id IS NULL)
RETURNING waits_for IS NULL AND lease_until IS NULL AS is_due
"""


def run_of_job(principal: Principal, job_id: UUID, fields: dict[str, Any], context: RequestContext) -> AgentRun:
    """The run that this job follows: the one its payload names, else one of its own, made once. Begun now.

    A job that names an ended run, as a retry does, goes on with it where it failed. NotFoundError and ForbiddenError
    for a run that is not the submitter's own.
    """
    require(principal, "agent-runs:create")
    named = fields.pop("run_id", None)
    run = _named(principal, named) if named is not None else _own(principal, job_id, fields, context)
    if run.status in (FAILED, CANCELLED) and run.job_id != job_id:
        run = resume_run(principal, run.id)
    if run.status not in RUN_TERMINAL:
        _begin(principal, run.id, job_id)
    return run


def _named(principal: Principal, run_id: UUID) -> AgentRun:
    run = get_run(principal, run_id)
    if run.owner_sub != principal.sub:
        raise ForbiddenError("Only its owner may have a job follow a run.", code="not_the_owner")
    return run


def _own(principal: Principal, job_id: UUID, fields: dict[str, Any], context: RequestContext) -> AgentRun:
    """An attempt that follows a lost one finds the run that was made then."""
    run_id = uuid5(job_id, "agent.run")
    try:
        return get_run(principal, run_id)
    except NotFoundError:
        pass
    try:
        return create_run(principal, fields=fields, context=context, run_id=run_id, job_id=job_id)[0]
    except IntegrityError:  # the lost attempt was not lost
        return get_run(principal, run_id)


def _begin(principal: Principal, run_id: UUID, job_id: UUID) -> None:
    with tenant_scope(principal.tenant_id), prepared_cursor() as cursor:
        row = cursor.execute(BEGIN, {"id": run_id, "job_id": job_id}).fetchone()
    if row is not None and row["is_due"]:
        dispatch.send([run_id])


def progress_after(tenant_id: UUID, run_id: UUID, seq: int) -> list[tuple[int, dict[str, Any]]]:
    """(number, {stage, message, percent}) of the run's progress since then, in order."""
    with tenant_scope(tenant_id), prepared_cursor() as cursor:
        rows = cursor.execute(
            "SELECT seq_id, event_json ->> 'stage' AS stage, event_json ->> 'message' AS message, "
            "(event_json ->> 'percent')::float8 AS percent FROM run_events "
            "WHERE run_id = %s AND seq_id > %s AND event_type = 'progress' ORDER BY seq_id LIMIT 500",
            [run_id, seq],
        ).fetchall()
    return [(row.pop("seq_id"), row) for row in rows]


def result_of(tenant_id: UUID, run_id: UUID) -> tuple[AgentRun, dict[str, Any]]:
    """The run, and the job's result (contract 2.4): {status, run_id, output, todos, steps, warnings, metrics,
    elapsed_ms, model}, with an error where there is one."""
    with tenant_scope(tenant_id):
        run = AgentRun.objects.get(id=run_id)
        steps = list(RunStep.objects.filter(run_id=run_id, attempt=run.attempt).order_by("index"))
    metrics = run.metrics_json or {}
    answered = [call for call in metrics.get("llm", ()) if call.get("success")]
    result: dict[str, Any] = {
        "status": run.status,
        "run_id": str(run.id),
        "output": run.output_json,
        "todos": run.todos_json,
        "steps": [_step(step) for step in steps],
        "warnings": run.warnings_json,
        "metrics": metrics,
        "elapsed_ms": metrics.get("overall_ms"),
        "model": answered[-1]["model"] if answered else run.request_json.get("model"),
    }
    if run.error_json is not None:
        result["error"] = run.error_json
    return run, result


def _step(step: RunStep) -> dict[str, Any]:
    return {
        "id": str(step.id),
        "action": step.action,
        "input": step.input,
        "output": step.output,
        "status": step.status,
        "latency_ms": step.latency_ms,
        "started_at": iso(step.started_at),
        "finished_at": iso(step.finished_at),
    }
