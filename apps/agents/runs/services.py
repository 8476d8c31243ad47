"""Writes of runs from the API's side: accept, cancel, resume. Each is one transaction; what follows is a hint.

# See docs/runs.md
"""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
from django.conf import settings

from apps.agents.models import AgentRun, Session
from apps.agents.runs import dispatch
from apps.agents.runs import mirror as run_mirror
from apps.agents.runs.inserts import insert_run
from apps.agents.runs.order import as_read, end_or_ask, lock_session, place_in, show_ended
from apps.agents.runs.records import Moved
from apps.agents.runs.request import RunPlan, plan_of, require_open
from apps.agents.runs.resume import resume_run
from apps.agents.runs.selectors import get_run
from apps.agents.sessions import cache as session_cache
from apps.agents.sessions.services import request_hash
from apps.agents.states import CANCELLED, RUN_TERMINAL
from apps.audit import trail
from apps.identity.principal import Principal
from apps.jobs.quota import RUNS, claim_room, quota_of
from apps.jobs.selectors import idempotency_record
from apps.jobs.services import create_job
from kernel import metrics
from kernel.clock import now
from kernel.errors import ConflictError, ValidationError
from kernel.failpoints import failpoint
from kernel.idempotency import RequestKey, take_key
from kernel.request_context import RequestContext, current
from kernel.tenant_context import tenant_scope

__all__ = ["cancel_run", "create_run", "resume_run"]
CREATE_ROUTE = "/v1/agent-runs"
LOCK_WAIT_MS = 1500


class _Replayed(Exception):
    """An earlier request with this key has made the run. Rolls back what this one has begun."""


def create_run(
    principal: Principal,
    *,
    fields: dict[str, Any],
    idempotency_key: str | None = None,
    use_jobs: bool = False,
    context: RequestContext | None = None,
    run_id: UUID | None = None,
    job_id: UUID | None = None,
) -> tuple[AgentRun, bool]:
    """Accept a run: row, first event, idempotency record and the prompt in its session in one transaction, its first
    task on the queue after the commit. The run, and whether an earlier request with this key had made it.

    ``fields``: run_schemas.RunCreate.as_fields. ``use_jobs``: an agent.run job is made with it, each names the other,
    and the run begins when a worker takes the job. ``run_id`` and ``job_id``: of the job that asks for it itself; then
    nothing is sent either. ConflictError for a busy or ended session and for a key whose request is still being
    answered, ValidationError for a key of another request, RateLimitedError beyond the quota.
    """
    plan = plan_of(principal, fields)
    digest = request_hash({**fields, "use_jobs": use_jobs})
    quota = quota_of(principal, RUNS)
    new_id = run_id or uuid4()
    made: list[tuple[AgentRun, dict[str, Any]]] = []
    ended: list[Moved] = []
    touched: list[Session] = []

    def insert(of_job: UUID | None) -> None:
        if idempotency_key is not None and not take_key(
            RequestKey(principal.tenant_id, principal.sub, CREATE_ROUTE, idempotency_key),
            request_hash=digest,
            resource_id=new_id,
        ):
            raise _Replayed
        if quota is not None:
            claim_room(principal, RUNS, quota, route=CREATE_ROUTE, idempotency_key=None)
        session, waits_for = _locked_session(plan, ended)
        inserted = insert_run(
            principal,
            plan,
            run_id=new_id,
            session=session,
            waits_for=waits_for,
            job_id=of_job,
            context=context or current(),
        )
        made.append(inserted)
        if session is not None:
            _touch(session)
            touched.append(session)

    try:
        if use_jobs:
            create_job(principal, type_name="agent.run", payload=_payload(plan, new_id), also=insert)
        else:
            with tenant_scope(principal.tenant_id, lock_timeout_ms=LOCK_WAIT_MS):
                insert(job_id)
    except _Replayed:
        return _replay(principal, idempotency_key or "", digest), True
    except psycopg.errors.LockNotAvailable as error:
        raise ConflictError(
            "A request with this Idempotency-Key, or in this session, is still being answered. Try again in a second.",
            code="request_in_progress",
            retry_after_s=1,
        ) from error
    failpoint("after_run_commit_before_send")
    metrics.RUNS_CREATED.inc()
    if idempotency_key is not None:
        metrics.IDEMPOTENCY_CHECKS.labels("new").inc()
    for session in touched:
        session_cache.put(session)
    show_ended(ended)
    run, told = made[0]
    run_mirror.publish([as_read(told)])
    if not use_jobs and job_id is None and run.waits_for is None:
        dispatch.send([new_id])
    return run, False


def _locked_session(plan: RunPlan, ended: list[Moved]) -> tuple[Session | None, UUID | None]:
    """The session's row, locked, and the run that the new one has to wait for."""
    if plan.session is None:
        return None, None
    session = Session.objects.select_for_update().get(id=plan.session.id)
    require_open(session)
    waits_for, made_room = place_in(session)
    ended.extend(made_room)
    return session, waits_for


def _touch(session: Session) -> None:
    session.updated_at, session.version = now(), session.version + 1
    session.expires_at = session.updated_at + timedelta(seconds=settings.SESSION_IDLE_S)
    session.save(update_fields=["last_step_id", "last_step_seq", "updated_at", "version", "expires_at"])


def _payload(plan: RunPlan, run_id: UUID) -> dict[str, Any]:
    """Of the agent.run job that follows the run."""
    asked = {name: plan.request_json.get(name) for name in ("model", "temperature")}
    named = {"session_id": str(plan.session.id)} if plan.session else {}
    asked = {name: value for name, value in asked.items() if value is not None}
    payload = {"prompt": plan.prompt, "run_id": str(run_id), "max_steps": plan.max_steps, **asked, **named}
    return payload if plan.max_steps <= 50 else {**payload, "max_steps": 50}


def _replay(principal: Principal, key: str, digest: str) -> AgentRun:
    with tenant_scope(principal.tenant_id):
        stored = idempotency_record(principal, CREATE_ROUTE, key)
    if stored.request_hash != digest:
        metrics.IDEMPOTENCY_CHECKS.labels("mismatch").inc()
        raise ValidationError(
            "This Idempotency-Key was used for another request. Use a new key for a new run.",
            code="idempotency_key_reused",
        )
    metrics.IDEMPOTENCY_CHECKS.labels("replayed").inc()
    return get_run(principal, stored.resource_id)


def cancel_run(principal: Principal, run_id: UUID) -> tuple[str, bool]:
    """Ask a run to stop. Returns (status, already_ended).

    One that nobody works on is cancelled at once; one in a worker's hands ends at its next checkpoint, within two
    seconds. NotFoundError for a run that is not the caller's.
    """
    with tenant_scope(principal.tenant_id):
        run = get_run(principal, run_id)
        if run.status in RUN_TERMINAL:
            return run.status, True
        lock_session(run.session_id)
        moved, asked = end_or_ask(run_id)
        if not asked:
            run = get_run(principal, run_id)
            if run.status in RUN_TERMINAL:
                return run.status, True
            raise ConflictError("The run is just changing hands. Try again.", retry_after_s=1)
        if run.owner_sub != principal.sub:
            _record_act(principal, run, "run.cancelled_by_admin")
    metrics.RUN_CANCELS.inc()
    if moved is None:
        return run.status, False
    show_ended([moved])
    return CANCELLED, False


def _record_act(principal: Principal, run: AgentRun, action: str) -> None:
    trail.record(
        tenant_id=principal.tenant_id,
        actor=principal.sub,
        action=action,
        resource_type="agent_run",
        resource_id=str(run.id),
        details={"owner": run.owner_sub, "status": run.status},
        actor_tenant_id=principal.home_tenant_id,
    )
