"""The application sees its own tenant's row, the engine all of them, the issuer whether a tenant is active."""

from django.db import migrations

from kernel.rls import open_to_engine, protect

ISSUER = """
    CREATE POLICY issuer_looks ON tenants FOR SELECT TO cineca_issuer USING (true);
    GRANT SELECT (id, slug, status) ON tenants TO cineca_issuer;
"""
UNDO = """
    DROP POLICY issuer_looks ON tenants;
    DROP POLICY engine_door ON tenants;
    DROP POLICY tenant_isolation ON tenants;
    REVOKE ALL ON tenants FROM cineca_issuer, cineca_engine, cineca_app;
    ALTER TABLE tenants NO FORCE ROW LEVEL SECURITY;
    ALTER TABLE tenants DISABLE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0001_initial")]

    operations = [
        migrations.RunSQL(
            protect("tenants", column="id", app="SELECT") + open_to_engine("tenants", "SELECT, INSERT, UPDATE") + ISSUER,
            UNDO,
        ),
    ]
