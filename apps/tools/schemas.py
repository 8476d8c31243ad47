"""The bodies of /v1/tools, and what it answers (SPEC 8, the contract's 7.1 and 7.2 as a superset)."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, RootModel

from kernel.web.fields import Lookup, RequestBody
from kernel.web.parameters import KEY_PATTERN

BATCH_MAX = 20
Mode = Literal["auto", "sync", "async"]
Effect = Literal["read", "idempotent", "write", "destructive"]
InvocationStatus = Literal["running", "succeeded", "failed", "cancelled", "timed_out", "lost"]
ApprovalStatus = Literal["pending", "approved", "denied", "used", "expired"]


class InvocationCreate(RequestBody):
    """Body of POST /v1/tools/{name}/invocations."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"args": {}}, {"args": {}, "timeout_seconds": 10, "safe_mode": True}]},
    )

    args: dict[str, JsonValue] = Field(default_factory=dict, description="Fit the tool's input_schema.")
    timeout_seconds: float | None = Field(
        None, ge=1, le=3600, description="The call is ended after that; never later than the tool's own timeout_s."
    )
    safe_mode: bool = Field(False, description="Refuse the call (403 read_only) if it would change something.")
    mode: Mode = Field(
        "auto", description="sync: wait for the answer; async: as a job; auto: as a job where it takes long."
    )


class BatchCall(RequestBody):
    """One call of a batch."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Lookup = Field(min_length=1, max_length=100, description="Of a tool.")
    args: dict[str, JsonValue] = Field(default_factory=dict)
    idempotency_key: Lookup | None = Field(
        None, max_length=255, pattern=f"^{KEY_PATTERN.pattern}$", description="As the header Idempotency-Key."
    )


class BatchCreate(RequestBody):
    """Body of POST /v1/tools/invocations."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"invocations": [{"name": "system.time"}, {"name": "system.time", "args": {}}]}]
        },
    )

    invocations: list[BatchCall] = Field(min_length=1, max_length=BATCH_MAX, description="Made in this order.")
    stop_on_error: bool = Field(False, description="What follows one that is refused or fails is left out.")
    safe_mode: bool = Field(False, description="Refuse what would change something.")


class ApprovalDecision(RequestBody):
    """Body of POST /v1/tools/approvals/{id}."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"decision": "approve", "arguments_sha256": "0" * 64}]},
    )

    decision: Literal["approve", "deny"]
    arguments_sha256: Lookup = Field(
        pattern=r"^[0-9a-f]{64}$", description="Of the arguments that you saw: approved is that call and no other."
    )


class RateLimitOut(BaseModel):
    """At most so many calls of one caller in so many seconds."""

    requests: int
    window: int


class ToolOut(BaseModel):
    """A tool that you may call."""

    id: str = Field(description="name@version.")
    name: str
    title: str
    version: str
    category: str
    namespace: str
    description: str
    module: str | None = Field(description="Where its code is; null unless you are an administrator.")
    entrypoint: str = Field(description="Where it is called.")
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    effect: Effect
    reading_actions: list[str] = Field(description="Values of its `action` argument with which it only reads.")
    destructive_when: list[str] = Field(description="Arguments that make a call destructive when they are true.")
    scopes: list[str]
    required_scopes: list[str] = Field(description="What the token must cover.")
    permissions: list[str] = Field(description="What a role must have.")
    platform_only: bool
    capabilities: list[str]
    invokable: bool
    long_running: bool = Field(description="Its call becomes a job, unless the body says mode: sync.")
    rate_limit: RateLimitOut
    timeout_s: float
    approval: Literal["never", "tainted", "always"]
    aliases: list[str]
    annotations: dict[str, Any] = Field(description="Hints, as in the Model Context Protocol.")


class ToolDetail(ToolOut):
    """The same with arguments that work."""

    example: dict[str, Any]


class ToolPage(BaseModel):
    """A page of tools, in order of name."""

    items: list[ToolOut]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_page_token: str | None


class ToolError(BaseModel):
    """Why a tool failed."""

    model_config = ConfigDict(extra="allow")

    code: str
    message: str


class OutcomeOut(BaseModel):
    """A call that was answered."""

    id: UUID
    invocation_id: UUID
    event_id: UUID
    name: str
    tool: str
    ok: bool
    status: InvocationStatus
    result: dict[str, Any] = Field(description="{ok, action} and what the tool gave, or {ok, action, code, message}.")
    error: ToolError | None
    duration_ms: float
    trace_id: str
    replayed: bool
    timeout_seconds: float = Field(description="What the call was given.")


class ToolJobOut(BaseModel):
    """A call that became a job."""

    id: UUID
    job_id: UUID
    name: str
    tool: str
    status: Literal["queued"]


class AnsweredOut(RootModel[OutcomeOut | ToolJobOut]):
    """What a repeat is answered with: as the first call was."""


class InvocationSummary(BaseModel):
    """A call, as lists show it."""

    id: UUID
    invocation_id: UUID
    event_id: UUID
    name: str
    tool: str
    version: str
    effect: Effect = Field(description="Of this call.")
    door: Literal["rest", "mcp", "agent", "job"]
    status: InvocationStatus = Field(description="lost: it should have ended, and its process is gone.")
    ok: bool
    error: ToolError | None
    owner: str
    owner_sub: str
    duration_ms: float | None
    approval_id: UUID | None
    run_id: UUID | None
    session_id: UUID | None
    job_id: UUID | None
    idempotency_key: str | None
    correlation_id: str
    request_id: str
    trace_id: str
    created_at: datetime
    finished_at: datetime | None


class InvocationOut(InvocationSummary):
    """A call with what went in and what came out, personal data hidden."""

    arguments: dict[str, Any]
    result: dict[str, Any] | None
    withheld: str | None = Field(description="Why arguments and result are left out: you may not make this call now.")


class InvocationPage(BaseModel):
    """A page of calls, newest first."""

    items: list[InvocationSummary]
    total: int = Field(description="Exact up to 10,000.")
    limit: int
    offset: int
    has_more: bool
    next_page_token: str | None


class BatchAnswer(BaseModel):
    """What one call of a batch came to: an outcome, a job, or an error."""

    model_config = ConfigDict(extra="allow")

    index: int
    name: str
    http_status: int = Field(description="What the call alone would have been answered with; 424: it was left out.")
    ok: bool
    error: ToolError | None


class BatchOut(BaseModel):
    """Every call of the batch, in its order."""

    items: list[BatchAnswer]
    total: int
    succeeded: int
    failed: int


class ApprovalSummary(BaseModel):
    """A call that waits for a person, or did, as lists show it."""

    id: UUID
    approval_id: UUID
    name: str
    tool: str
    title: str
    description: str
    effect: Effect
    arguments_sha256: str = Field(description="Of its arguments_text in UTF-8.")
    door: Literal["rest", "mcp", "agent", "job"]
    run_id: UUID | None
    owner: str
    owner_sub: str
    status: ApprovalStatus
    decided_by: str | None
    decided_at: datetime | None
    created_at: datetime
    expires_at: datetime


class ApprovalOut(ApprovalSummary):
    """The same with what it would do."""

    arguments: dict[str, Any] = Field(description="All of them, as the tool would get them.")
    arguments_text: str = Field(description="The same as canonical JSON.")


class ApprovalPage(BaseModel):
    """A page of approvals, newest first."""

    items: list[ApprovalSummary]
    total: int = Field(description="Exact up to 10,000.")
    limit: int
    offset: int
    has_more: bool
    next_page_token: str | None
