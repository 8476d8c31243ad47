"""Marks of nodes to be purged are a tenant's own, and go with it."""

from django.db import migrations

from kernel.rls import protect


class Migration(migrations.Migration):
    dependencies = [("graph", "0005_archive_marks"), ("tenancy", "0003_settings")]

    operations = [migrations.RunSQL(protect("graph_archive_marks"), migrations.RunSQL.noop)]
