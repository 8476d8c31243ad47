"""The statement that ends a run: its status, both closing events, and the runs that waited for it, let go at once."""

from apps.jobs.ledger import ISO_NOW

END = f"""
WITH held AS MATERIALIZED (
    SELECT id, last_seq AS had, status AS was FROM agent_runs
    WHERE id = %(id)s AND status = ANY(%(from)s) AND CASE WHEN %(unheld)s THEN lease_until IS NULL
        ELSE (token = %(token)s::bigint AND lease_until IS NOT NULL) OR NOT %(fencing)s END FOR UPDATE
), moved AS (
    UPDATE agent_runs SET phase = COALESCE(%(phase)s::text, phase),
        next_index = COALESCE(%(index)s::int, next_index), crashes = 0, tries = 0, lease_owner = NULL,
        lease_until = NULL, hinted_at = clock_timestamp(), updated_at = clock_timestamp(),
        intent_json = COALESCE(%(intent)s::jsonb, intent_json), todos_json = COALESCE(%(todos)s::jsonb, todos_json),
        metrics_json = COALESCE(%(metrics)s::jsonb, metrics_json),
        warnings_json = COALESCE(%(warnings)s::jsonb, warnings_json),
        used_fallback = used_fallback OR %(used_fallback)s::bool,
        last_seq = GREATEST(held.had, %(seen_seq)s::bigint) + 2,
        status = %(status)s, output_json = COALESCE(%(output)s::jsonb, output_json),
        error_json = %(error)s::jsonb, refused = %(refused)s::bool, degraded = degraded OR %(degraded)s::bool,
        finished_at = clock_timestamp()
    FROM held WHERE agent_runs.id = held.id RETURNING agent_runs.*, held.had, held.was
), told AS (
    INSERT INTO run_events (run_id, seq_id, tenant_id, event_type, event_json, created_at)
    SELECT moved.id, line.seq_id, moved.tenant_id, line.event_type, line.data::jsonb, clock_timestamp()
    FROM moved JOIN unnest(%(seqs)s::bigint[], %(types)s::text[], %(data)s::text[]) AS line(seq_id, event_type, data)
        ON line.seq_id > moved.had
    UNION ALL
    SELECT moved.id, line.seq_id, moved.tenant_id, line.event_type, line.data, clock_timestamp()
    FROM moved CROSS JOIN LATERAL (VALUES
        (last_seq - 1, 'status', jsonb_build_object('run_id', id, 'from', was, 'to', status, 'status', status,
            'attempt', attempt, 'timestamp', {ISO_NOW})
            || CASE WHEN error_json IS NULL THEN '{{}}'::jsonb ELSE jsonb_build_object('error', error_json) END),
        (last_seq, 'end', jsonb_build_object('run_id', id, 'final', status, 'completed_at', {ISO_NOW}))
    ) AS line(seq_id, event_type, data)
    RETURNING run_id, seq_id, event_type, event_json, created_at
), released AS (
    UPDATE agent_runs SET waits_for = moved.waits_for, hinted_at = GREATEST(agent_runs.hinted_at, clock_timestamp())
    FROM moved WHERE agent_runs.waits_for = moved.id
    RETURNING agent_runs.id, agent_runs.waits_for IS NULL AND agent_runs.hinted_at <= clock_timestamp() AS is_due
)
SELECT told.*, (SELECT array_agg(id) FROM released WHERE is_due) AS released
FROM moved LEFT JOIN told ON true ORDER BY told.seq_id
"""
