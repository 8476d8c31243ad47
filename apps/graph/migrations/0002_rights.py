"""The engine's role remembers which graph was seen last; nobody else needs to."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("graph", "0001_initial"), ("tenancy", "0002_row_level_security")]

    operations = [
        migrations.RunSQL("GRANT SELECT, INSERT, UPDATE ON graph_epoch TO cineca_engine", migrations.RunSQL.noop),
    ]
