"""Files of tenants: one row each, the content on disk (apps/files/disk.py)."""

import uuid

from django.db import models
from django.db.models.functions import Now

WRITING, READY = "writing", "ready"
STATES = (WRITING, READY)
FILE, BACKUP = "file", "backup"
KINDS = (FILE, BACKUP)


class File(models.Model):
    """A file that can be read (``ready``), or one that is being made. ``size_bytes`` counts against the tenant's quota
    in both states; while it is made, it is what was set aside for it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey("tenancy.Tenant", on_delete=models.PROTECT, db_index=False)
    owner_sub = models.CharField(max_length=255)
    kind = models.CharField(max_length=16, default=FILE, help_text="backup: made by system.backup, and by it alone.")
    name = models.CharField(max_length=255, help_text="As people see it; never part of a path.")
    media_type = models.CharField(max_length=100)
    size_bytes = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, default="", help_text="In hex; empty while it is made.")
    state = models.CharField(max_length=16, default=WRITING)
    details = models.JSONField(default=dict, help_text="What made it says of it: a backup's manifest.")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(help_text="From then on it is deleted, content and row.")

    class Meta:
        db_table = "files"
        constraints = [
            models.CheckConstraint(name="files_state_known", condition=models.Q(state__in=STATES)),
            models.CheckConstraint(name="files_kind_known", condition=models.Q(kind__in=KINDS)),
            models.CheckConstraint(name="files_size", condition=models.Q(size_bytes__gte=0)),
        ]
        indexes = [
            models.Index(name="files_owner", fields=["tenant", "owner_sub", "-created_at", "-id"]),
            models.Index(name="files_list", fields=["tenant", "-created_at", "-id"]),
            models.Index(name="files_expiry", fields=["expires_at"]),
        ]
