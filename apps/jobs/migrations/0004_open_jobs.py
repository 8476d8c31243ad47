"""An index of open jobs by tenant, which the quota counts (apps/jobs/quota.py). Ended jobs are not in it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0003_trace")]

    operations = [
        migrations.AddIndex(
            "job",
            models.Index(
                name="jobs_open", fields=["tenant"], condition=models.Q(("status__in", ("queued", "running")))
            ),
        ),
    ]
