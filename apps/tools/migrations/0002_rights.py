"""Manifests are the platform's, through the engine's door; the rest is a tenant's own."""

from django.db import migrations

from kernel.rls import erasable, open_to_engine, protect

RIGHTS = (
    "GRANT SELECT, INSERT, UPDATE ON tool_manifests TO cineca_engine;\n"
    + protect("tool_policies", app="SELECT")
    + open_to_engine("tool_policies", "SELECT, INSERT, UPDATE, DELETE")
    + erasable("tool_policies")
    + protect("tool_invocations", app="SELECT, INSERT, UPDATE")
    + open_to_engine("tool_invocations", "SELECT, DELETE")
    + erasable("tool_invocations")
    + protect("tool_approvals", app="SELECT, INSERT, UPDATE")
    + open_to_engine("tool_approvals", "SELECT, DELETE")
    + erasable("tool_approvals")
)


class Migration(migrations.Migration):
    dependencies = [("tools", "0001_initial"), ("tenancy", "0003_settings")]

    operations = [migrations.RunSQL(RIGHTS, migrations.RunSQL.noop)]
