"""A tenant's jobs can be deleted by the application while the tenant is being deleted, and at no other time."""

from django.db import migrations

from kernel.rls import erasable

TABLES = ("jobs", "job_events", "idempotency_keys")
UNDO = "".join(
    f"DROP POLICY erased_with_tenant ON {table}; REVOKE DELETE ON {table} FROM cineca_app;" for table in TABLES
)


class Migration(migrations.Migration):
    dependencies = [("jobs", "0004_open_jobs"), ("tenancy", "0003_settings")]

    operations = [migrations.RunSQL("".join(map(erasable, TABLES)), UNDO)]
