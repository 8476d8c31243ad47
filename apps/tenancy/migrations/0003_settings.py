"""Tenants carry their settings and can be deleted; whoever changes one, its version grows and the change is seen."""

from django.db import migrations, models

from kernel.rls import CURRENT_TENANT

# Layer 5 finds changed tenants by updated_at (apps/tenancy/resolver.py), by the database's clock.
TOUCH = """
CREATE FUNCTION tenants_touch() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    NEW.version := OLD.version + 1;
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER tenants_touch BEFORE UPDATE ON tenants FOR EACH ROW EXECUTE FUNCTION tenants_touch();
"""

# What another app grants by kernel.rls.erasable asks this: the tenant of the transaction is being deleted.
BEING_ERASED = f"""
CREATE FUNCTION tenant_is_being_erased() RETURNS boolean LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT 1 FROM tenants WHERE id = {CURRENT_TENANT} AND status = 'deleting')
$$;
"""

RIGHTS = "GRANT DELETE ON tenants TO cineca_engine;"


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0002_row_level_security")]

    operations = [
        migrations.RemoveConstraint(model_name="tenant", name="tenants_status_known"),
        migrations.AddField(
            model_name="tenant",
            name="settings",
            field=models.JSONField(blank=True, default=dict, help_text="TenantSettings of apps/tenancy/config.py."),
        ),
        migrations.AddField(
            model_name="tenant",
            name="offboarding",
            field=models.JSONField(null=True, help_text="{export, sha256, counts} once everything is exported."),
        ),
        migrations.AlterField(model_name="tenant", name="name", field=models.CharField(max_length=255)),
        migrations.AlterField(
            model_name="tenant",
            name="status",
            field=models.CharField(
                choices=[("active", "Active"), ("suspended", "Suspended"), ("deleting", "Deleting")],
                default="active",
                max_length=16,
            ),
        ),
        migrations.AddIndex(
            model_name="tenant", index=models.Index(fields=["updated_at"], name="tenants_updated")
        ),
        migrations.AddIndex(
            model_name="tenant", index=models.Index(fields=["-created_at", "-id"], name="tenants_list")
        ),
        migrations.AddConstraint(
            model_name="tenant",
            constraint=models.CheckConstraint(
                condition=models.Q(status__in=["active", "suspended", "deleting"]), name="tenants_status_known"
            ),
        ),
        migrations.RunSQL(TOUCH, "DROP TRIGGER tenants_touch ON tenants; DROP FUNCTION tenants_touch()"),
        migrations.RunSQL(BEING_ERASED, "DROP FUNCTION tenant_is_being_erased()"),
        migrations.RunSQL(RIGHTS, "REVOKE DELETE ON tenants FROM cineca_engine"),
    ]
