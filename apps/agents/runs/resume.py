"""Going on with a run that failed or was cancelled: a new attempt of the same row, at the first step that is not done.

What is done is not done again: the steps before are taken over, and a later one whose input is the same as in an
earlier attempt is taken from there (workers/runs/course.py); whatever was asked outside is on the tape.
"""

import json
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from apps.agents.models import AgentRun, RunStep, Session
from apps.agents.runs import dispatch
from apps.agents.runs import mirror as run_mirror
from apps.agents.runs.limits import limited_principal
from apps.agents.runs.order import place_in, show_ended
from apps.agents.runs.records import Moved
from apps.agents.runs.request import require_open
from apps.agents.runs.selectors import get_run
from apps.agents.sessions import cache as session_cache
from apps.agents.states import CANCELLED, CLASSIFY, FAILED, FINALIZE, PLAN, STEP, SUCCEEDED
from apps.identity.principal import Principal
from apps.jobs.ledger import ISO_NOW
from apps.jobs.quota import RUNS, claim_room, quota_of
from kernel import metrics
from kernel.errors import ConflictError, ForbiddenError
from kernel.tenant_context import prepared_cursor, tenant_scope

ROUTE = "/v1/agent-runs/{id}/resume"
LOCK_WAIT_MS = 1500

RESUME = f"""
WITH resumed AS (
    UPDATE agent_runs SET status = 'queued', attempt = attempt + 1, token = token + 1, phase = %(phase)s,
        next_index = %(index)s, todos_json = %(todos)s, principal_json = %(principal)s, waits_for = %(waits_for)s,
        job_id = NULL, output_json = NULL, error_json = NULL, refused = false, degraded = false, finished_at = NULL,
        deadline_at = NULL, cancel_requested_at = NULL, lease_until = NULL, lease_owner = NULL, crashes = 0, tries = 0,
        hinted_at = clock_timestamp(), updated_at = clock_timestamp(), last_seq = last_seq + 1
    WHERE id = %(id)s AND status = %(was)s RETURNING *
), kept AS (
    INSERT INTO steps (id, tenant_id, run_id, index, attempt, action, status, input, output, error, input_hash,
        reused_from, tokens, cost_nano_usd, latency_ms, started_at, finished_at)
    SELECT gen_random_uuid(), steps.tenant_id, run_id, index, resumed.attempt, action, steps.status, input, output,
        error, input_hash, COALESCE(reused_from, steps.id), 0, 0, latency_ms, steps.started_at, steps.finished_at
    FROM steps JOIN resumed ON resumed.id = steps.run_id
    WHERE steps.attempt = resumed.attempt - 1 AND steps.index < %(index)s
), reopened AS (
    UPDATE run_events SET event_type = 'attempt_end' FROM resumed
    WHERE run_events.run_id = resumed.id AND run_events.event_type = 'end'
), told AS (
    INSERT INTO run_events (run_id, seq_id, tenant_id, event_type, event_json, created_at)
    SELECT id, last_seq, tenant_id, 'status', jsonb_build_object('run_id', id, 'from', %(was)s::text, 'to', 'queued',
        'status', 'queued', 'attempt', attempt, 'reason', 'resumed', 'timestamp', {ISO_NOW}), clock_timestamp()
    FROM resumed RETURNING run_id, seq_id, event_type, event_json, created_at
)
SELECT * FROM told
"""


def resume_run(principal: Principal, run_id: UUID) -> AgentRun:
    """Go on with the caller's own run, with the rights that the caller has now.

    NotFoundError for a run that is not the caller's, ConflictError for one that is open, has succeeded, or whose
    session is busy or has ended; RateLimitedError beyond the quota.
    """
    quota = quota_of(principal, RUNS)
    ended: list[Moved] = []
    try:
        with tenant_scope(principal.tenant_id, lock_timeout_ms=LOCK_WAIT_MS):
            run = get_run(principal, run_id)
            if run.owner_sub != principal.sub:
                raise ForbiddenError(
                    "Only its owner may resume a run: it acts in the owner's name.", code="not_the_owner"
                )
            _require_resumable(run)
            if quota is not None:
                claim_room(principal, RUNS, quota, route=ROUTE, idempotency_key=None)
            session, waits_for = _place(run, ended)
            told = _reopen(principal, run, waits_for)
    except psycopg.errors.LockNotAvailable as error:
        raise ConflictError(
            "Another request in this session is still being answered. Try again in a second.",
            code="request_in_progress",
            retry_after_s=1,
        ) from error
    metrics.RUN_RESUMES.inc()
    run_mirror.forget(run_id)  # its ring has the old end
    run_mirror.publish([told])
    if session is not None:
        session_cache.put(session)
    show_ended(ended)
    with tenant_scope(principal.tenant_id):
        run = AgentRun.objects.get(id=run_id)
    if run.waits_for is None:
        dispatch.send([run_id])
    return run


def _require_resumable(run: AgentRun) -> None:
    if run.status == SUCCEEDED:
        raise ConflictError("The run has succeeded: there is nothing to resume.", code="run_succeeded")
    if run.status not in (FAILED, CANCELLED):
        raise ConflictError(f"The run is still {run.status}.", code="run_not_ended")


def _place(run: AgentRun, ended: list[Moved]) -> tuple[Session | None, UUID | None]:
    if run.session_id is None:
        return None, None
    session = Session.objects.select_for_update().get(id=run.session_id)
    require_open(session)
    run.refresh_from_db()
    _require_resumable(run)  # another resume may have been first
    waits_for, made_room = place_in(session)
    ended.extend(made_room)
    return session, waits_for


def where_to_go_on(run: AgentRun, steps: list[RunStep]) -> tuple[str, int]:
    """Phase and step at which a new attempt begins. A run that failed although all its steps were done goes back to the
    first of them that failed."""
    if run.phase in (CLASSIFY, PLAN):
        return run.phase, 0
    index = run.next_index
    if run.status == FAILED and run.phase == FINALIZE:
        failed = [step.index for step in steps if step.status == "failed"]
        index = min([index, *failed])
    return (STEP, index) if index < len(run.todos_json) else (FINALIZE, index)


def _reopen(principal: Principal, run: AgentRun, waits_for: UUID | None) -> dict[str, Any]:
    steps = list(RunStep.objects.filter(run_id=run.id, attempt=run.attempt).order_by("index"))
    phase, index = where_to_go_on(run, steps)
    todos = [
        todo if place < index else {**todo, "status": "pending", "evidence": []}
        for place, todo in enumerate(run.todos_json)
    ]
    acting = limited_principal(principal, run.request_json.get("agent_role"))
    values = {
        "id": run.id,
        "was": run.status,
        "phase": phase,
        "index": index,
        "todos": Jsonb(todos),
        "principal": Jsonb(acting.as_json()),
        "waits_for": waits_for,
    }
    with prepared_cursor() as cursor:
        told = cursor.execute(RESUME, values).fetchone()
    if told is None:
        raise ConflictError("Somebody else has just resumed the run.", code="run_not_ended")
    return {**told, "event_json": json.loads(told["event_json"])}
