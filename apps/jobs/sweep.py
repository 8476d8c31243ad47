"""What the sweeper asks and does: leases that ran out, ids that fell out of Redis, cancellations nobody heeded.

Each function is one bounded statement with SKIP LOCKED, safe to run anywhere and any number of times.
"""

from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from apps.jobs.ledger import ISO_NOW, MIRRORED, Connection, Row

BATCH = 500
# A queued row may be this old before a missing id counts as lost: it covers commit-to-push and pop-to-claim.
HINT_AGE_S = 1.5
REHINT_PAUSE_S = 1.5

# A lease that ran out before PostgreSQL started had no chance of being renewed: that counts as nobody's crash.
RESCUE = f"""
WITH lost AS MATERIALIZED (
    SELECT id, crashes + counted AS crashes_now, counted = 1 AND crashes + 1 >= max_attempts AS poison,
        cancel_requested_at IS NOT NULL AS cancelled
    FROM jobs CROSS JOIN LATERAL (SELECT (lease_until > pg_postmaster_start_time())::int AS counted) AS fault
    WHERE status = 'running' AND lease_until < clock_timestamp()
    ORDER BY id FOR UPDATE OF jobs SKIP LOCKED LIMIT {BATCH}
), moved AS (
    UPDATE jobs SET crashes = lost.crashes_now, lease_until = NULL, updated_at = clock_timestamp(),
        status = CASE WHEN cancelled THEN 'cancelled' WHEN poison THEN 'failed' ELSE 'queued' END,
        completed_at = CASE WHEN poison OR cancelled THEN clock_timestamp() END,
        exec_latency_ms = CASE WHEN poison OR cancelled
            THEN (extract(epoch FROM clock_timestamp() - started_at) * 1000)::int END,
        dead_lettered_at = CASE WHEN poison AND NOT cancelled THEN clock_timestamp() END,
        result_json = CASE WHEN cancelled THEN '{{"cancelled": true}}'::jsonb END,
        error_json = CASE WHEN poison AND NOT cancelled THEN jsonb_build_object('reason', 'poison', 'message',
            format('Its worker was lost %s times while running it; an operator can retry it.', lost.crashes_now)) END,
        last_seq = last_seq + CASE WHEN poison OR cancelled THEN 2 ELSE 1 END
    FROM lost WHERE jobs.id = lost.id RETURNING jobs.*
), told AS (
    INSERT INTO job_events (job_id, seq_id, job_created_at, tenant_id, event_type, event_json, created_at)
    SELECT moved.id, line.seq_id, moved.created_at, moved.tenant_id, line.event_type, line.data, clock_timestamp()
    FROM moved CROSS JOIN LATERAL (VALUES
        (CASE WHEN status = 'queued' THEN last_seq ELSE last_seq - 1 END, 'status', jsonb_build_object('job_id', id,
            'from', 'running', 'to', status, 'status', status, 'attempt', attempt, 'reason', 'lease_expired',
            'worker', lease_owner, 'timestamp', {ISO_NOW})),
        (CASE WHEN status = 'queued' THEN NULL ELSE last_seq END, 'end', jsonb_build_object('job_id', id,
            'final', status, 'completed_at', {ISO_NOW}))
    ) AS line(seq_id, event_type, data) WHERE line.seq_id IS NOT NULL
    RETURNING job_id, seq_id, event_type, event_json, created_at
)
SELECT {MIRRORED}, queue_latency_ms, exec_latency_ms, told.seq_id, told.event_type, told.event_json, told.created_at
FROM moved JOIN told ON told.job_id = moved.id ORDER BY moved.id, told.seq_id
"""

# The token moves on, so that whatever the stuck handler still writes matches no row.
FORCE_CANCEL = f"""
WITH stuck AS MATERIALIZED (
    SELECT id FROM jobs WHERE status = 'running'
        AND cancel_requested_at < clock_timestamp() - make_interval(secs => %(grace_s)s)
    ORDER BY id FOR UPDATE SKIP LOCKED LIMIT {BATCH}
), moved AS (
    UPDATE jobs SET status = 'cancelled', token = token + 1, lease_until = NULL, completed_at = clock_timestamp(),
        updated_at = clock_timestamp(), result_json = '{{"cancelled": true, "forced": true}}'::jsonb,
        exec_latency_ms = (extract(epoch FROM clock_timestamp() - started_at) * 1000)::int, last_seq = last_seq + 2
    FROM stuck WHERE jobs.id = stuck.id RETURNING jobs.*
), told AS (
    INSERT INTO job_events (job_id, seq_id, job_created_at, tenant_id, event_type, event_json, created_at)
    SELECT moved.id, line.seq_id, moved.created_at, moved.tenant_id, line.event_type, line.data, clock_timestamp()
    FROM moved CROSS JOIN LATERAL (VALUES
        (last_seq - 1, 'status', jsonb_build_object('job_id', id, 'from', 'running', 'to', 'cancelled',
            'status', 'cancelled', 'attempt', attempt, 'reason', 'forced', 'timestamp', {ISO_NOW})),
        (last_seq, 'end', jsonb_build_object('job_id', id, 'final', 'cancelled', 'completed_at', {ISO_NOW}))
    ) AS line(seq_id, event_type, data)
    RETURNING job_id, seq_id, event_type, event_json, created_at
)
SELECT {MIRRORED}, queue_latency_ms, exec_latency_ms, told.seq_id, told.event_type, told.event_json, told.created_at
FROM moved JOIN told ON told.job_id = moved.id ORDER BY moved.id, told.seq_id
"""

# Lists are first in, first out: a queued row that was due before the id now at the taking end and is not there is lost.
LOST_HINTS = f"""
WITH lost AS MATERIALIZED (
    SELECT id FROM jobs WHERE status = 'queued' AND type = %(type)s AND (priority > 0) = %(high)s
        AND id <> ALL(%(present)s::uuid[])
        AND hinted_at < clock_timestamp() - make_interval(secs => {HINT_AGE_S})
        AND (rehinted_at IS NULL OR rehinted_at < clock_timestamp() - make_interval(secs => {REHINT_PAUSE_S}))
        AND (%(tail)s::uuid IS NULL
            OR hinted_at < (SELECT hinted_at - interval '1 second' FROM jobs WHERE id = %(tail)s::uuid))
    ORDER BY hinted_at FOR UPDATE SKIP LOCKED LIMIT {BATCH}
)
UPDATE jobs SET rehinted_at = clock_timestamp() FROM lost WHERE jobs.id = lost.id
RETURNING jobs.id, jobs.hinted_at
"""


def _rows(connection: Connection, sql: str, values: dict[str, Any] | None = None) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


def rescue(connection: Connection) -> list[Row]:
    """Jobs whose lease ran out: queued again, cancelled if that was asked, or failed as poison after max_attempts."""
    return _rows(connection, RESCUE)


def force_cancel(connection: Connection, *, grace_s: float) -> list[Row]:
    """Running jobs that ignored their cancellation for ``grace_s``: cancelled, and their handler fenced off."""
    return _rows(connection, FORCE_CANCEL, {"grace_s": grace_s})


def lost_hints(
    connection: Connection, *, job_type: str, high: bool, tail: UUID | None, present: list[UUID]
) -> list[UUID]:
    """Queued jobs whose id is not in Redis any more, oldest first. ``tail``: the id at the taking end, None if empty;
    ``present``: ids known to be near it."""
    rows = _rows(connection, LOST_HINTS, {"type": job_type, "high": high, "tail": tail, "present": present})
    return [row["id"] for row in sorted(rows, key=lambda row: row["hinted_at"])]


PENDING = """
SELECT id FROM jobs WHERE status = 'queued' AND type = ANY(%(types)s)
    AND hinted_at < clock_timestamp() - make_interval(secs => %(age_s)s)
ORDER BY (priority > 0) DESC, hinted_at LIMIT %(limit)s
"""


def pending(connection: Connection, *, types: list[str], limit: int, age_s: float) -> list[UUID]:
    """The oldest queued jobs: what a worker takes when Redis cannot tell it."""
    return [row["id"] for row in _rows(connection, PENDING, {"types": types, "limit": limit, "age_s": age_s})]
