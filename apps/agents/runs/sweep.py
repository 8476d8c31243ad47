"""What the sweeper asks and does about runs: leases that ran out, tasks that fell out of Redis, cancellations nobody
heeded, runs whose job is gone.

Each function is one bounded statement with SKIP LOCKED, safe to run anywhere and any number of times.
"""

from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from apps.agents.runs.ledger import Connection
from apps.agents.runs.records import Row
from apps.jobs.ledger import ISO_NOW

BATCH = 500
# A task may be this late before it counts as lost: it covers commit to send, and taking to claim.
HINT_AGE_S = 1.5

# The two closing lines of runs that are ended from outside, from a table "moved" with was, reason, last_seq.
_CLOSING = f"""(
    INSERT INTO run_events (run_id, seq_id, tenant_id, event_type, event_json, created_at)
    SELECT moved.id, line.seq_id, moved.tenant_id, line.event_type, line.data, clock_timestamp()
    FROM moved CROSS JOIN LATERAL (VALUES
        (CASE WHEN status = 'queued' THEN last_seq ELSE last_seq - 1 END, 'status', jsonb_build_object('run_id', id,
            'from', was, 'to', status, 'status', status, 'attempt', attempt, 'reason', reason, 'timestamp', {ISO_NOW})
            || CASE WHEN error_json IS NULL THEN '{{}}'::jsonb ELSE jsonb_build_object('error', error_json) END),
        (CASE WHEN status = 'queued' THEN NULL ELSE last_seq END, 'end', jsonb_build_object('run_id', id,
            'final', status, 'completed_at', {ISO_NOW}))
    ) AS line(seq_id, event_type, data) WHERE line.seq_id IS NOT NULL
    RETURNING run_id, seq_id, event_type, event_json, created_at
)"""
_RELEASED = """(
    UPDATE agent_runs SET waits_for = moved.waits_for, hinted_at = GREATEST(agent_runs.hinted_at, clock_timestamp())
    FROM moved WHERE moved.status <> 'queued' AND agent_runs.waits_for = moved.id
    RETURNING agent_runs.id, agent_runs.waits_for IS NULL AND agent_runs.hinted_at <= clock_timestamp() AS is_due
)"""
_ANSWER = """
SELECT told.*, moved.status, moved.started_at, moved.created_at AS run_created_at, moved.reason,
    (SELECT array_agg(id) FROM released WHERE is_due) AS released
FROM moved JOIN told ON told.run_id = moved.id ORDER BY moved.id, told.seq_id
"""

# A lease that ran out before PostgreSQL started had no chance of being renewed: that counts as nobody's crash.
RESCUE = f"""
WITH lost AS MATERIALIZED (
    SELECT id, status AS was, crashes + counted AS crashes_now,
        counted = 1 AND crashes + 1 >= %(max_crashes)s AS poison, cancel_requested_at IS NOT NULL AS cancelled
    FROM agent_runs CROSS JOIN LATERAL (SELECT (lease_until > pg_postmaster_start_time())::int AS counted) AS fault
    WHERE status = 'running' AND lease_until < clock_timestamp()
    ORDER BY id FOR UPDATE OF agent_runs SKIP LOCKED LIMIT {BATCH}
), moved AS (
    UPDATE agent_runs SET crashes = lost.crashes_now, lease_until = NULL, lease_owner = NULL,
        updated_at = clock_timestamp(), hinted_at = clock_timestamp(),
        status = CASE WHEN cancelled THEN 'cancelled' WHEN poison THEN 'failed' ELSE 'queued' END,
        finished_at = CASE WHEN poison OR cancelled THEN clock_timestamp() END,
        error_json = CASE WHEN poison AND NOT cancelled THEN jsonb_build_object('reason', 'poison', 'phase', phase,
            'index', next_index, 'message', format('Its worker was lost %%s times at the same step. Resume it when the '
            'cause is found.', lost.crashes_now)) END,
        last_seq = last_seq + CASE WHEN poison OR cancelled THEN 2 ELSE 1 END
    FROM lost WHERE agent_runs.id = lost.id RETURNING agent_runs.*, lost.was, 'lease_expired' AS reason
), told AS {_CLOSING}, released AS {_RELEASED}
{_ANSWER}
"""

# The token moves on, so that whatever the stuck phase still writes matches no row.
FORCE_CANCEL = f"""
WITH stuck AS MATERIALIZED (
    SELECT id, status AS was FROM agent_runs WHERE status IN ('queued', 'running')
        AND cancel_requested_at < clock_timestamp() - make_interval(secs => %(grace_s)s)
    ORDER BY id FOR UPDATE SKIP LOCKED LIMIT {BATCH}
), moved AS (
    UPDATE agent_runs SET status = 'cancelled', token = token + 1, lease_until = NULL, lease_owner = NULL,
        finished_at = clock_timestamp(), updated_at = clock_timestamp(), last_seq = last_seq + 2
    FROM stuck WHERE agent_runs.id = stuck.id RETURNING agent_runs.*, stuck.was, 'forced' AS reason
), told AS {_CLOSING}, released AS {_RELEASED}
{_ANSWER}
"""

# An agent.run job that was cancelled while it waited, lost its worker too often or ran out of time takes its run along.
ORPHANS = f"""
WITH orphans AS MATERIALIZED (
    SELECT agent_runs.id, agent_runs.status AS was FROM agent_runs LEFT JOIN jobs ON jobs.id = agent_runs.job_id
    WHERE agent_runs.status IN ('queued', 'running') AND agent_runs.job_id IS NOT NULL
        AND (jobs.id IS NULL OR jobs.status IN ('failed', 'cancelled'))
    ORDER BY agent_runs.id FOR UPDATE OF agent_runs SKIP LOCKED LIMIT {BATCH}
), moved AS (
    UPDATE agent_runs SET status = 'cancelled', token = token + 1, lease_until = NULL, lease_owner = NULL,
        finished_at = clock_timestamp(), updated_at = clock_timestamp(), last_seq = last_seq + 2
    FROM orphans WHERE agent_runs.id = orphans.id RETURNING agent_runs.*, orphans.was, 'job_ended' AS reason
), told AS {_CLOSING}, released AS {_RELEASED}
{_ANSWER}
"""

# Nobody holds them, their task is not at the queue's taking end, and tasks sent after theirs have come there: the queue
# is first in, first out, so their task is lost. What is sent again goes to the far end, and is due from then on.
LOST = f"""
WITH lost AS MATERIALIZED (
    SELECT id, hinted_at AS was_due FROM agent_runs
    WHERE status IN ('queued', 'running') AND lease_until IS NULL AND waits_for IS NULL
        AND id <> ALL(%(present)s::uuid[])
        AND hinted_at < clock_timestamp() - make_interval(secs => {HINT_AGE_S})
        AND (%(tail)s::uuid IS NULL
            OR hinted_at < (SELECT hinted_at - interval '1 second' FROM agent_runs WHERE id = %(tail)s::uuid))
    ORDER BY hinted_at FOR UPDATE SKIP LOCKED LIMIT {BATCH}
)
UPDATE agent_runs SET hinted_at = clock_timestamp() FROM lost WHERE agent_runs.id = lost.id
RETURNING agent_runs.id, lost.was_due
"""

# Runs that wait for one that has ended. It let them go when it ended; this is for what a bug or a restore left behind.
FREED = f"""
WITH stuck AS MATERIALIZED (
    SELECT id FROM agent_runs AS waiting WHERE waits_for IS NOT NULL AND status = 'queued' AND NOT EXISTS (
        SELECT 1 FROM agent_runs AS first WHERE first.id = waiting.waits_for AND first.status IN ('queued', 'running'))
    FOR UPDATE SKIP LOCKED LIMIT {BATCH}
)
UPDATE agent_runs SET waits_for = NULL, hinted_at = GREATEST(hinted_at, clock_timestamp())
FROM stuck WHERE agent_runs.id = stuck.id RETURNING agent_runs.id, hinted_at <= clock_timestamp() AS is_due
"""

DUE = """
SELECT id, phase, next_index FROM agent_runs
WHERE status IN ('queued', 'running') AND lease_until IS NULL AND waits_for IS NULL
    AND hinted_at < clock_timestamp() - make_interval(secs => %(age_s)s)
ORDER BY hinted_at LIMIT %(limit)s
"""


def _rows(connection: Connection, sql: str, values: dict[str, Any] | None = None) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql, values).fetchall()


def rescue(connection: Connection, *, max_crashes: int) -> list[Row]:
    """Runs whose lease ran out: queued again, cancelled if that was asked, failed as poison at the ``max_crashes``th
    in a row. A row for each event they told: those of run_mirror, and ``status``, ``reason``, ``released``."""
    return _rows(connection, RESCUE, {"max_crashes": max_crashes})


def force_cancel(connection: Connection, *, grace_s: float) -> list[Row]:
    """Runs that ignored their cancellation for ``grace_s``: cancelled, and their phase fenced off. Rows as above."""
    return _rows(connection, FORCE_CANCEL, {"grace_s": grace_s})


def end_orphans(connection: Connection) -> list[Row]:
    """Open runs whose agent.run job has failed or was cancelled: cancelled. Rows as above."""
    return _rows(connection, ORPHANS)


def lost_tasks(connection: Connection, *, tail: UUID | None, present: list[UUID]) -> list[UUID]:
    """Runs whose next task is not in Redis any more, the longest due first. ``tail``: the run whose task is at the
    taking end, None if the queue is empty; ``present``: runs known to have a task near it."""
    rows = _rows(connection, LOST, {"tail": tail, "present": present})
    return [row["id"] for row in sorted(rows, key=lambda row: row["was_due"])]


def freed(connection: Connection) -> list[UUID]:
    """Runs that waited for one that has ended already."""
    return [row["id"] for row in _rows(connection, FREED) if row["is_due"]]


def due(connection: Connection, *, limit: int, age_s: float) -> list[Row]:
    """{id, phase, next_index} of runs that could go on: what a worker takes when Redis cannot tell it."""
    return _rows(connection, DUE, {"limit": limit, "age_s": age_s})
