"""Sessions, agents and their runs (SPEC 9.1).

A run's row says what comes next (``phase``, ``next_index``) and who works on it (``token``, ``lease_until``). What a
step did is one row of ``steps``; what models, tools and the graph answered is the run's tape; its log is for clients.
"""

import uuid

from django.db import models
from django.db.models.functions import Now

from apps.agents.states import (
    ACTIVE,
    CLASSIFY,
    PHASES,
    QUEUED,
    RUN_STATUSES,
    RUN_STEP_STATUSES,
    SESSION_STATUSES,
    STEP_STATUSES,
    STEP_TYPES,
    WHEN_BUSY,
)


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
    temperature = models.FloatField(null=True, help_text="Null: the agent's; shown as DEFAULT_TEMPERATURE.")
    max_steps = models.IntegerField(null=True, help_text="Null: the agent's; shown as DEFAULT_MAX_STEPS.")
    when_busy = models.CharField(
        max_length=16,
        default="enqueue",
        help_text="What a prompt does while a run is open: reject, enqueue, interrupt.",
    )
    summary = models.TextField(default="", help_text="What was said before the messages that prompts still carry.")
    summary_seq = models.IntegerField(default=0, help_text="Number of the last step that the summary covers.")
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
            models.CheckConstraint(name="sessions_when_busy_known", condition=models.Q(when_busy__in=WHEN_BUSY)),
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


class Agent(models.Model):
    """A named way to answer. Without a tenant it is everybody's; a tenant's own of that name goes before."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey("tenancy.Tenant", on_delete=models.PROTECT, null=True, db_index=False)
    name = models.CharField(max_length=100)
    enabled = models.BooleanField(default=True)
    version = models.IntegerField(default=1, help_text="The version that new runs take.")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "agents"
        constraints = [
            models.UniqueConstraint(name="agents_name", fields=["tenant", "name"], nulls_distinct=False),
        ]


class AgentVersion(models.Model):
    """What an agent was at one time; never changed, so that a run can say by what it was answered."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant_id = models.UUIDField(null=True)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="versions", db_index=False)
    version = models.IntegerField()
    description = models.TextField(default="")
    system_prompt = models.TextField(default="")
    model = models.CharField(max_length=255, null=True, help_text="Name of a model instance; null: the default.")
    temperature = models.FloatField(null=True)
    tools = models.JSONField(null=True, help_text="Names of the tools it may use; null: all its caller may.")
    planning_mode = models.CharField(max_length=16, default="optional")
    response_mode = models.CharField(max_length=16, default="llm-best-effort")
    max_steps = models.IntegerField(default=8)
    budget = models.JSONField(default=dict, help_text="{usd?, tokens?, tool_calls?, wall_s?}")
    created_by = models.CharField(max_length=255, default="")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "agent_versions"
        constraints = [models.UniqueConstraint(name="agent_versions_number", fields=["agent", "version"])]


class AgentRun(models.Model):
    """One prompt on its way through four phases. ``token`` and ``lease_until`` as in jobs."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey("tenancy.Tenant", on_delete=models.PROTECT, db_index=False)
    owner_sub = models.CharField(max_length=255)
    principal_json = models.JSONField(help_text="Roles and scopes of the submitter; the run acts with these only.")
    session_id = models.UUIDField(null=True)
    job_id = models.UUIDField(null=True, help_text="The agent.run job that follows it.")
    agent_name = models.CharField(max_length=100)
    agent_version = models.IntegerField()
    agent_json = models.JSONField(help_text="The agent's definition when the run was made.")
    prompt = models.TextField()
    request_json = models.JSONField(default=dict, help_text="What else was asked: model, temperature, mode, ...")
    max_steps = models.IntegerField(default=8)
    budget_json = models.JSONField(default=dict, help_text="{usd?, tokens?, tool_calls?, wall_s?}")
    metadata = models.JSONField(default=dict)
    status = models.CharField(max_length=16, default=QUEUED)
    phase = models.CharField(max_length=16, default=CLASSIFY, help_text="What comes next.")
    next_index = models.IntegerField(default=0, help_text="Of the step that comes next.")
    attempt = models.IntegerField(default=1, help_text="One higher with each resume.")
    intent_json = models.JSONField(null=True)
    todos_json = models.JSONField(default=list)
    output_json = models.JSONField(null=True)
    metrics_json = models.JSONField(default=dict)
    warnings_json = models.JSONField(default=list)
    error_json = models.JSONField(null=True, help_text="{message, reason, ...} of a failed run.")
    refused = models.BooleanField(default=False)
    degraded = models.BooleanField(default=False)
    used_fallback = models.BooleanField(default=False)
    waits_for = models.UUIDField(null=True, help_text="The run of its session that must end first.")
    token = models.BigIntegerField(default=0)
    crashes = models.IntegerField(default=0, help_text="Times its worker was lost since the last step that ended.")
    tries = models.IntegerField(default=0, help_text="Times the next step failed in a way that may pass.")
    lease_owner = models.CharField(max_length=255, null=True)
    lease_until = models.DateTimeField(null=True)
    hinted_at = models.DateTimeField(
        db_default=Now(), help_text="When its next task was sent, or is due; far away until its job begins."
    )
    deadline_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    last_seq = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    request_id = models.CharField(max_length=128, default="")
    correlation_id = models.CharField(max_length=128, default="")
    traceparent = models.CharField(max_length=64, default="")

    class Meta:
        db_table = "agent_runs"
        constraints = [
            models.CheckConstraint(name="agent_runs_status_known", condition=models.Q(status__in=RUN_STATUSES)),
            models.CheckConstraint(name="agent_runs_phase_known", condition=models.Q(phase__in=PHASES)),
            models.UniqueConstraint(name="agent_runs_tenant_id", fields=["tenant", "id"]),
            models.UniqueConstraint(name="agent_runs_job", fields=["job_id"], condition=models.Q(job_id__isnull=False)),
        ]
        indexes = [
            models.Index(name="agent_runs_owner_list", fields=["tenant", "owner_sub", "-created_at", "-id"]),
            models.Index(name="agent_runs_tenant_list", fields=["tenant", "-created_at", "-id"]),
            models.Index(
                name="agent_runs_open", fields=["hinted_at"], condition=models.Q(status__in=(QUEUED, "running"))
            ),
            models.Index(
                name="agent_runs_quota", fields=["tenant"], condition=models.Q(status__in=(QUEUED, "running"))
            ),
            models.Index(name="agent_runs_waiting", fields=["waits_for"], condition=models.Q(waits_for__isnull=False)),
            models.Index(
                name="agent_runs_session",
                fields=["session_id", "created_at"],
                condition=models.Q(session_id__isnull=False),
            ),
        ]


class RunStep(models.Model):
    """What one step of one attempt did (SPEC 7.1: id, action, input, output, latency_ms, started_at, finished_at)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant_id = models.UUIDField()
    run_id = models.UUIDField()
    index = models.IntegerField()
    attempt = models.IntegerField()
    action = models.CharField(max_length=100)
    status = models.CharField(max_length=16)
    input = models.JSONField(null=True)
    output = models.JSONField(null=True)
    error = models.JSONField(null=True)
    input_hash = models.CharField(max_length=64)
    reused_from = models.UUIDField(null=True, help_text="The step of an earlier attempt whose output this is.")
    tokens = models.BigIntegerField(default=0)
    cost_nano_usd = models.BigIntegerField(default=0)
    latency_ms = models.FloatField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()

    class Meta:
        db_table = "steps"
        constraints = [
            models.CheckConstraint(name="steps_status_known", condition=models.Q(status__in=RUN_STEP_STATUSES)),
            models.UniqueConstraint(name="steps_place", fields=["run_id", "index", "attempt"]),
        ]


class RunEvent(models.Model):
    """One line of a run's log, numbered 1..n without a gap; one ``end``, last. A resume makes of the ``end`` that was
    there an ``attempt_end``: the log goes on after it."""

    pk = models.CompositePrimaryKey("run_id", "seq_id")
    run_id = models.UUIDField()
    seq_id = models.BigIntegerField()
    tenant_id = models.UUIDField()
    event_type = models.CharField(max_length=100)
    event_json = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "run_events"
        constraints = [
            models.UniqueConstraint(name="run_events_one_end", fields=["run_id"], condition=models.Q(event_type="end")),
        ]


class TapeEntry(models.Model):
    """One answer of a model, a tool or the graph, kept before it is used: whoever asks again gets it from here.

    ``occurrence`` counts equal requests of one place; what is read of a session is of kind session. Without
    ``answered_at`` it was asked and nobody knows the answer.
    """

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.UUIDField()
    run_id = models.UUIDField()
    request_hash = models.CharField(max_length=64)
    occurrence = models.IntegerField()
    kind = models.CharField(max_length=16, help_text="model, tool or graph.")
    place = models.CharField(max_length=32, help_text="classify, plan, step 3, finalize.")
    attempt = models.IntegerField()
    request = models.JSONField()
    answer = models.JSONField(null=True)
    idempotency_key = models.CharField(max_length=128)
    tokens = models.BigIntegerField(default=0)
    cost_nano_usd = models.BigIntegerField(default=0)
    asked_at = models.DateTimeField(db_default=Now())
    answered_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "run_tape"
        constraints = [
            models.UniqueConstraint(name="run_tape_request", fields=["run_id", "request_hash", "occurrence"]),
        ]
