"""An agent can be deleted: all its writes go through the engine's door, which is where the platform's agents are."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("agents", "0005_run_engine")]

    operations = [
        migrations.RunSQL(
            "GRANT DELETE ON agents, agent_versions TO cineca_engine",
            "REVOKE DELETE ON agents, agent_versions FROM cineca_engine",
        )
    ]
