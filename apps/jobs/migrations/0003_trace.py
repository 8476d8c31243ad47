"""A job remembers the trace and the correlation id of the request that made it. Defaults are the database's: old rows
and foreign programs leave the columns out."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0002_engine")]

    operations = [
        migrations.AddField("job", "correlation_id", models.CharField(max_length=128, db_default="")),
        migrations.AddField(
            "job",
            "traceparent",
            models.CharField(
                max_length=55, db_default="", help_text="W3C: the span of the request that made it."
            ),
        ),
    ]
