"""The tool registry, its tenants' policies, what was called, and what waits for a person (SPEC 7.2, 8, 9.1)."""

import uuid

from django.db import models
from django.db.models.functions import Now

from apps.tools.spec import APPROVALS, EFFECTS

RUNNING, SUCCEEDED, FAILED, CANCELLED, TIMED_OUT = "running", "succeeded", "failed", "cancelled", "timed_out"
INVOCATION_STATUSES = (RUNNING, SUCCEEDED, FAILED, CANCELLED, TIMED_OUT)
PENDING, APPROVED, DENIED, USED = "pending", "approved", "denied", "used"
APPROVAL_STATUSES = (PENDING, APPROVED, DENIED, USED)


class ToolManifest(models.Model):
    """A tool as the registry knows it; the same for all tenants. What the code declares is copied here by sync_tools;
    administrators switch it off and narrow it. It is called only while what runs is what was approved."""

    name = models.CharField(primary_key=True, max_length=100)
    version = models.CharField(max_length=32)
    title = models.CharField(max_length=200)
    description = models.TextField()
    category = models.CharField(max_length=50)
    input_schema = models.JSONField()
    output_schema = models.JSONField()
    effect = models.CharField(max_length=16)
    permissions = models.JSONField(default=list, help_text="Permissions its code asks for.")
    declared_scopes = models.JSONField(default=list, help_text="Scopes its code asks for.")
    extra_scopes = models.JSONField(default=list, help_text="Scopes asked for besides.")
    long_running = models.BooleanField(default=False)
    aliases = models.JSONField(default=list)
    timeout_s = models.FloatField()
    rate_requests = models.IntegerField(help_text="Calls of one caller in the window.")
    rate_window_s = models.IntegerField()
    approval = models.CharField(max_length=16, default="", help_text="Empty: as its code says.")
    enabled = models.BooleanField(default=True)
    declaration = models.JSONField(default=dict, help_text="What the code declares, word for word.")
    declared_limits = models.JSONField(default=dict, help_text="The limits that its code proposes.")
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of what the code declares.")
    approved_declaration = models.JSONField(default=dict, help_text="What the code declared when it was approved.")
    approved_fingerprint = models.CharField(max_length=64, default="", help_text="What an administrator approved.")
    approved_by = models.CharField(max_length=255, default="")
    approved_at = models.DateTimeField(null=True)
    is_declared = models.BooleanField(default=True, help_text="False: no code declares it any more.")
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "tool_manifests"
        constraints = [
            models.CheckConstraint(name="tool_manifests_effect_known", condition=models.Q(effect__in=EFFECTS)),
            models.CheckConstraint(
                name="tool_manifests_approval_known", condition=models.Q(approval__in=("", *APPROVALS))
            ),
            models.CheckConstraint(
                name="tool_manifests_rate", condition=models.Q(rate_requests__gte=0, rate_window_s__gte=1)
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ToolPolicy(models.Model):
    """What one tenant's administrators say of one tool. It narrows the manifest; null and empty: as the manifest."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey("tenancy.Tenant", on_delete=models.CASCADE, db_index=False)
    tool = models.CharField(max_length=100)
    enabled = models.BooleanField(null=True)
    rate_requests = models.IntegerField(null=True)
    rate_window_s = models.IntegerField(null=True)
    extra_scopes = models.JSONField(default=list)
    approval = models.CharField(max_length=16, default="")
    updated_by = models.CharField(max_length=255, default="")
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "tool_policies"
        verbose_name_plural = "tool policies"
        constraints = [
            models.UniqueConstraint(name="tool_policies_one", fields=["tenant", "tool"]),
            models.CheckConstraint(
                name="tool_policies_approval_known", condition=models.Q(approval__in=("", *APPROVALS))
            ),
        ]


class ToolInvocation(models.Model):
    """One tool that was run: the invocation store of SPEC 7.2. What writes, or has a key, is here before it runs."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey("tenancy.Tenant", on_delete=models.PROTECT, db_index=False)
    owner_sub = models.CharField(max_length=255)
    tool = models.CharField(max_length=100)
    version = models.CharField(max_length=32)
    effect = models.CharField(max_length=16)
    door = models.CharField(max_length=8)
    status = models.CharField(max_length=16)
    arguments = models.JSONField(help_text="As given, personal data hidden; {truncated, head} when long.")
    result = models.JSONField(null=True)
    error = models.JSONField(null=True)
    idempotency_key = models.CharField(max_length=255, null=True)
    request_hash = models.CharField(max_length=64)
    approval_id = models.UUIDField(null=True)
    run_id = models.UUIDField(null=True)
    session_id = models.UUIDField(null=True)
    job_id = models.UUIDField(null=True)
    request_id = models.CharField(max_length=128, default="")
    correlation_id = models.CharField(max_length=128, default="")
    traceparent = models.CharField(max_length=64, default="")
    duration_ms = models.FloatField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    lost_at = models.DateTimeField(null=True, help_text="Running after this: its process died.")

    class Meta:
        db_table = "tool_invocations"
        constraints = [
            models.CheckConstraint(
                name="tool_invocations_status_known", condition=models.Q(status__in=INVOCATION_STATUSES)
            ),
            models.UniqueConstraint(
                name="tool_invocations_idempotency", fields=["tenant", "owner_sub", "tool", "idempotency_key"]
            ),
        ]
        indexes = [
            models.Index(name="tool_invocations_owner", fields=["tenant", "owner_sub", "-created_at", "-id"]),
            models.Index(name="tool_invocations_tenant", fields=["tenant", "-created_at", "-id"]),
            models.Index(name="tool_invocations_age", fields=["created_at"]),
        ]


class ToolApproval(models.Model):
    """A call that waits for a person, with exactly what it would do. Signed: a row that was written by hand approves
    nothing. Used once."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey("tenancy.Tenant", on_delete=models.CASCADE, db_index=False)
    owner_sub = models.CharField(max_length=255, help_text="Who called; only this caller may use it.")
    tool = models.CharField(max_length=100)
    effect = models.CharField(max_length=16)
    arguments = models.JSONField(help_text="All of them, as the tool would get them.")
    arguments_sha256 = models.CharField(max_length=64)
    door = models.CharField(max_length=8)
    run_id = models.UUIDField(null=True)
    status = models.CharField(max_length=16, default=PENDING)
    decided_by = models.CharField(max_length=255, default="")
    decided_at = models.DateTimeField(null=True)
    signature = models.CharField(max_length=128, default="")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "tool_approvals"
        constraints = [
            models.CheckConstraint(
                name="tool_approvals_status_known", condition=models.Q(status__in=APPROVAL_STATUSES)
            ),
            models.UniqueConstraint(
                name="tool_approvals_one_waits",
                fields=["tenant", "owner_sub", "tool", "arguments_sha256"],
                condition=models.Q(status=PENDING),
            ),
        ]
        indexes = [
            models.Index(name="tool_approvals_owner", fields=["tenant", "owner_sub", "-created_at"]),
            models.Index(name="tool_approvals_call", fields=["tenant", "owner_sub", "tool", "arguments_sha256"]),
        ]
