"""Of one call one row waits. Where several did, the newest still does."""

from django.db import migrations, models

ONE = """
DELETE FROM tool_approvals AS older USING tool_approvals AS newer
WHERE older.status = 'pending' AND newer.status = 'pending' AND older.tenant_id = newer.tenant_id
    AND older.owner_sub = newer.owner_sub AND older.tool = newer.tool
    AND older.arguments_sha256 = newer.arguments_sha256
    AND (older.created_at, older.id) < (newer.created_at, newer.id)
"""


class Migration(migrations.Migration):
    dependencies = [("tools", "0003_declarations")]

    operations = [
        migrations.RunSQL(ONE, migrations.RunSQL.noop),
        migrations.AddConstraint(
            "toolapproval",
            models.UniqueConstraint(
                name="tool_approvals_one_waits",
                fields=["tenant", "owner_sub", "tool", "arguments_sha256"],
                condition=models.Q(status="pending"),
            ),
        ),
    ]
