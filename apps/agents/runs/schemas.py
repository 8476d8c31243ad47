"""The bodies of /v1/agent-runs, and what it answers (SPEC 10, the contract's 3.1 and 3.2 as a superset)."""

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

from apps.agents.definitions.schemas import PlanningMode, ResponseMode, RunBudget, ToolNames
from kernel.web.fields import FreeText, Identifier, Lookup, RequestBody, SmallObject

PROMPT_MAX_CHARS = 100_000
RunStatus = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class RunCreate(RequestBody):
    """Body of POST /v1/agent-runs. What is left out is the session's, else the agent's, else the platform's."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {"prompt": "How many files are there?"},
                {"prompt": "Which tasks failed?", "temperature": 0.1, "max_steps": 4, "budget": {"usd": 0.05}},
            ]
        },
    )

    prompt: FreeText = Field(min_length=1, max_length=PROMPT_MAX_CHARS)
    model: Identifier | None = Field(None, description="Name or id of a model instance.")
    temperature: float | None = Field(None, ge=0, le=2)
    max_steps: int | None = Field(None, ge=1, le=64)
    session_id: UUID | None = Field(None, strict=False, description="Of an active session; else one is begun.")
    agent: Lookup | None = Field(None, min_length=1, max_length=100, description="Name of an agent.")
    mode: PlanningMode | None = Field(None, description="How the run is planned: full, optional or none.")
    response_mode: ResponseMode | None = Field(None, description="Who words the answer: a model, or fixed sentences.")
    budget: RunBudget | None = Field(None, description="Lowers what the agent's budget allows; never raises it.")
    metadata: SmallObject = Field(default_factory=dict)
    params: SmallObject = Field(default_factory=dict, description="{category?}: says what kind of request it is.")
    tools: ToolNames | None = Field(None, description="Only these of the tools that the run may use.")
    agent_role: Identifier | None = Field(
        None, max_length=32, description="One of your own roles, to act with no more than it has; gives no right."
    )
    manager: Lookup | None = Field(None, min_length=1, max_length=100, description="As `agent`.")
    preferred_workers: list[Identifier] = Field(
        default_factory=list, max_length=20, description="Kept; decides nothing."
    )
    llm_preferences: SmallObject = Field(
        default_factory=dict, description="{model?, temperature?} where they are absent."
    )
    force_full_agentic: bool = Field(False, description="As mode: full.")

    @model_validator(mode="after")
    def _says_one_thing(self) -> "RunCreate":
        if not self.prompt.strip():
            raise ValueError("prompt: say what you want")
        if self.agent is not None and self.manager is not None and self.agent != self.manager:
            raise ValueError("agent and manager name two agents: leave one away")
        if self.force_full_agentic and self.mode not in (None, "full"):
            raise ValueError("force_full_agentic means mode full: leave one away")
        return self

    def as_fields(self) -> dict[str, Any]:
        """What run_services.create_run takes; None: not said."""
        return {
            "prompt": self.prompt,
            "model": self.model,
            "temperature": self.temperature,
            "max_steps": self.max_steps,
            "session_id": self.session_id,
            "agent": self.agent or self.manager,
            "planning_mode": "full" if self.force_full_agentic else self.mode,
            "response_mode": self.response_mode,
            "budget": None if self.budget is None else self.budget.as_json(),
            "metadata": self.metadata,
            "params": self.params,
            "tools": self.tools,
            "agent_role": self.agent_role,
            "preferred_workers": self.preferred_workers,
            "llm_preferences": self.llm_preferences,
        }


class TodoOut(BaseModel):
    """One item of the plan."""

    task: str
    kind: str
    status: Literal["pending", "in_progress", "completed", "failed"]
    tool: str | None
    arguments: dict[str, Any]
    evidence: list[str]


class RunStepOut(BaseModel):
    """What a step did (SPEC 7.1)."""

    type: Literal["step"]
    id: UUID
    step_id: UUID
    index: int = Field(description="Its place in the plan, from 0.")
    attempt: int = Field(description="Of the run: one higher with each resume.")
    action: str
    status: Literal["completed", "failed"]
    input: Any
    output: Any
    error: Any
    input_hash: str = Field(description="Of what it was asked: a resume takes over a step with the same one.")
    reused_from: UUID | None = Field(description="The step of an earlier attempt whose output this is.")
    tokens: int
    cost_usd: float
    latency_ms: float
    started_at: str
    finished_at: str


class RunStepList(RootModel[list[RunStepOut]]):
    """The steps of a run, a bare array."""


class RunOutputList(RootModel[list[dict[str, Any]]]):
    """The parts of a run's answer, a bare array."""


class RunSummary(BaseModel):
    """A run, without what it said and did."""

    id: UUID
    run_id: UUID
    status: RunStatus
    prompt: str
    agent: str
    agent_version: int
    manager: str
    model: str | None = Field(description="What was asked for; null: the default. `metrics.llm` says who answered.")
    temperature: float | None
    max_steps: int
    session_id: UUID | None
    job_id: UUID | None = Field(description="The agent.run job that follows it.")
    execution_mode: Literal["tasks", "jobs_worker"]
    user_id: str
    owner: str
    owner_sub: str
    tenant_id: UUID
    phase: str = Field(description="What comes next: classify, plan, step, finalize; done.")
    attempt: int
    refused: bool
    degraded: bool = Field(description="Something was missing and a lesser way was taken; `warnings` say what.")
    used_fallback: bool = Field(description="Another model than the first choice answered.")
    created_at: str
    updated_at: str
    started_at: str | None
    finished_at: str | None
    completed_at: str | None
    cancel_requested_at: str | None
    waits_for: UUID | None = Field(description="The run of its session that must end first.")
    latency_ms: int | None = Field(description="started_at to finished_at.")
    duration_ms: int | None
    last_event_id: int = Field(description="Number of its latest event.")
    etag: str


class RunOut(RunSummary):
    """A run (SPEC 10: id, status, outputs, steps, todos, metrics)."""

    goal: str = Field(description="The prompt, as the canonical result names it.")
    text: str = Field(description="The answer in words; empty before there is one.")
    output: dict[str, Any] | None = Field(description="{text, ...}; of a failed run {error, partial_results, ...}.")
    outputs: list[dict[str, Any]] = Field(description="Each {type: text, text} or {type: json, ...}.")
    steps: list[RunStepOut]
    todos: list[TodoOut]
    metrics: dict[str, Any]
    intent: dict[str, Any] | None
    budget: dict[str, Any]
    metadata: dict[str, Any]
    error: dict[str, Any] | None = Field(description="{message, reason, ...} of a failed run.")
    errors: list[dict[str, Any]]
    warnings: list[str]
    total_llm_calls: int
    llm_call_count: int
    tool_calls: int
    tool_errors: int
    request_id: str
    correlation_id: str
    trace_id: str
    event_id: int = Field(description="As last_event_id.")


class RunAccepted(BaseModel):
    """Body of the 201, of the 202 with use_jobs, and of their replays."""

    id: UUID
    run_id: UUID
    status: Literal["queued"]
    session_id: UUID | None
    agent: str
    agent_version: int
    owner: str
    user_id: str
    tenant_id: UUID
    created_at: str
    job_id: UUID | None
    execution_mode: Literal["tasks", "jobs_worker"]
    outputs: list[Any]
    steps: list[Any]
    todos: list[Any]
    metrics: dict[str, Any]


class RunPage(BaseModel):
    """A page of runs, newest first."""

    items: list[RunSummary]
    total: int = Field(description="Exact up to 10,000.")
    limit: int
    offset: int
    has_more: bool
    next_page_token: str | None


class RunCancelled(BaseModel):
    """What a cancellation found or did."""

    id: UUID
    run_id: UUID
    status: RunStatus


class TapeEntryOut(BaseModel):
    """One question to a model, a tool or the graph, and its answer, which whoever asks again gets from here."""

    kind: str = Field(description="model, tool or graph.")
    place: str = Field(description="classify, plan, step 3, finalize.")
    attempt: int
    request: Any
    answer: Any
    request_hash: str
    occurrence: int = Field(description="Counts equal requests of the run, from 0.")
    tokens: int
    cost_usd: float
    asked_at: str
    answered_at: str | None = Field(description="Null: nobody knows the answer.")


class Tape(BaseModel):
    """A run's tape, in the order it asked."""

    run_id: UUID
    items: list[TapeEntryOut]
    total: int


class RunEventOut(BaseModel):
    """One event of a run; docs/reference/events.md has the types."""

    id: int
    seq_id: int
    type: str
    event: str
    data: dict[str, Any]
    created_at: str
    timestamp: str


class RunEventPage(BaseModel):
    """Events after the one asked for, in order."""

    run_id: UUID
    status: RunStatus
    items: list[RunEventOut]
    events: list[RunEventOut]
    last_event_id: int
    has_more: bool
