"""What people, programs and agents report as gone wrong."""

from django.db import models
from django.db.models.functions import Now


class ErrorReport(models.Model):
    """One report, without secrets and personal data. Cleared: dealt with, and not listed any more; it goes with age."""

    id = models.UUIDField(primary_key=True, editable=False)
    tenant = models.ForeignKey("tenancy.Tenant", on_delete=models.PROTECT, db_index=False)
    owner_sub = models.CharField(max_length=255, help_text="Who reported it.")
    error_type = models.CharField(max_length=100)
    message = models.TextField()
    metadata = models.JSONField(default=dict)
    run_id = models.UUIDField(null=True, help_text="The run whose step reported it.")
    session_id = models.UUIDField(null=True)
    correlation_id = models.CharField(max_length=128, default="")
    created_at = models.DateTimeField(db_default=Now())
    cleared_at = models.DateTimeField(null=True)
    cleared_by = models.CharField(max_length=255, default="")

    class Meta:
        db_table = "error_reports"
        indexes = [
            models.Index(name="error_reports_owner", fields=["tenant", "owner_sub", "-created_at", "-id"]),
            models.Index(name="error_reports_tenant", fields=["tenant", "-created_at", "-id"]),
            models.Index(name="error_reports_age", fields=["created_at"]),
        ]
