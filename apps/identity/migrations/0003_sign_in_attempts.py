"""Failed sign-ins, counted to slow down guessing; the issuer's alone."""

import django.db.models.functions.datetime
from django.db import migrations, models

from kernel.rls import issuer_only

SEQUENCE = "GRANT USAGE ON SEQUENCE sign_in_attempts_id_seq TO cineca_issuer"


class Migration(migrations.Migration):
    dependencies = [("identity", "0002_issuer_grants")]

    operations = [
        migrations.CreateModel(
            name="SignInAttempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "account",
                    models.CharField(help_text="SHA-256 of the user name; empty: no account was named.", max_length=64),
                ),
                ("address", models.CharField(help_text="Where it came from; IPv6 by its /64.", max_length=64)),
                ("attempted_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "db_table": "sign_in_attempts",
                "indexes": [
                    models.Index(fields=["account", "attempted_at"], name="sign_in_attempts_account"),
                    models.Index(fields=["address", "attempted_at"], name="sign_in_attempts_address"),
                ],
            },
        ),
        migrations.RunSQL(
            issuer_only("sign_in_attempts") + SEQUENCE, "REVOKE ALL ON sign_in_attempts FROM cineca_issuer"
        ),
    ]
