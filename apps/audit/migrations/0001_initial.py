"""The audit log: partitioned by month, append-only for everybody, hash-chained per tenant by the database itself."""

import django.db.models.functions.datetime
from django.db import migrations, models

from kernel.rls import CURRENT_TENANT

NIL = "00000000-0000-0000-0000-000000000000"
# What a writer may say. Not among them: created_at, seq, prev_hash, hash.
WRITABLE = (
    "id, tenant_id, actor, actor_tenant_id, action, resource_type, resource_id, outcome, details, error_message, "
    "request_id, correlation_id, trace_id, client_ip"
)

# Collation "C", so that an index serves `action LIKE 'tenant.%'`. Rows that find no month's partition wait in the
# default one. No foreign key to tenants: what was done outlives them.
TABLE = """
CREATE TABLE audit_logs (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    seq bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text COLLATE "C" NOT NULL,
    actor_tenant_id uuid,
    action text COLLATE "C" NOT NULL,
    resource_type text COLLATE "C" NOT NULL DEFAULT '',
    resource_id text COLLATE "C" NOT NULL DEFAULT '',
    outcome text COLLATE "C" NOT NULL CHECK (outcome IN ('success', 'denied', 'failed')),
    details jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(details) = 'object'),
    error_message text NOT NULL DEFAULT '',
    request_id text COLLATE "C" NOT NULL DEFAULT '',
    correlation_id text COLLATE "C" NOT NULL DEFAULT '',
    trace_id text COLLATE "C" NOT NULL DEFAULT '',
    client_ip text COLLATE "C" NOT NULL DEFAULT '',
    prev_hash bytea NOT NULL CHECK (octet_length(prev_hash) = 32),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (tenant_id, seq, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX audit_logs_id ON audit_logs (id);
CREATE INDEX audit_logs_action ON audit_logs (tenant_id, action, seq);
CREATE INDEX audit_logs_actor ON audit_logs (tenant_id, actor, seq);
CREATE INDEX audit_logs_resource ON audit_logs (tenant_id, resource_id, seq);
CREATE INDEX audit_logs_correlation ON audit_logs (tenant_id, correlation_id);
CREATE TABLE audit_logs_default PARTITION OF audit_logs DEFAULT;
"""

# The end of each chain. Its row is locked from the INSERT to the commit: that is what keeps a chain in order.
HEADS = """
CREATE TABLE audit_heads (
    tenant_id uuid PRIMARY KEY,
    seq bigint NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 500);
ALTER TABLE audit_heads ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_heads FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_keeps_heads ON audit_heads TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY engine_verifies ON audit_heads FOR SELECT TO cineca_engine USING (true);
GRANT SELECT ON audit_heads TO cineca_engine;
"""

# apps/audit/chain.py makes the same text from a row; a change here needs a new format number there.
CHAIN = """
CREATE FUNCTION audit_chain() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    head audit_heads;
BEGIN
    SELECT * INTO head FROM audit_heads WHERE tenant_id = NEW.tenant_id FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO audit_heads VALUES (NEW.tenant_id, 0, decode(repeat('00', 32), 'hex')) ON CONFLICT DO NOTHING;
        SELECT * INTO head FROM audit_heads WHERE tenant_id = NEW.tenant_id FOR UPDATE;
    END IF;
    NEW.seq := head.seq + 1;
    NEW.prev_hash := head.hash;
    NEW.hash := sha256(convert_to(jsonb_build_array(
        1, NEW.tenant_id, NEW.seq, encode(NEW.prev_hash, 'hex'), NEW.id,
        (extract(epoch FROM NEW.created_at) * 1000000)::bigint, NEW.actor, NEW.actor_tenant_id, NEW.action,
        NEW.resource_type, NEW.resource_id, NEW.outcome, NEW.details, NEW.error_message, NEW.request_id,
        NEW.correlation_id, NEW.trace_id, NEW.client_ip)::text, 'UTF8'));
    UPDATE audit_heads SET seq = NEW.seq, hash = NEW.hash WHERE tenant_id = NEW.tenant_id;
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION audit_chain() FROM PUBLIC;
CREATE TRIGGER audit_chain BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION audit_chain();

CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit_logs
    FOR EACH ROW EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_logs FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_logs_default
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
"""

# As for job_events. Only when upkeep was away for months are there rows to move, and the trigger to step aside.
PARTITIONS = """
CREATE FUNCTION ensure_audit_partition(day date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first timestamptz := date_trunc('month', day::timestamp) AT TIME ZONE 'UTC';
    next timestamptz := (date_trunc('month', day::timestamp) + interval '1 month') AT TIME ZONE 'UTC';
    partition text := 'audit_logs_' || to_char(day, 'YYYY_MM');
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN partition;
    END IF;
    IF day < (now() - interval '2 months')::date OR day > (now() + interval '1 year')::date THEN
        RAISE EXCEPTION 'no partition is needed for %', day;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE audit_logs INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', partition);
    IF EXISTS (SELECT 1 FROM audit_logs_default WHERE created_at >= first AND created_at < next) THEN
        ALTER TABLE audit_logs_default DISABLE TRIGGER audit_append_only;
        EXECUTE format('WITH moved AS (DELETE FROM audit_logs_default WHERE created_at >= %L AND created_at < %L '
            'RETURNING *) INSERT INTO %I SELECT * FROM moved', first, next, partition);
        ALTER TABLE audit_logs_default ENABLE TRIGGER audit_append_only;
    END IF;
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', partition);
    EXECUTE format('CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT '
        'EXECUTE FUNCTION audit_append_only()', partition);
    EXECUTE format('ALTER TABLE audit_logs ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, first, next);
    RETURN partition;
END $$;
REVOKE ALL ON FUNCTION ensure_audit_partition(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_audit_partition(date) TO cineca_engine;
ALTER TABLE audit_logs_default ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_logs_default FORCE ROW LEVEL SECURITY;
-- The function runs as the owner, whom FORCE would hide the default partition's rows from.
CREATE POLICY owner_moves_rows ON audit_logs_default TO CURRENT_USER USING (true);
SELECT ensure_audit_partition((now() + make_interval(months => months))::date) FROM generate_series(0, 3) AS months;
"""

# A tenant's own rows are all it sees. It may add to the platform's chain, which it cannot read.
RIGHTS = f"""
ALTER TABLE audit_logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_logs FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_reads ON audit_logs FOR SELECT TO cineca_app USING (tenant_id = {CURRENT_TENANT});
CREATE POLICY tenant_writes ON audit_logs FOR INSERT TO cineca_app
    WITH CHECK (tenant_id = {CURRENT_TENANT} OR tenant_id = '{NIL}');
CREATE POLICY engine_reads ON audit_logs FOR SELECT TO cineca_engine USING (true);
CREATE POLICY engine_writes ON audit_logs FOR INSERT TO cineca_engine WITH CHECK (true);
CREATE POLICY issuer_writes ON audit_logs FOR INSERT TO cineca_issuer WITH CHECK (true);
GRANT SELECT ON audit_logs TO cineca_app, cineca_engine;
GRANT INSERT ({WRITABLE}) ON audit_logs TO cineca_app, cineca_engine, cineca_issuer;
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="AuditLog",
                    fields=[
                        ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                        ("tenant_id", models.UUIDField(help_text="Whose chain it belongs to; the nil UUID: the platform's own.")),
                        ("seq", models.BigIntegerField(help_text="1, 2, 3 ... without a gap in each chain.")),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("actor", models.TextField(help_text="The caller's sub; `anonymous` before anybody is known.")),
                        ("actor_tenant_id", models.UUIDField(help_text="The actor's own tenant, where it acted on another.", null=True)),
                        ("action", models.TextField(help_text="subject.verb: tenant.suspended, access.refused.")),
                        ("resource_type", models.TextField()),
                        ("resource_id", models.TextField()),
                        ("outcome", models.TextField(help_text="success, denied or failed.")),
                        ("details", models.JSONField(help_text="What else is worth knowing; scrubbed of secrets, 8 kB at most.")),
                        ("error_message", models.TextField()),
                        ("request_id", models.TextField()),
                        ("correlation_id", models.TextField()),
                        ("trace_id", models.TextField()),
                        ("client_ip", models.TextField()),
                        ("prev_hash", models.BinaryField(help_text="`hash` of the row before; 32 zero bytes for the first.")),
                        ("hash", models.BinaryField(help_text="SHA-256 of the row's canonical text, prev_hash included.")),
                    ],
                    options={
                        "db_table": "audit_logs",
                        "ordering": ["-seq"],
                        "default_permissions": ("view",),
                    },
                ),
            ],
        ),
        migrations.RunSQL(TABLE, "DROP TABLE audit_logs"),
        migrations.RunSQL(HEADS, "DROP TABLE audit_heads"),
        migrations.RunSQL(CHAIN, "DROP FUNCTION audit_chain() CASCADE; DROP FUNCTION audit_append_only() CASCADE"),
        migrations.RunSQL(PARTITIONS, "DROP FUNCTION ensure_audit_partition(date)"),
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
    ]
