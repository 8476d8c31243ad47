"""The proxy's name, and rights on Django's own log of the admin: unused (apps.audit is written instead), but a user who
is deleted takes its lines along."""

from django.db import migrations

from kernel.rls import issuer_only


class Migration(migrations.Migration):
    initial = True
    dependencies = [
        ("jobs", "0001_initial"),
        ("identity", "0002_issuer_grants"),
        ("admin", "0003_logentry_add_action_flag_choices"),
    ]

    operations = [
        migrations.CreateModel(
            name="DeadLetter",
            fields=[],
            options={"proxy": True, "verbose_name": "dead letter", "indexes": [], "constraints": []},
            bases=("jobs.job",),
        ),
        migrations.RunSQL(issuer_only("django_admin_log"), "REVOKE ALL ON django_admin_log FROM cineca_issuer"),
    ]
