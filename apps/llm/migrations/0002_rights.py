"""Who sees and changes what. Rows without a tenant are everybody's to read; keys are the engine's role's alone."""

from django.db import migrations

from kernel.rls import open_to_engine, protect, share

# What a row points at is the platform's or of the row's own tenant.
SAME_TENANT = """
    CREATE FUNCTION llm_same_tenant() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE theirs uuid;
    BEGIN
        IF TG_TABLE_NAME = 'model_instances' THEN
            SELECT tenant_id INTO theirs FROM providers WHERE id = NEW.provider_id;
        ELSE
            SELECT tenant_id INTO theirs FROM model_instances WHERE id = NEW.instance_id;
        END IF;
        IF NOT FOUND OR (theirs IS NOT NULL AND theirs IS DISTINCT FROM NEW.tenant_id) THEN
            RAISE EXCEPTION 'this belongs to another tenant' USING ERRCODE = 'foreign_key_violation';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER same_tenant BEFORE INSERT OR UPDATE ON model_instances
        FOR EACH ROW EXECUTE FUNCTION llm_same_tenant();
    CREATE TRIGGER same_tenant BEFORE INSERT OR UPDATE ON model_defaults
        FOR EACH ROW EXECUTE FUNCTION llm_same_tenant();
"""
# A tenant that is erased takes its providers' keys along, which its role cannot touch otherwise.
SECRETS_GO_ALONG = """
    DO $$
    DECLARE held text;
    BEGIN
        SELECT conname INTO held FROM pg_constraint WHERE conrelid = 'provider_secrets'::regclass AND contype = 'f';
        EXECUTE format('ALTER TABLE provider_secrets DROP CONSTRAINT %I', held);
    END $$;
    ALTER TABLE provider_secrets ADD CONSTRAINT provider_secrets_provider
        FOREIGN KEY (provider_id) REFERENCES providers (id) ON DELETE CASCADE;
"""
ALL = "SELECT, INSERT, UPDATE, DELETE"
RIGHTS = (
    "".join(
        share(table) + open_to_engine(table, ALL)
        for table in ("providers", "model_instances", "model_defaults", "provider_manifests")
    )
    + "ALTER TABLE provider_secrets ENABLE ROW LEVEL SECURITY; ALTER TABLE provider_secrets FORCE ROW LEVEL SECURITY;"
    + open_to_engine("provider_secrets", ALL)
    + protect("llm_calls")
    + open_to_engine("llm_calls", "SELECT, UPDATE, DELETE")
    + protect("llm_accounts")
    + open_to_engine("llm_accounts", "SELECT, UPDATE, DELETE")
    + protect("llm_hours")
    + open_to_engine("llm_hours", "SELECT, INSERT, UPDATE, DELETE")
    + "GRANT USAGE ON SEQUENCE llm_accounts_id_seq, llm_hours_id_seq TO cineca_app, cineca_engine;"
)


class Migration(migrations.Migration):
    dependencies = [("llm", "0001_initial"), ("tenancy", "0002_row_level_security")]

    operations = [
        migrations.RunSQL(SAME_TENANT, "DROP FUNCTION llm_same_tenant() CASCADE"),
        migrations.RunSQL(SECRETS_GO_ALONG, migrations.RunSQL.noop),
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
    ]
