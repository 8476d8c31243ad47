"""One row is one act that somebody may have to answer for. Written by trail.py only, chained by the database."""

from uuid import UUID

from django.db import models
from django.db.models.functions import Now

PLATFORM_CHAIN = UUID(int=0)  # what belongs to no tenant: failed sign-ins, unreadable tokens, the life of tenants


class AuditLog(models.Model):
    """Append-only, partitioned by month, hash-chained per tenant by a trigger (migration 0001; apps/audit/chain.py
    says what is hashed). Neither the application nor this model can choose ``seq``, the hashes or the time."""

    id = models.UUIDField(primary_key=True, editable=False)
    tenant_id = models.UUIDField(help_text="Whose chain it belongs to; the nil UUID: the platform's own.")
    seq = models.BigIntegerField(help_text="1, 2, 3 ... without a gap in each chain.")
    created_at = models.DateTimeField(db_default=Now())
    actor = models.TextField(help_text="The caller's sub; `anonymous` before anybody is known.")
    actor_tenant_id = models.UUIDField(null=True, help_text="The actor's own tenant, where it acted on another.")
    action = models.TextField(help_text="subject.verb: tenant.suspended, access.refused.")
    resource_type = models.TextField()
    resource_id = models.TextField()
    outcome = models.TextField(help_text="success, denied or failed.")
    details = models.JSONField(help_text="What else is worth knowing; scrubbed of secrets, 8 kB at most.")
    error_message = models.TextField()
    request_id = models.TextField()
    correlation_id = models.TextField()
    trace_id = models.TextField()
    client_ip = models.TextField()
    prev_hash = models.BinaryField(help_text="`hash` of the row before; 32 zero bytes for the first.")
    hash = models.BinaryField(help_text="SHA-256 of the row's canonical text, prev_hash included.")

    class Meta:
        db_table = "audit_logs"
        ordering = ["-seq"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.seq} {self.action}"

    @property
    def success(self) -> bool:
        """The predecessor's spelling of ``outcome``."""
        return self.outcome == "success"
