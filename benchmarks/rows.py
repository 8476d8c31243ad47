"""Jobs made in bulk, behind the platform's back, as the database's superuser."""

from typing import Any
from uuid import UUID

import psycopg

# The rows POST /v1/jobs would have made: the job, and its first event.
QUEUED = """
WITH made AS (
    INSERT INTO jobs (id, tenant_id, type, status, owner_sub, payload_json, principal_json, priority, max_attempts,
        request_id, last_seq, attempt, crashes, token)
    SELECT gen_random_uuid(), %(tenant)s, %(type)s, 'queued', %(sub)s, '{}',
        '{"sub": "bench", "roles": ["user"], "scopes": ["jobs:write"]}', 0, 3, '', 1, 0, 0, 0
    FROM generate_series(1, %(count)s) RETURNING id, tenant_id, created_at
), told AS (
    INSERT INTO job_events (job_id, seq_id, job_created_at, tenant_id, event_type, event_json)
    SELECT id, 1, created_at, tenant_id, 'status',
        jsonb_build_object('job_id', id, 'from', NULL, 'to', 'queued', 'status', 'queued') FROM made
)
SELECT id FROM made
"""

# Jobs that ended long ago; their days lie in this month, whose partition of job_events exists.
HISTORY = """
WITH made AS (
    INSERT INTO jobs (id, tenant_id, type, status, owner_sub, payload_json, result_json, principal_json, priority,
        max_attempts, request_id, last_seq, attempt, crashes, token, created_at, updated_at, started_at, completed_at,
        hinted_at, queue_latency_ms, exec_latency_ms)
    SELECT gen_random_uuid(), %(tenant)s, 'test', 'finished', %(sub)s, '{}', '{"status": "completed"}',
        '{"sub": "bench", "roles": ["user"], "scopes": ["jobs:write"]}', 0, 3, '', 4, 1, 0, 1, at, at, at, at, at, 1, 1
    FROM (SELECT date_trunc('month', now()) + random() * (now() - date_trunc('month', now())) AS at
        FROM generate_series(1, %(count)s)) AS days
    RETURNING id, tenant_id, created_at
)
INSERT INTO job_events (job_id, seq_id, job_created_at, tenant_id, event_type, event_json, created_at)
SELECT id, seq, created_at, tenant_id, CASE WHEN seq = 4 THEN 'end' ELSE 'status' END,
    jsonb_build_object('job_id', id), created_at
FROM made CROSS JOIN generate_series(1, 4) AS seq WHERE random() < %(with_events)s OR seq = 4
"""

# Between the moment the last process has begun and the moment the first has run dry all of them are at work.
WINDOW = """
WITH mine AS (SELECT started_at, completed_at, lease_owner FROM jobs WHERE id = ANY(%(ids)s)),
spans AS (SELECT min(started_at) AS began, max(completed_at) AS ended FROM mine GROUP BY lease_owner),
bounds AS (SELECT max(began) AS opens, min(ended) AS closes FROM spans)
SELECT count(*) FILTER (WHERE completed_at > opens AND completed_at <= closes),
    extract(epoch FROM closes - opens)::float,
    count(*), extract(epoch FROM max(completed_at) - min(started_at))::float
FROM mine CROSS JOIN bounds GROUP BY opens, closes
"""


class Rows:
    """A superuser's connection in autocommit."""

    def __init__(self, admin_url: str) -> None:
        self.connection = psycopg.connect(admin_url, autocommit=True)

    def queued(self, tenant: Any, count: int, *, job_type: str = "test", sub: str = "bench") -> list[UUID]:
        """Make ``count`` queued jobs, oldest first."""
        values = {"tenant": tenant.id, "type": job_type, "sub": sub, "count": count}
        return [row[0] for row in self.connection.execute(QUEUED, values).fetchall()]

    def history(self, tenant: Any, count: int, *, sub: str = "bench", with_events_share: float = 0.1) -> None:
        """Make ``count`` ended jobs, a part of them with all their events, the rest with their end only; ANALYZE."""
        batch = 50_000
        for done in range(0, count, batch):
            values = {"tenant": tenant.id, "sub": sub, "count": min(batch, count - done)}
            self.connection.execute(HISTORY, {**values, "with_events": with_events_share})
        for table in ("jobs", "job_events"):
            self.connection.execute(f"VACUUM ANALYZE {table}")

    def some_ended(self, count: int) -> list[UUID]:
        """Ids of ended jobs from all over the table."""
        sql = "SELECT id FROM jobs WHERE id > gen_random_uuid() AND status = 'finished' ORDER BY id LIMIT 1"
        found = (self.scalar(sql) for _ in range(2 * count))
        return [job_id for job_id in found if job_id is not None][:count]

    def unfinished(self) -> int:
        """Jobs not ended yet."""
        return self.scalar("SELECT count(*) FROM jobs WHERE status = 'queued'") + self.scalar(
            "SELECT count(*) FROM jobs WHERE status = 'running'"
        )

    def drain_rate(self, ids: list[UUID]) -> float:
        """Jobs a second of these jobs, while all processes were at work; over the whole time if that was too short."""
        row = self.connection.execute(WINDOW, {"ids": ids}).fetchone()
        assert row is not None
        in_window, window_s, count, whole_s = row
        if window_s > 0.3 * whole_s:
            return float(in_window / window_s)
        return float(count / whole_s)

    def scalar(self, sql: str, values: Any = None) -> Any:
        row = self.connection.execute(sql, values).fetchone()
        return row[0] if row else None

    def settle(self) -> None:
        """Checkpoint and vacuum, so that one measurement does not pay for the one before."""
        self.connection.execute("VACUUM ANALYZE jobs")
        self.connection.execute("VACUUM ANALYZE job_events")
        self.connection.execute("CHECKPOINT")
