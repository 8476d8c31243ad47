"""The rows of a new run, in one statement: run, first event, the prompt in its session, the session if it is new."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db.models import JSONField
from psycopg.types.json import Jsonb

from apps.agents.models import AgentRun, Session
from apps.agents.runs.request import RunPlan
from apps.identity.principal import Principal
from apps.jobs.ledger import ISO_NOW
from kernel.request_context import RequestContext
from kernel.tenant_context import prepared_cursor

TITLE_CHARS = 80
_COLUMNS = [field.attname for field in AgentRun._meta.concrete_fields]
_JSON_COLUMNS = frozenset(field.attname for field in AgentRun._meta.concrete_fields if isinstance(field, JSONField))

RUN = f"""
WITH session AS (
    INSERT INTO sessions (id, tenant_id, owner_sub, status, ended_reason, title, preferred_workers, llm_preferences,
        tools, temperature, max_steps, when_busy, summary, summary_seq, metadata, expires_at, last_step_id,
        last_step_seq, version, request_hash)
    SELECT %(session_id)s::uuid, %(tenant_id)s::uuid, %(sub)s::text, 'active', '', %(title)s::text, '[]', '{{}}', '[]',
        NULL, NULL, 'enqueue', '', 0, '{{}}', now() + %(idle)s::interval, %(said_id)s::uuid, 1, 1, ''
    WHERE %(is_new_session)s
), run AS (
    INSERT INTO agent_runs (id, tenant_id, owner_sub, principal_json, session_id, job_id, agent_name, agent_version,
        agent_json, prompt, request_json, max_steps, budget_json, metadata, status, phase, next_index, attempt,
        todos_json, metrics_json, warnings_json, refused, degraded, used_fallback, waits_for, token, crashes, tries,
        last_seq, hinted_at, request_id, correlation_id, traceparent)
    VALUES (%(id)s, %(tenant_id)s, %(sub)s, %(principal)s, %(session_id)s, %(job_id)s, %(agent_name)s,
        %(agent_version)s, %(agent)s, %(prompt)s, %(request)s, %(max_steps)s, %(budget)s, %(metadata)s, 'queued',
        'classify', 0, 1, '[]', '{{}}', '[]', false, false, false, %(waits_for)s, 0, 0, 0, 1,
        now() + CASE WHEN %(job_id)s::uuid IS NULL THEN interval '0' ELSE interval '100 years' END, %(request_id)s,
        %(correlation_id)s, %(traceparent)s)
    RETURNING *
), told AS (
    INSERT INTO run_events (run_id, seq_id, tenant_id, event_type, event_json, created_at)
    SELECT id, 1, tenant_id, 'status', jsonb_build_object('run_id', id, 'from', NULL, 'to', 'queued',
        'status', 'queued', 'attempt', 1, 'timestamp', {ISO_NOW}), created_at
    FROM run RETURNING run_id, seq_id, event_type, event_json, created_at
), said AS (
    INSERT INTO session_steps (id, tenant_id, session_id, seq, type, message, status, completed_at, request_hash)
    SELECT %(said_id)s::uuid, tenant_id, %(session_id)s::uuid, %(said_seq)s::int, 'user', %(prompt)s::text,
        'completed', created_at, '' FROM run
)
SELECT run.*, told.seq_id, told.event_type, told.event_json, told.created_at AS told_at FROM run CROSS JOIN told
"""


def insert_run(
    principal: Principal,
    plan: RunPlan,
    *,
    run_id: UUID,
    session: Session | None,
    waits_for: UUID | None,
    job_id: UUID | None,
    context: RequestContext,
) -> tuple[AgentRun, dict[str, Any]]:
    """Write the rows; the run, and the event that was told. ``session``: locked; its counters are moved on here."""
    said_id = uuid4()
    values = {
        "id": run_id,
        "tenant_id": principal.tenant_id,
        "sub": principal.sub,
        "principal": Jsonb(plan.acting.as_json()),
        "is_new_session": session is None,
        "session_id": uuid4() if session is None else session.id,
        "said_id": said_id,
        "said_seq": 1 if session is None else session.last_step_seq + 1,
        "title": " ".join(plan.prompt.split())[:TITLE_CHARS],
        "idle": timedelta(seconds=settings.SESSION_IDLE_S),
        "job_id": job_id,
        "agent_name": plan.agent_name,
        "agent_version": plan.agent_version,
        "agent": Jsonb(plan.agent_json),
        "prompt": plan.prompt,
        "request": Jsonb(plan.request_json),
        "max_steps": plan.max_steps,
        "budget": Jsonb(plan.budget),
        "metadata": Jsonb(plan.metadata),
        "waits_for": waits_for,
        "request_id": context.request_id,
        "correlation_id": context.correlation_id,
        "traceparent": context.traceparent,
    }
    with prepared_cursor() as cursor:
        row = cursor.execute(RUN, values).fetchone()
    if row is None:
        raise RuntimeError("a run was inserted and told nothing")
    if session is not None:
        session.last_step_id, session.last_step_seq = said_id, session.last_step_seq + 1
    told = {name: row[name] for name in ("seq_id", "event_type", "event_json")}
    return _as_run(row), {"run_id": row["id"], "created_at": row["told_at"], **told}


def _as_run(row: dict[str, Any]) -> AgentRun:
    """What ``AgentRun.objects.get`` would give. Django's connections hand jsonb over as text."""
    values = [
        json.loads(row[name]) if name in _JSON_COLUMNS and row[name] is not None else row[name] for name in _COLUMNS
    ]
    return AgentRun.from_db("default", _COLUMNS, values)
