"""What people say of themselves: profiles and consents."""

import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0003_settings")]

    operations = [
        migrations.CreateModel(
            name="Consent",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                (
                    "subject_id",
                    models.CharField(
                        help_text="Whose consent: a caller's sub, or another person's id.", max_length=255
                    ),
                ),
                ("purpose", models.CharField(max_length=100)),
                ("is_granted", models.BooleanField(help_text="False: revoked.")),
                ("meta", models.JSONField(default=dict)),
                ("recorded_by", models.CharField(help_text="The sub of who recorded it.", max_length=255)),
                ("recorded_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, to="tenancy.tenant"
                    ),
                ),
            ],
            options={
                "db_table": "consents",
                "indexes": [
                    models.Index(
                        fields=["tenant", "subject_id", "purpose", "-recorded_at"], name="consents_latest"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="UserProfile",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("owner_sub", models.CharField(max_length=255)),
                ("profile", models.JSONField(default=dict)),
                ("version", models.IntegerField(default=1, help_text="Counts changes.")),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("updated_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, to="tenancy.tenant"
                    ),
                ),
            ],
            options={
                "db_table": "user_profiles",
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "owner_sub"), name="user_profiles_one")
                ],
            },
        ),
    ]
