"""A planted row cannot hide before the first one."""

from django.db import migrations

ADD = "ALTER TABLE audit_logs ADD CONSTRAINT audit_logs_seq_positive CHECK (seq > 0)"
DROP = "ALTER TABLE audit_logs DROP CONSTRAINT audit_logs_seq_positive"


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [migrations.RunSQL(ADD, DROP)]
