"""Jobs, their events, idempotency keys and worker heartbeats. Rows in PostgreSQL are the truth (docs/adr/0005)."""

import uuid

from django.db import models
from django.db.models.functions import Now

from apps.jobs.states import QUEUED, STATUSES


class Job(models.Model):
    """One unit of work and everything that is known of it.

    ``token`` is the fencing token: it grows with each claim, and a write that carries an older one matches no row.
    ``last_seq`` is the number of events written so far; events are numbered 1..last_seq without a gap.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey("tenancy.Tenant", on_delete=models.PROTECT, db_index=False)
    type = models.CharField(max_length=100)
    status = models.CharField(max_length=50, default=QUEUED)
    owner_sub = models.CharField(max_length=255)
    payload_json = models.JSONField(default=dict)
    result_json = models.JSONField(null=True)
    error_json = models.JSONField(null=True, help_text="{message, reason, type} of a failed job.")
    principal_json = models.JSONField(help_text="Roles and scopes of the submitter; the job acts with these only.")
    idempotency_key = models.CharField(max_length=255, null=True)
    priority = models.IntegerField(default=0, help_text="Above 0: taken before the others.")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, help_text="Start of the latest attempt.")
    completed_at = models.DateTimeField(null=True)
    queue_latency_ms = models.IntegerField(null=True, help_text="created_at to the first start.")
    exec_latency_ms = models.IntegerField(null=True, help_text="started_at to completed_at.")
    progress_percent = models.FloatField(null=True)
    last_seq = models.BigIntegerField(default=0)
    attempt = models.IntegerField(default=0, help_text="How often a worker has started it.")
    crashes = models.IntegerField(default=0, help_text="How often its worker was lost while running it.")
    max_attempts = models.IntegerField(default=3, help_text="Crashes after which it is failed as poison.")
    token = models.BigIntegerField(default=0)
    lease_owner = models.CharField(max_length=255, null=True)
    lease_until = models.DateTimeField(null=True)
    hinted_at = models.DateTimeField(db_default=Now(), help_text="When its id was first due on the queue's list.")
    rehinted_at = models.DateTimeField(null=True, help_text="When the sweeper last pushed its id again.")
    cancel_requested_at = models.DateTimeField(null=True)
    dead_lettered_at = models.DateTimeField(null=True, help_text="Failed after its last attempt; awaits an operator.")
    retry_of = models.UUIDField(null=True, help_text="The job this one was made from by a retry.")
    request_id = models.CharField(max_length=128, default="")
    correlation_id = models.CharField(max_length=128, db_default="")
    traceparent = models.CharField(max_length=55, db_default="", help_text="W3C: the span of the request that made it.")

    class Meta:
        db_table = "jobs"
        constraints = [
            models.CheckConstraint(name="jobs_status_known", condition=models.Q(status__in=STATUSES)),
            models.UniqueConstraint(name="jobs_tenant_id_created", fields=["tenant", "id", "created_at"]),
        ]
        indexes = [
            models.Index(name="jobs_owner_list", fields=["tenant", "owner_sub", "-created_at", "-id"]),
            models.Index(name="jobs_owner_status", fields=["tenant", "owner_sub", "status", "-created_at", "-id"]),
            models.Index(name="jobs_tenant_list", fields=["tenant", "-created_at", "-id"]),
            models.Index(
                name="jobs_queued",
                fields=["type", "hinted_at"],
                condition=models.Q(status=QUEUED),
                include=["id"],
            ),
            models.Index(name="jobs_running", fields=["id"], condition=models.Q(status="running")),
            models.Index(name="jobs_open", fields=["tenant"], condition=models.Q(status__in=(QUEUED, "running"))),
            models.Index(
                name="jobs_dead",
                fields=["tenant", "-dead_lettered_at"],
                condition=~models.Q(dead_lettered_at=None),
            ),
        ]


class JobEvent(models.Model):
    """One line of a job's log. Partitioned by the month the job was created in, so that a job's events lie together
    and a month is dropped, not deleted; the partial unique index allows one ``end`` a job."""

    pk = models.CompositePrimaryKey("job_id", "seq_id", "job_created_at")
    job_id = models.UUIDField()
    seq_id = models.BigIntegerField()
    job_created_at = models.DateTimeField()
    tenant_id = models.UUIDField()
    event_type = models.CharField(max_length=100, help_text="status, progress, log or end.")
    event_json = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "job_events"


class IdempotencyKey(models.Model):
    """What was answered to a request that carried an Idempotency-Key; written with the job, in its transaction."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("tenancy.Tenant", on_delete=models.CASCADE, db_index=False)
    owner_sub = models.CharField(max_length=255)
    method = models.CharField(max_length=10)
    route = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    resource_id = models.UUIDField()
    response_body = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "idempotency_keys"
        constraints = [
            models.UniqueConstraint(
                name="idempotency_keys_scope", fields=["tenant", "owner_sub", "method", "route", "key"]
            )
        ]
        indexes = [models.Index(name="idempotency_keys_expiry", fields=["expires_at"])]


class WorkerHeartbeat(models.Model):
    """A worker process that was alive at ``seen_at``. No tenant: it serves all."""

    worker = models.CharField(primary_key=True, max_length=255)
    hostname = models.CharField(max_length=255)
    pid = models.IntegerField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_default=Now())
    concurrency = models.IntegerField()
    running = models.IntegerField(default=0)

    class Meta:
        db_table = "worker_heartbeats"
