"""A tenant's changes are its own; they go with it; the engine's role forgets old ones."""

from django.db import migrations

from kernel.rls import erasable, open_to_engine, protect

RIGHTS = (
    protect("graph_changes", app="SELECT, INSERT, UPDATE")
    + open_to_engine("graph_changes", "SELECT, DELETE")
    + erasable("graph_changes")
)


class Migration(migrations.Migration):
    dependencies = [("graph", "0003_changes"), ("tenancy", "0003_settings")]

    operations = [migrations.RunSQL(RIGHTS, migrations.RunSQL.noop)]
