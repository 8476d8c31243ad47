"""The tenants. Everything tenant-owned carries `tenant_id` and is fenced off by PostgreSQL: docs/adr/0003."""

import uuid

from django.db import models
from django.db.models.functions import Lower


class Tenant(models.Model):
    """One organisation. The application's role sees only its own row; writing goes through the engine's door.

    ``version`` and ``updated_at`` are kept by a trigger, so that a change by hand is noticed as well.
    """

    class Status(models.TextChoices):
        ACTIVE = "active"
        SUSPENDED = "suspended"
        DELETING = "deleting"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(max_length=63, unique=True, help_text="Short name for people and commands.")
    name = models.CharField(max_length=255)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.ACTIVE)
    admin_email = models.CharField(max_length=254, blank=True, default="")
    metadata = models.JSONField(default=dict, blank=True)
    settings = models.JSONField(default=dict, blank=True, help_text="TenantSettings of apps/tenancy/config.py.")
    offboarding = models.JSONField(null=True, help_text="{export, sha256, counts} once everything is exported.")
    version = models.IntegerField(default=1, help_text="Counts changes; the ETag of the resource.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "tenants"
        constraints = [
            models.UniqueConstraint(Lower("name"), name="tenants_name_unique"),
            models.CheckConstraint(
                condition=models.Q(status__in=["active", "suspended", "deleting"]), name="tenants_status_known"
            ),
        ]
        indexes = [
            models.Index(fields=["updated_at"], name="tenants_updated"),
            models.Index(fields=["-created_at", "-id"], name="tenants_list"),
        ]

    def __str__(self) -> str:
        return self.slug
