"""Runs belong to their tenant and cannot leave it; their story cannot be rewritten; the engine's role moves them on."""

from django.db import migrations

from kernel.rls import open_to_engine, protect, share

COMPOSITE = """
    ALTER TABLE agent_runs ADD CONSTRAINT agent_runs_session
        FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id);
    ALTER TABLE steps ADD CONSTRAINT steps_run
        FOREIGN KEY (tenant_id, run_id) REFERENCES agent_runs (tenant_id, id) ON DELETE CASCADE;
    ALTER TABLE run_events ADD CONSTRAINT run_events_run
        FOREIGN KEY (tenant_id, run_id) REFERENCES agent_runs (tenant_id, id) ON DELETE CASCADE;
    ALTER TABLE run_tape ADD CONSTRAINT run_tape_run
        FOREIGN KEY (tenant_id, run_id) REFERENCES agent_runs (tenant_id, id) ON DELETE CASCADE;
"""

# apps/agents/states.py holds the same table. A resume is the only way out of an ended run, and begins a new attempt.
STATE_MACHINE = """
CREATE FUNCTION agent_runs_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.last_seq < OLD.last_seq OR NEW.token < OLD.token OR NEW.attempt < OLD.attempt THEN
        RAISE EXCEPTION 'run %: last_seq, token and attempt only grow', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status = OLD.status THEN
        RETURN NEW;
    END IF;
    IF (OLD.status = 'queued' AND NEW.status IN ('running', 'cancelled', 'failed'))
        OR (OLD.status = 'running' AND NEW.status IN ('succeeded', 'failed', 'cancelled', 'queued'))
        OR (OLD.status IN ('failed', 'cancelled') AND NEW.status = 'queued' AND NEW.attempt = OLD.attempt + 1) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'run %: % cannot become %', OLD.id, OLD.status, NEW.status USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER agent_runs_guard BEFORE UPDATE ON agent_runs FOR EACH ROW EXECUTE FUNCTION agent_runs_guard();
"""

# Rows of runs are written a dozen times and then never again.
STORAGE = """
ALTER TABLE agent_runs SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
"""

RIGHTS = (
    share("agents")
    + share("agent_versions")
    + open_to_engine("agents", "SELECT, INSERT, UPDATE")
    + open_to_engine("agent_versions", "SELECT, INSERT")
    + protect("agent_runs")
    + open_to_engine("agent_runs", "SELECT, UPDATE, DELETE")
    + protect("steps")
    + open_to_engine("steps", "SELECT, INSERT, DELETE")
    + protect("run_events")
    + open_to_engine("run_events", "SELECT, INSERT, DELETE")
    + protect("run_tape")
    + open_to_engine("run_tape", "SELECT, INSERT, UPDATE, DELETE")
    + "GRANT USAGE ON SEQUENCE run_tape_id_seq TO cineca_app, cineca_engine;"
)


class Migration(migrations.Migration):
    dependencies = [("agents", "0003_runs"), ("tenancy", "0002_row_level_security")]

    operations = [
        migrations.RunSQL(COMPOSITE, migrations.RunSQL.noop),
        migrations.RunSQL(STATE_MACHINE, "DROP TRIGGER agent_runs_guard ON agent_runs; DROP FUNCTION agent_runs_guard()"),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
    ]
