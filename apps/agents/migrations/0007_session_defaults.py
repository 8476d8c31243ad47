"""What a session does not say is its agent's to say, so it is null and no number of its own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0006_agents_deleted")]

    operations = [
        migrations.AlterField(
            model_name="session",
            name="temperature",
            field=models.FloatField(null=True, help_text="Null: the agent's; shown as DEFAULT_TEMPERATURE."),
        ),
        migrations.AlterField(
            model_name="session",
            name="max_steps",
            field=models.IntegerField(null=True, help_text="Null: the agent's; shown as DEFAULT_MAX_STEPS."),
        ),
    ]
