"""The tenants, and what their people say of themselves. What is tenant-owned carries `tenant_id` and is fenced off by
PostgreSQL: docs/adr/0003."""

import uuid

from django.db import models
from django.db.models.functions import Lower, Now


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


class UserProfile(models.Model):
    """What one person keeps of itself in a tenant: preferences, never rights. Nobody decides anything by it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False)
    owner_sub = models.CharField(max_length=255)
    profile = models.JSONField(default=dict)
    version = models.IntegerField(default=1, help_text="Counts changes.")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "user_profiles"
        constraints = [models.UniqueConstraint(name="user_profiles_one", fields=["tenant", "owner_sub"])]


class Consent(models.Model):
    """One fact: a subject's consent to a purpose was granted or revoked. Never changed; the latest one counts."""

    id = models.UUIDField(primary_key=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False)
    subject_id = models.CharField(max_length=255, help_text="Whose consent: a caller's sub, or another person's id.")
    purpose = models.CharField(max_length=100)
    is_granted = models.BooleanField(help_text="False: revoked.")
    meta = models.JSONField(default=dict)
    recorded_by = models.CharField(max_length=255, help_text="The sub of who recorded it.")
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "consents"
        indexes = [models.Index(name="consents_latest", fields=["tenant", "subject_id", "purpose", "-recorded_at"])]
