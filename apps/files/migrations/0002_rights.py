"""Files belong to their tenant; the engine's role deletes those that have expired."""

from django.db import migrations

from kernel.rls import open_to_engine, protect

RIGHTS = protect("files") + open_to_engine("files", "SELECT, DELETE")


class Migration(migrations.Migration):
    dependencies = [("files", "0001_initial"), ("tenancy", "0003_settings")]

    operations = [migrations.RunSQL(RIGHTS, migrations.RunSQL.noop)]
