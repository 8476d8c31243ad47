"""Sessions belong to their tenant; the engine's role expires and deletes them. A step cannot leave its session's tenant."""

from django.db import migrations

from kernel.rls import open_to_engine, protect

COMPOSITE = """
    ALTER TABLE session_steps ADD CONSTRAINT session_steps_session
        FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id) ON DELETE CASCADE;
"""
RIGHTS = (
    protect("sessions")
    + open_to_engine("sessions", "SELECT, UPDATE, DELETE")
    + protect("session_steps")
    + open_to_engine("session_steps", "SELECT, DELETE")
)


class Migration(migrations.Migration):
    dependencies = [("agents", "0001_initial"), ("tenancy", "0002_row_level_security")]

    operations = [
        migrations.RunSQL(COMPOSITE, "ALTER TABLE session_steps DROP CONSTRAINT session_steps_session"),
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
    ]
