"""Accounts and OAuth rows belong to cineca_issuer alone; a deleted access token leaves its hash in revoked_tokens."""

from django.db import migrations

from kernel.rls import issuer_only

TABLES = (
    "users",
    "users_groups",
    "users_user_permissions",
    "revoked_tokens",
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "django_content_type",
    "django_session",
    "oauth2_provider_application",
    "oauth2_provider_grant",
    "oauth2_provider_accesstoken",
    "oauth2_provider_refreshtoken",
    "oauth2_provider_idtoken",
    "oauth2_provider_devicegrant",
)

SEQUENCES = """
    DO $$
    DECLARE sequence_name text;
    BEGIN
        FOR sequence_name IN
            SELECT seq.oid::regclass::text
              FROM pg_class seq
              JOIN pg_depend owned ON owned.objid = seq.oid AND owned.deptype IN ('a', 'i')
             WHERE seq.relkind = 'S' AND owned.refobjid = ANY (ARRAY[{tables}]::regclass[])
        LOOP
            EXECUTE 'GRANT USAGE ON SEQUENCE ' || sequence_name || ' TO cineca_issuer';
        END LOOP;
    END $$;
""".format(tables=", ".join(f"'{table}'" for table in TABLES))

# Revoking, rotating, deleting a user or an application: all of them delete the access token's row.
REVOCATION = """
    CREATE FUNCTION remember_revoked_token() RETURNS trigger LANGUAGE plpgsql
        SET search_path = pg_catalog, public AS $$
    BEGIN
        IF OLD.expires > now() THEN
            INSERT INTO public.revoked_tokens (token_checksum, expires_at)
            VALUES (OLD.token_checksum, OLD.expires)
            ON CONFLICT (token_checksum) DO NOTHING;
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER remember_revoked_token AFTER DELETE ON oauth2_provider_accesstoken
        FOR EACH ROW EXECUTE FUNCTION remember_revoked_token();
"""
NO_REVOCATION = """
    DROP TRIGGER remember_revoked_token ON oauth2_provider_accesstoken;
    DROP FUNCTION remember_revoked_token();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("sessions", "0001_initial"),
        ("oauth2_provider", "0022_refreshtoken_token_family_index"),
    ]

    operations = [
        migrations.RunSQL(REVOCATION, NO_REVOCATION),
        migrations.RunSQL(issuer_only(*TABLES), "REVOKE ALL ON " + ", ".join(TABLES) + " FROM cineca_issuer"),
        migrations.RunSQL(SEQUENCES, migrations.RunSQL.noop),
    ]
