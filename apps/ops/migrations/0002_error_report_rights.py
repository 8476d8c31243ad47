"""A tenant's own; nobody deletes a report but its age and its tenant's end."""

from django.db import migrations

from kernel.rls import erasable, open_to_engine, protect

RIGHTS = (
    protect("error_reports", app="SELECT, INSERT, UPDATE")
    + open_to_engine("error_reports", "SELECT, DELETE")
    + erasable("error_reports")
)


class Migration(migrations.Migration):
    dependencies = [("ops", "0001_error_reports")]

    operations = [migrations.RunSQL(RIGHTS, migrations.RunSQL.noop)]
