"""The SQL that moves jobs, as the workers' engine runs it: conditional, fenced, set-based, event and state in one
statement. See docs/architecture.md, "Nothing is lost".

Every function takes an open psycopg connection of cineca_engine and works on many jobs at once, so that one commit can
carry what a whole process has to say. Zero rows for a job means that somebody was first. Only the database's clock is
used. Times in events are ISO 8601 UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from kernel.jsonb import json_text

ISO_NOW = """to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
Row = dict[str, Any]
Connection = psycopg.Connection[Any]

# What the mirror (Redis) and the streams need to know after a move; events as [{seq_id, event_type, ...}].
MIRRORED = "id, tenant_id, type, owner_sub, status, attempt, last_seq, lease_owner, progress_percent, priority"


@dataclass(frozen=True)
class NewEvent:
    """An event a handler reports. ``token`` proves that the reporter still holds the job, ``seq`` is its number."""

    job_id: UUID
    token: int
    seq: int
    event_type: str
    data: dict[str, Any]
    percent: float | None = None


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended. ``status`` is a terminal state."""

    job_id: UUID
    token: int
    status: str
    result: Any = None
    error: dict[str, Any] | None = None
    dead: bool = False


CLAIM = f"""
WITH picked AS MATERIALIZED (
    SELECT id FROM jobs WHERE id = ANY(%(ids)s) AND status = 'queued' AND (
        crashes = 0 OR crashes + 1 < max_attempts OR (%(suspects)s AND id = (
            SELECT id FROM jobs WHERE id = ANY(%(ids)s) AND status = 'queued' AND crashes > 0
                AND crashes + 1 >= max_attempts
            ORDER BY hinted_at LIMIT 1)))
    ORDER BY id FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE jobs SET status = 'running', token = token + 1, attempt = attempt + 1, lease_owner = %(worker)s,
        lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s),
        started_at = statement_timestamp(), updated_at = statement_timestamp(), last_seq = last_seq + 1,
        queue_latency_ms = COALESCE(queue_latency_ms,
            (extract(epoch FROM statement_timestamp() - created_at) * 1000)::int)
    FROM picked WHERE jobs.id = picked.id RETURNING jobs.*
), told AS (
    INSERT INTO job_events (job_id, seq_id, job_created_at, tenant_id, event_type, event_json, created_at)
    SELECT id, last_seq, created_at, tenant_id, 'status', jsonb_build_object('job_id', id, 'from', 'queued',
        'to', 'running', 'status', 'running', 'attempt', attempt, 'worker', lease_owner, 'timestamp', {ISO_NOW}),
        clock_timestamp()
    FROM claimed RETURNING job_id, seq_id, event_type, event_json, created_at
)
SELECT {MIRRORED}, token, crashes, max_attempts, payload_json, principal_json, request_id, queue_latency_ms,
    correlation_id, traceparent, retry_of, claimed.created_at AS job_created_at,
    told.seq_id, told.event_type, told.event_json, told.created_at
FROM claimed JOIN told ON told.job_id = claimed.id
"""


def claim(
    connection: Connection, ids: Sequence[UUID], *, worker: str, lease_s: float, suspects: bool = True
) -> list[Row]:
    """Take the queued ones among ``ids``: running, token and attempt one higher, leased to ``worker``.

    A suspect, a job on its last attempt before it counts as poison, is taken only if ``suspects``, and one at most.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(CLAIM, {"ids": list(ids), "worker": worker, "lease_s": lease_s, "suspects": suspects})
        return cursor.fetchall()


APPEND = """
WITH news AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(tokens)s::bigint[], %(seqs)s::bigint[], %(types)s::text[],
        %(data)s::text[], %(percents)s::float8[]) AS t(id, token, seq_id, event_type, data, percent)
), sums AS (
    SELECT id, max(token) AS token, min(seq_id) AS low, max(seq_id) AS top,
        (array_agg(percent ORDER BY seq_id DESC) FILTER (WHERE percent IS NOT NULL))[1] AS percent
    FROM news GROUP BY id
), held AS MATERIALIZED (
    SELECT jobs.id, jobs.last_seq AS had FROM jobs JOIN sums ON sums.id = jobs.id
    WHERE (jobs.token = sums.token OR NOT %(fencing)s) AND jobs.status = 'running' AND jobs.last_seq >= sums.low - 1
    ORDER BY jobs.id FOR UPDATE OF jobs
), moved AS (
    UPDATE jobs SET last_seq = GREATEST(last_seq, sums.top), updated_at = statement_timestamp(),
        progress_percent = COALESCE(sums.percent, progress_percent)
    FROM sums JOIN held ON held.id = sums.id WHERE jobs.id = sums.id
    RETURNING jobs.*, held.had
), told AS (
    INSERT INTO job_events (job_id, seq_id, job_created_at, tenant_id, event_type, event_json, created_at)
    SELECT moved.id, news.seq_id, moved.created_at, moved.tenant_id, news.event_type, news.data::jsonb,
        clock_timestamp()
    FROM moved JOIN news ON news.id = moved.id WHERE news.seq_id > moved.had
    RETURNING job_id, seq_id, event_type, event_json, created_at
)
SELECT id, tenant_id, type, owner_sub, status, attempt, last_seq, lease_owner, progress_percent, priority,
    told.seq_id, told.event_type, told.event_json, told.created_at
FROM moved LEFT JOIN told ON told.job_id = moved.id ORDER BY moved.id, told.seq_id
"""


def append_events(
    connection: Connection, events: Sequence[NewEvent], *, fencing: bool = True
) -> tuple[list[Row], set[UUID]]:
    """Write handlers' events. Returns a row for each that is new, and the jobs among them that are still ours.

    Whoever holds a job is the only one to write its events, and numbers them itself. So a repeat after a commit whose
    answer was lost finds them there and writes nothing twice.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            APPEND,
            {
                "ids": [event.job_id for event in events],
                "tokens": [event.token for event in events],
                "seqs": [event.seq for event in events],
                "types": [event.event_type for event in events],
                "data": [json_text(event.data) for event in events],
                "percents": [event.percent for event in events],
                "fencing": fencing,
            },
        )
        rows = cursor.fetchall()
    return [row for row in rows if row["seq_id"] is not None], {row["id"] for row in rows}


FINISH = f"""
WITH done AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(tokens)s::bigint[], %(statuses)s::text[], %(results)s::text[],
        %(errors)s::text[], %(deads)s::bool[]) AS t(id, token, new_status, result, error, dead)
), closed AS (
    UPDATE jobs SET status = done.new_status, result_json = done.result::jsonb, error_json = done.error::jsonb,
        completed_at = statement_timestamp(), updated_at = statement_timestamp(), lease_until = NULL,
        last_seq = last_seq + 2,
        exec_latency_ms = (extract(epoch FROM statement_timestamp() - started_at) * 1000)::int,
        progress_percent = CASE WHEN done.new_status = 'finished' THEN 100 ELSE progress_percent END,
        dead_lettered_at = CASE WHEN done.dead THEN statement_timestamp() END
    FROM done WHERE jobs.id = done.id AND (jobs.token = done.token OR NOT %(fencing)s) AND jobs.status = 'running'
    RETURNING jobs.*
), told AS (
    INSERT INTO job_events (job_id, seq_id, job_created_at, tenant_id, event_type, event_json, created_at)
    SELECT closed.id, line.seq_id, closed.created_at, closed.tenant_id, line.event_type, line.data, clock_timestamp()
    FROM closed JOIN done ON done.id = closed.id CROSS JOIN LATERAL (VALUES
        (closed.last_seq - 1, 'status', jsonb_build_object('job_id', closed.id, 'from', 'running', 'to', closed.status,
            'status', closed.status, 'attempt', closed.attempt - (closed.token - done.token), 'timestamp', {ISO_NOW})
            || CASE WHEN closed.error_json IS NULL THEN '{{}}'::jsonb
                ELSE jsonb_build_object('error', closed.error_json) END),
        (closed.last_seq, 'end', jsonb_build_object('job_id', closed.id, 'final', closed.status,
            'completed_at', {ISO_NOW}))
    ) AS line(seq_id, event_type, data)
    RETURNING job_id, seq_id, event_type, event_json, created_at
)
SELECT {MIRRORED}, queue_latency_ms, exec_latency_ms,
    told.seq_id, told.event_type, told.event_json, told.created_at
FROM closed JOIN told ON told.job_id = closed.id ORDER BY closed.id, told.seq_id
"""


def finish(connection: Connection, outcomes: Sequence[Outcome], *, fencing: bool = True) -> list[Row]:
    """End attempts: status, result, both closing events at once; two rows come back for each job still ours."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            FINISH,
            {
                "ids": [outcome.job_id for outcome in outcomes],
                "tokens": [outcome.token for outcome in outcomes],
                "statuses": [outcome.status for outcome in outcomes],
                "results": [json_text(outcome.result) for outcome in outcomes],
                "errors": [json_text(outcome.error) for outcome in outcomes],
                "deads": [outcome.dead for outcome in outcomes],
                "fencing": fencing,
            },
        )
        return cursor.fetchall()


RENEW = """
WITH held AS (SELECT * FROM unnest(%(ids)s::uuid[], %(tokens)s::bigint[]) AS t(id, token)),
mine AS MATERIALIZED (
    SELECT jobs.id FROM jobs JOIN held ON held.id = jobs.id AND held.token = jobs.token
    WHERE jobs.status = 'running' ORDER BY jobs.id FOR UPDATE OF jobs SKIP LOCKED
), renewed AS (
    UPDATE jobs SET lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
    FROM mine WHERE jobs.id = mine.id RETURNING jobs.id
)
SELECT jobs.id, jobs.cancel_requested_at IS NOT NULL AS cancelled
FROM jobs JOIN held ON held.id = jobs.id AND held.token = jobs.token WHERE jobs.status = 'running'
"""


def renew(connection: Connection, held: dict[UUID, int], *, lease_s: float) -> dict[UUID, bool]:
    """Extend the leases of ``held`` (id -> token). Returns those still ours -> whether they are to be cancelled.

    A row that another transaction holds locked is skipped this time and still counts as ours.
    """
    with connection.cursor() as cursor:
        cursor.execute(RENEW, {"ids": list(held), "tokens": list(held.values()), "lease_s": lease_s})
        return dict(cursor.fetchall())


RELEASE = f"""
WITH held AS (SELECT * FROM unnest(%(ids)s::uuid[], %(tokens)s::bigint[]) AS t(id, token)),
freed AS (
    UPDATE jobs SET status = 'queued', lease_owner = NULL, lease_until = NULL, started_at = NULL,
        updated_at = clock_timestamp(), last_seq = last_seq + 1
    FROM held WHERE jobs.id = held.id AND jobs.token = held.token AND jobs.status = 'running' RETURNING jobs.*
), told AS (
    INSERT INTO job_events (job_id, seq_id, job_created_at, tenant_id, event_type, event_json, created_at)
    SELECT id, last_seq, created_at, tenant_id, 'status', jsonb_build_object('job_id', id, 'from', 'running',
        'to', 'queued', 'status', 'queued', 'attempt', attempt, 'reason', 'given_back', 'timestamp', {ISO_NOW}),
        clock_timestamp()
    FROM freed RETURNING job_id, seq_id, event_type, event_json, created_at
)
SELECT {MIRRORED}, told.seq_id, told.event_type, told.event_json, told.created_at
FROM freed JOIN told ON told.job_id = freed.id
"""


def release(connection: Connection, held: dict[UUID, int]) -> list[Row]:
    """Give jobs back (a warm shutdown): queued again, not counted as a crash."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(RELEASE, {"ids": list(held), "tokens": list(held.values())})
        return cursor.fetchall()


CLOSED = f"""
WITH mine AS (SELECT * FROM unnest(%(ids)s::uuid[], %(tokens)s::bigint[]) AS t(id, token)),
closed AS (
    SELECT jobs.* FROM jobs JOIN mine ON mine.id = jobs.id AND mine.token = jobs.token
    WHERE jobs.status IN ('finished', 'failed', 'cancelled')
)
SELECT {MIRRORED}, queue_latency_ms, exec_latency_ms,
    told.seq_id, told.event_type, told.event_json, told.created_at
FROM (SELECT *, created_at AS job_created FROM closed) AS closed JOIN LATERAL (
    SELECT seq_id, event_type, event_json, job_events.created_at FROM job_events
    WHERE job_id = closed.id AND job_created_at = closed.job_created AND seq_id > closed.last_seq - 2
) AS told ON true ORDER BY closed.id, told.seq_id
"""


def closed_with(connection: Connection, outcomes: Sequence[Outcome]) -> list[Row]:
    """Which of these ended with our token after all, as ``finish`` would have told: the answer to it was lost."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            CLOSED,
            {
                "ids": [outcome.job_id for outcome in outcomes],
                "tokens": [outcome.token for outcome in outcomes],
            },
        )
        return cursor.fetchall()


ADOPT = """
SELECT id, token FROM jobs WHERE id = ANY(%(ids)s) AND status = 'running' AND lease_owner = %(worker)s
"""


def held_by(connection: Connection, ids: Sequence[UUID], *, worker: str) -> dict[UUID, int]:
    """Which of ``ids`` this worker holds: settles a claim whose commit went unanswered."""
    with connection.cursor() as cursor:
        cursor.execute(ADOPT, {"ids": list(ids), "worker": worker})
        return dict(cursor.fetchall())
