"""What Django's models cannot say: the partitioned event log, row-level security, the state machine's trigger."""

from django.db import migrations

from kernel.rls import open_to_engine, protect

EVENTS = """
CREATE TABLE job_events (
    job_id uuid NOT NULL,
    seq_id bigint NOT NULL,
    job_created_at timestamptz NOT NULL,
    tenant_id uuid NOT NULL,
    event_type varchar(100) NOT NULL,
    event_json jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, seq_id, job_created_at),
    FOREIGN KEY (tenant_id, job_id, job_created_at) REFERENCES jobs (tenant_id, id, created_at) ON DELETE CASCADE
) PARTITION BY RANGE (job_created_at);
-- All events of a job carry the job's created_at, so this allows one end a job, not one a partition.
CREATE UNIQUE INDEX job_events_one_end ON job_events (job_id, job_created_at) WHERE event_type = 'end';
CREATE TABLE job_events_default PARTITION OF job_events DEFAULT;
ALTER TABLE job_events_default ENABLE ROW LEVEL SECURITY;
ALTER TABLE job_events_default FORCE ROW LEVEL SECURITY;
"""

# cineca_engine may not make tables; it may call these. Rows that found no month's partition wait in the default one.
PARTITIONS = """
CREATE FUNCTION ensure_job_events_partition(day date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first timestamptz := date_trunc('month', day::timestamp) AT TIME ZONE 'UTC';
    next timestamptz := (date_trunc('month', day::timestamp) + interval '1 month') AT TIME ZONE 'UTC';
    partition text := 'job_events_' || to_char(day, 'YYYY_MM');
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN partition;
    END IF;
    IF day < (now() - interval '2 months')::date OR day > (now() + interval '1 year')::date THEN
        RAISE EXCEPTION 'no partition is needed for %', day;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE job_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', partition);
    EXECUTE format('WITH moved AS (DELETE FROM job_events_default WHERE job_created_at >= %L AND job_created_at < %L '
        'RETURNING *) INSERT INTO %I SELECT * FROM moved', first, next, partition);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', partition);
    EXECUTE format('ALTER TABLE job_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, first, next);
    RETURN partition;
END $$;
REVOKE ALL ON FUNCTION ensure_job_events_partition(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_job_events_partition(date) TO cineca_engine;
-- The function runs as the owner, whom FORCE would hide the default partition's rows from.
CREATE POLICY owner_moves_rows ON job_events_default TO CURRENT_USER USING (true);
SELECT ensure_job_events_partition((now() + make_interval(months => months))::date) FROM generate_series(0, 3) AS months;
"""

# apps/jobs/states.py holds the same table. Whatever writes, a job's story cannot be rewritten.
STATE_MACHINE = """
CREATE FUNCTION jobs_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.last_seq < OLD.last_seq OR NEW.token < OLD.token OR NEW.attempt < OLD.attempt THEN
        RAISE EXCEPTION 'job %: last_seq, token and attempt only grow', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status = OLD.status THEN
        RETURN NEW;
    END IF;
    IF (OLD.status = 'queued' AND NEW.status IN ('running', 'cancelled', 'failed'))
        OR (OLD.status = 'running' AND NEW.status IN ('finished', 'failed', 'cancelled', 'queued')) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'job %: % cannot become %', OLD.id, OLD.status, NEW.status USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER jobs_guard BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION jobs_guard();
"""

# Rows are written four times and then never again: leave room on the page, and vacuum early.
STORAGE = """
ALTER TABLE jobs SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE worker_heartbeats SET (fillfactor = 50);
"""

RIGHTS = (
    protect("jobs", app="SELECT, INSERT, UPDATE")
    + open_to_engine("jobs", "SELECT, UPDATE, DELETE")
    + protect("job_events", app="SELECT, INSERT")
    + open_to_engine("job_events", "SELECT, INSERT")
    + protect("idempotency_keys", app="SELECT, INSERT, UPDATE")
    + open_to_engine("idempotency_keys", "SELECT, DELETE")
    + """
    GRANT USAGE ON SEQUENCE idempotency_keys_id_seq TO cineca_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON worker_heartbeats TO cineca_engine;
    GRANT SELECT ON worker_heartbeats TO cineca_app;
    """
)


class Migration(migrations.Migration):
    dependencies = [("jobs", "0001_initial"), ("tenancy", "0002_row_level_security")]

    operations = [
        migrations.RunSQL(EVENTS, "DROP TABLE job_events"),
        migrations.RunSQL(PARTITIONS, "DROP FUNCTION ensure_job_events_partition(date)"),
        migrations.RunSQL(STATE_MACHINE, "DROP TRIGGER jobs_guard ON jobs; DROP FUNCTION jobs_guard()"),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
    ]
