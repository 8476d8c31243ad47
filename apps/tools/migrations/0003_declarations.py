"""What a tool declared, and what of it was approved, word for word: so that a person can see what has changed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tools", "0002_rights")]

    operations = [
        migrations.AlterModelOptions("toolpolicy", {"verbose_name_plural": "tool policies"}),
        migrations.AddField(
            "toolmanifest",
            "declaration",
            models.JSONField(default=dict, help_text="What the code declares, word for word."),
        ),
        migrations.AddField(
            "toolmanifest",
            "declared_limits",
            models.JSONField(default=dict, help_text="The limits that its code proposes."),
        ),
        migrations.AddField(
            "toolmanifest",
            "approved_declaration",
            models.JSONField(default=dict, help_text="What the code declared when it was approved."),
        ),
    ]
