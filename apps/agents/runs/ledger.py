"""The SQL that moves runs, as workers execute it: conditional, fenced, what happened and its events in one statement.

Every function takes an open psycopg connection of cineca_engine (``move`` also one of cineca_app inside its tenant's
scope) and is one statement, which is its own transaction. Zero rows mean that somebody was first. Only the database's
clock is used. The rules are those of jobs (apps/jobs/ledger.py): who holds a run numbers its events, so that one
written again after a lost answer is stored once.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from apps.agents.runs.closing import END
from apps.agents.runs.records import Move, Moved, NewEvent, Row, step_values
from apps.agents.states import DONE
from apps.jobs.ledger import ISO_NOW
from kernel.jsonb import json_text

Connection = psycopg.Connection[Any]
TOLD = ("run_id", "seq_id", "event_type", "event_json", "created_at")  # of an event, as run_mirror takes it

# Of the steps, those of this attempt, and what earlier attempts made of the step that comes next.
CLAIM = f"""
WITH picked AS MATERIALIZED (
    SELECT id, status AS was FROM agent_runs
    WHERE id = %(id)s AND status IN ('queued', 'running') AND phase = %(phase)s
        AND (phase <> 'step' OR next_index = %(index)s) AND lease_until IS NULL AND waits_for IS NULL FOR UPDATE
), claimed AS (
    UPDATE agent_runs SET status = 'running', token = token + 1, lease_owner = %(worker)s,
        lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s),
        started_at = COALESCE(started_at, statement_timestamp()), updated_at = statement_timestamp(),
        deadline_at = COALESCE(deadline_at, statement_timestamp() + make_interval(secs => LEAST(%(limit_s)s::float8,
            (budget_json ->> 'wall_s')::float8))),
        last_seq = last_seq + (picked.was = 'queued')::int
    FROM picked WHERE agent_runs.id = picked.id RETURNING agent_runs.*, picked.was
), told AS (
    INSERT INTO run_events (run_id, seq_id, tenant_id, event_type, event_json, created_at)
    SELECT id, last_seq, tenant_id, 'status', jsonb_build_object('run_id', id, 'from', 'queued', 'to', 'running',
        'status', 'running', 'attempt', attempt, 'timestamp', {ISO_NOW}), clock_timestamp()
    FROM claimed WHERE was = 'queued' RETURNING event_type, event_json, created_at AS told_at
)
SELECT claimed.*, extract(epoch FROM claimed.deadline_at - clock_timestamp())::float8 AS left_s,
    extract(epoch FROM statement_timestamp() - claimed.created_at)::float8 AS age_s,
    told.event_type, told.event_json, told.told_at, COALESCE((
        SELECT jsonb_agg(to_jsonb(steps) ORDER BY steps.index, steps.attempt) FROM steps
        WHERE steps.run_id = claimed.id AND (steps.attempt = claimed.attempt
            OR (steps.index = claimed.next_index AND steps.status = 'completed'))
    ), '[]'::jsonb) AS steps
FROM claimed LEFT JOIN told ON true
"""


def claim(
    connection: Connection, run_id: UUID, *, phase: str, index: int, worker: str, lease_s: float, limit_s: float
) -> Row | None:
    """Take the run for one phase, or one step: token one higher, leased to ``worker``; None when it is not due.

    The row with ``was`` (its status before), ``left_s`` until its deadline, ``steps``, and the event it told, if any.
    """
    values = {"id": run_id, "phase": phase, "index": index, "worker": worker, "lease_s": lease_s, "limit_s": limit_s}
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(CLAIM, values).fetchone()


# A worker that goes on with the run keeps it: then the next place's claim is in the same statement. ``hinted_at`` is in
# an index: where it is left alone, the row's new version stays on its page. Events that are stored already stay so.
MOVE = """
WITH moved AS (
    UPDATE agent_runs SET phase = COALESCE(%(phase)s::text, phase),
        next_index = COALESCE(%(index)s::int, next_index), crashes = 0, tries = 0,
        token = token + %(keep)s::int, lease_owner = CASE WHEN %(keep)s THEN lease_owner END,
        lease_until = CASE WHEN %(keep)s THEN clock_timestamp() + make_interval(secs => %(lease_s)s) END,
        hinted_at = CASE WHEN %(keep)s THEN hinted_at ELSE clock_timestamp() END, updated_at = clock_timestamp(),
        intent_json = COALESCE(%(intent)s::jsonb, intent_json), todos_json = COALESCE(%(todos)s::jsonb, todos_json),
        metrics_json = COALESCE(%(metrics)s::jsonb, metrics_json),
        warnings_json = COALESCE(%(warnings)s::jsonb, warnings_json),
        used_fallback = used_fallback OR %(used_fallback)s, error_json = NULL,
        last_seq = GREATEST(last_seq, %(seen_seq)s::bigint)
    WHERE id = %(id)s AND status = 'running'
        AND ((token = %(token)s::bigint AND lease_until IS NOT NULL) OR NOT %(fencing)s)
    RETURNING id, tenant_id, attempt, token, phase, next_index, last_seq, intent_json, todos_json, metrics_json,
        warnings_json, used_fallback, cancel_requested_at
), stepped AS (
    INSERT INTO steps (id, tenant_id, run_id, index, attempt, action, status, input, output, error, input_hash,
        reused_from, tokens, cost_nano_usd, latency_ms, started_at, finished_at)
    SELECT %(step_id)s::uuid, tenant_id, id, %(step_index)s::int, attempt, %(action)s::text, %(step_status)s::text,
        %(step_input)s::jsonb, %(step_output)s::jsonb, %(step_error)s::jsonb, %(input_hash)s::text,
        %(reused_from)s::uuid, %(tokens)s::bigint, %(cost)s::bigint, %(latency_ms)s::float8,
        %(step_began)s::timestamptz, %(step_ended)s::timestamptz
    FROM moved WHERE %(step_id)s::uuid IS NOT NULL RETURNING *
), told AS (
    INSERT INTO run_events (run_id, seq_id, tenant_id, event_type, event_json, created_at)
    SELECT moved.id, line.seq_id, moved.tenant_id, line.event_type, line.data::jsonb, clock_timestamp()
    FROM moved CROSS JOIN unnest(%(seqs)s::bigint[], %(types)s::text[], %(data)s::text[])
        AS line(seq_id, event_type, data)
    ON CONFLICT DO NOTHING RETURNING run_id, seq_id, event_type, event_json, created_at
), kept AS (
    SELECT phase, next_index, token, last_seq, intent_json, todos_json, metrics_json, warnings_json, used_fallback,
        cancel_requested_at, (SELECT to_jsonb(stepped) FROM stepped) AS step, CASE WHEN attempt > 1 THEN (
            SELECT jsonb_agg(to_jsonb(steps) ORDER BY steps.attempt) FROM steps WHERE steps.run_id = moved.id
                AND steps.index = moved.next_index AND steps.attempt < moved.attempt AND steps.status = 'completed'
        ) END AS earlier
    FROM moved WHERE %(keep)s
)
SELECT told.*, kept.* FROM moved LEFT JOIN told ON true LEFT JOIN kept ON told.seq_id IS NOT DISTINCT FROM
    (SELECT min(seq_id) FROM told) ORDER BY told.seq_id
"""


def move(connection: Connection, change: Move, *, fencing: bool = True, unheld: bool = False) -> Moved | None:
    """Commit what a task did: cursor, records, step and events; the lease is given back, or, with ``keep_s``, goes on
    under the next token. None: it is not ours any more.

    ``unheld``: nobody may hold the run, which is ended from outside (a cancellation); the token does not matter then.
    """
    values = {
        "id": change.run_id,
        "token": change.token,
        "fencing": fencing,
        "phase": DONE if change.status == "succeeded" else change.phase,
        "index": change.next_index,
        "seen_seq": change.seen_seq,
        "intent": json_text(change.intent),
        "todos": json_text(change.todos),
        "metrics": json_text(change.metrics),
        "warnings": json_text(change.warnings),
        "used_fallback": change.used_fallback,
        "seqs": [event.seq for event in change.events],
        "types": [event.event_type for event in change.events],
        "data": [json_text(event.data) for event in change.events],
    }
    if change.status is None:
        keep_s = change.keep_s
        values |= {"keep": keep_s is not None, "lease_s": keep_s or 0.0, **step_values(change.step)}
    else:
        values |= {
            "from": ["queued", "running"] if unheld else ["running"],
            "unheld": unheld,
            "status": change.status,
            "output": json_text(change.output),
            "error": json_text(change.error),
            "refused": change.refused,
            "degraded": change.degraded,
        }
    with psycopg.Cursor(connection, row_factory=dict_row) as cursor:
        rows = cursor.execute(END if change.status else MOVE, values).fetchall()
    if not rows:
        return None
    told = [{name: row[name] for name in TOLD} for row in rows if row["seq_id"] is not None]
    if change.status is not None:
        return Moved(told, list(rows[0]["released"] or []))
    return Moved(told, kept=rows[0] if change.keep_s is not None else None)


APPEND = """
WITH news AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(tokens)s::bigint[], %(seqs)s::bigint[], %(types)s::text[],
        %(data)s::text[]) AS t(id, token, seq_id, event_type, data)
), sums AS (
    SELECT id, max(token) AS token, min(seq_id) AS low, max(seq_id) AS top FROM news GROUP BY id
), held AS MATERIALIZED (
    SELECT agent_runs.id, agent_runs.last_seq AS had FROM agent_runs JOIN sums ON sums.id = agent_runs.id
    WHERE ((agent_runs.token = sums.token AND lease_until IS NOT NULL) OR NOT %(fencing)s)
        AND agent_runs.status = 'running' AND agent_runs.last_seq >= sums.low - 1
    ORDER BY agent_runs.id FOR UPDATE OF agent_runs
), moved AS (
    UPDATE agent_runs SET last_seq = GREATEST(last_seq, sums.top), updated_at = statement_timestamp()
    FROM sums JOIN held ON held.id = sums.id WHERE agent_runs.id = sums.id
    RETURNING agent_runs.id, agent_runs.tenant_id, held.had
), told AS (
    INSERT INTO run_events (run_id, seq_id, tenant_id, event_type, event_json, created_at)
    SELECT moved.id, news.seq_id, moved.tenant_id, news.event_type, news.data::jsonb, clock_timestamp()
    FROM moved JOIN news ON news.id = moved.id WHERE news.seq_id > moved.had
    RETURNING run_id, seq_id, event_type, event_json, created_at
)
SELECT moved.id, told.* FROM moved LEFT JOIN told ON told.run_id = moved.id ORDER BY moved.id, told.seq_id
"""


def append_events(
    connection: Connection, events: Sequence[NewEvent], *, fencing: bool = True
) -> tuple[list[Row], set[UUID]]:
    """Write what happens in the midst of phases, of any number of runs. Returns a row for each event that is new, and
    the runs among them that are still ours."""
    values = {
        "ids": [event.run_id for event in events],
        "tokens": [event.token for event in events],
        "seqs": [event.seq for event in events],
        "types": [event.event_type for event in events],
        "data": [json_text(event.data) for event in events],
        "fencing": fencing,
    }
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(APPEND, values).fetchall()
    return [row for row in rows if row["seq_id"] is not None], {row["id"] for row in rows}


RENEW = """
WITH held AS (SELECT * FROM unnest(%(ids)s::uuid[], %(tokens)s::bigint[]) AS t(id, token)),
mine AS MATERIALIZED (
    SELECT agent_runs.id FROM agent_runs JOIN held ON held.id = agent_runs.id AND held.token = agent_runs.token
    WHERE agent_runs.status = 'running' AND agent_runs.lease_until IS NOT NULL AND %(renew)s
    ORDER BY agent_runs.id FOR UPDATE OF agent_runs SKIP LOCKED
), renewed AS (
    UPDATE agent_runs SET lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
    FROM mine WHERE agent_runs.id = mine.id RETURNING agent_runs.id
)
SELECT agent_runs.id, agent_runs.cancel_requested_at IS NOT NULL AS cancelled
FROM agent_runs JOIN held ON held.id = agent_runs.id AND held.token = agent_runs.token
WHERE agent_runs.status = 'running' AND agent_runs.lease_until IS NOT NULL
"""


def renew(connection: Connection, held: dict[UUID, int], *, lease_s: float, extend: bool = True) -> dict[UUID, bool]:
    """Extend the leases of ``held`` (id -> token). Returns those still ours -> whether they are to be cancelled.

    ``extend`` False only looks. A row that another transaction holds locked is skipped this time and counts as ours.
    """
    values = {"ids": list(held), "tokens": list(held.values()), "lease_s": lease_s, "renew": extend}
    with connection.cursor() as cursor:
        return dict(cursor.execute(RENEW, values).fetchall())


RELEASE = f"""
WITH held AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(tokens)s::bigint[]) AS t(id, token)
), freed AS (
    UPDATE agent_runs SET status = 'queued', lease_owner = NULL, lease_until = NULL, updated_at = clock_timestamp(),
        hinted_at = clock_timestamp() + make_interval(secs => %(delay_s)s), tries = tries + %(tried)s,
        last_seq = last_seq + 1
    FROM held WHERE agent_runs.id = held.id AND agent_runs.token = held.token AND agent_runs.status = 'running'
        AND agent_runs.lease_until IS NOT NULL RETURNING agent_runs.*
), told AS (
    INSERT INTO run_events (run_id, seq_id, tenant_id, event_type, event_json, created_at)
    SELECT id, last_seq, tenant_id, 'status', jsonb_build_object('run_id', id, 'from', 'running', 'to', 'queued',
        'status', 'queued', 'attempt', attempt, 'reason', %(reason)s::text, 'timestamp', {ISO_NOW})
        || CASE WHEN %(error)s::jsonb IS NULL THEN '{{}}'::jsonb ELSE jsonb_build_object('error', %(error)s::jsonb) END,
        clock_timestamp()
    FROM freed RETURNING run_id, seq_id, event_type, event_json, created_at
)
SELECT * FROM told
"""


def release(
    connection: Connection,
    held: dict[UUID, int],
    *,
    reason: str,
    tried: bool = False,
    delay_s: float = 0.0,
    error: dict[str, Any] | None = None,
) -> list[Row]:
    """Give runs back: queued again, not counted as a crash, due in ``delay_s``. ``tried``: their step failed in a way
    that may pass. What their holder has numbered and not written is lost; the numbers are given anew."""
    values = {
        "ids": list(held),
        "tokens": list(held.values()),
        "reason": reason,
        "tried": int(tried),
        "delay_s": delay_s,
        "error": json_text(error),
    }
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(RELEASE, values).fetchall()


WHEREABOUTS = """
SELECT token, status, phase, next_index, lease_owner, lease_until IS NOT NULL OR waits_for IS NOT NULL AS is_taken,
    jsonb_array_length(todos_json) AS todos
FROM agent_runs WHERE id = %s
"""


def whereabouts(connection: Connection, run_id: UUID) -> Row | None:
    """Where the run is: settles a commit whose answer was lost."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(WHEREABOUTS, [run_id]).fetchone()
