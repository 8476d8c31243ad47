"""Profiles are a tenant's own to write and delete; a consent is a fact that stays until its tenant ends."""

from django.db import migrations

from kernel.rls import erasable, protect

RIGHTS = protect("user_profiles") + protect("consents", app="SELECT, INSERT") + erasable("consents")


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0004_people")]

    operations = [migrations.RunSQL(RIGHTS, migrations.RunSQL.noop)]
