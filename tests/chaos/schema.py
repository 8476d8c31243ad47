"""The fenced external resource that the suite's jobs write to: a table beside the platform's own."""

# One row for each write that was tried. ``accepted``: the resource took it, which it does once a job and only from the
# holder of the job's current token. No primary key on job_id: it would hide a doubled effect instead of showing it.
EFFECTS_SCHEMA = """
CREATE TABLE IF NOT EXISTS chaos_effects (
    job_id uuid NOT NULL, token bigint NOT NULL, attempt int NOT NULL, accepted boolean NOT NULL,
    reason text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS chaos_effects_job ON chaos_effects (job_id);
GRANT SELECT, INSERT ON chaos_effects TO cineca_engine;
"""
