"""Sessions: what a conversation with an agent keeps between its runs, and the log of its steps (SPEC 9.1)."""

import uuid

from django.db import models
from django.db.models.functions import Now

from apps.agents.states import ACTIVE, SESSION_STATUSES, STEP_STATUSES, STEP_TYPES


class Session(models.Model):
    """One conversation of one person. It ends when it is cancelled, completed, or idle until ``expires_at``."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey("tenancy.Tenant", on_delete=models.PROTECT, db_index=False)
    owner_sub = models.CharField(max_length=255)
    status = models.CharField(max_length=16, default=ACTIVE)
    ended_reason = models.CharField(max_length=32, default="", help_text="expired, or empty.")
    title = models.CharField(max_length=200, default="")
    manager = models.CharField(max_length=100, null=True, help_text="Name of the agent that leads; null: the default.")
    preferred_workers = models.JSONField(default=list)
    llm_preferences = models.JSONField(default=dict)
    agent_role = models.CharField(max_length=32, null=True, help_text="A role of the owner's; gives no right.")
    tools = models.JSONField(default=list, help_text="Names of the tools runs may use; empty: all the owner may.")
    temperature = models.FloatField(default=0.2)
    max_steps = models.IntegerField(default=8)
    metadata = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(help_text="Ends then unless something happens before.")
    last_step_id = models.UUIDField(null=True)
    last_step_seq = models.IntegerField(default=0)
    version = models.IntegerField(default=1, help_text="Counts changes; the ETag of the resource.")
    idempotency_key = models.CharField(max_length=255, null=True)
    request_hash = models.CharField(max_length=64, default="")

    class Meta:
        db_table = "sessions"
        constraints = [
            models.CheckConstraint(name="sessions_status_known", condition=models.Q(status__in=SESSION_STATUSES)),
            models.UniqueConstraint(name="sessions_tenant_id", fields=["tenant", "id"]),
            models.UniqueConstraint(name="sessions_idempotency", fields=["tenant", "owner_sub", "idempotency_key"]),
        ]
        indexes = [
            models.Index(name="sessions_owner_list", fields=["tenant", "owner_sub", "-created_at", "-id"]),
            models.Index(name="sessions_expiry", fields=["expires_at"], condition=models.Q(status=ACTIVE)),
        ]


class SessionStep(models.Model):
    """One line of a session: what somebody said, or what a tool gave. Numbered 1..n within the session."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant_id = models.UUIDField()
    session_id = models.UUIDField()
    seq = models.IntegerField()
    type = models.CharField(max_length=16)
    message = models.TextField(null=True)
    tool = models.CharField(max_length=100, null=True)
    input = models.JSONField(null=True)
    output = models.JSONField(null=True)
    status = models.CharField(max_length=16, default="completed")
    error = models.JSONField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    completed_at = models.DateTimeField(null=True)
    idempotency_key = models.CharField(max_length=255, null=True)
    request_hash = models.CharField(max_length=64, default="")

    class Meta:
        db_table = "session_steps"
        constraints = [
            models.CheckConstraint(name="session_steps_type_known", condition=models.Q(type__in=STEP_TYPES)),
            models.CheckConstraint(name="session_steps_status_known", condition=models.Q(status__in=STEP_STATUSES)),
            models.UniqueConstraint(name="session_steps_tenant_id", fields=["tenant_id", "id"]),
            models.UniqueConstraint(name="session_steps_seq", fields=["session_id", "seq"]),
            models.UniqueConstraint(name="session_steps_idempotency", fields=["session_id", "idempotency_key"]),
        ]
