"""The proxy's name."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("backoffice", "0001_initial"), ("llm", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="ModelCall",
            fields=[],
            options={"proxy": True, "verbose_name": "call", "indexes": [], "constraints": []},
            bases=("llm.llmcall",),
        ),
    ]
