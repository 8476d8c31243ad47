"""The wire shapes of /v1/sessions (contract 3.5, SPEC names beside the predecessor's)."""

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from apps.agents.definitions.schemas import ToolNames
from apps.agents.models import Session, SessionStep
from apps.agents.sessions.cache import as_document
from kernel.clock import iso
from kernel.web.etag import strong_etag
from kernel.web.fields import FreeText, Identifier, RequestBody, SmallJson, SmallObject

SessionStatus = Literal["active", "completed", "cancelled", "failed"]


WhenBusy = Literal["reject", "enqueue", "interrupt"]
WHEN_BUSY_HELP = "What a prompt does while a run of the session is open: reject (409), enqueue, interrupt."


class SessionCreate(RequestBody):
    """Body of POST /v1/sessions; everything has a default."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"title": "Blast results", "temperature": 0.2, "max_steps": 8}]},
    )

    session_id: UUID | None = Field(None, description="An id of the client's choosing; made here when absent.")
    title: FreeText = Field("", max_length=200)
    manager: Identifier | None = Field(None, max_length=100, description="The agent that leads.")
    preferred_workers: list[Identifier] = Field(default_factory=list, max_length=20)
    llm_preferences: SmallObject = Field(default_factory=dict, description="Model settings of the runs.")
    agent_role: Identifier | None = Field(
        None, max_length=32, description="One of the caller's own roles; gives no right."
    )
    tools: ToolNames = Field(default_factory=list, description="Tools runs may use; empty: all allowed.")
    temperature: float | None = Field(None, ge=0, le=2, description="Absent: the agent's; shown as 0.2.")
    max_steps: int | None = Field(None, ge=1, le=64, description="Absent: the agent's; shown as 8.")
    when_busy: WhenBusy = Field("enqueue", description=WHEN_BUSY_HELP)
    metadata: SmallObject = Field(default_factory=dict)


class SessionChange(RequestBody):
    """Body of PATCH /v1/sessions/{id}: what shall be different for runs to come."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"when_busy": "interrupt"}, {"title": "Blast results"}]}
    )

    title: FreeText | None = Field(None, max_length=200)
    manager: Identifier | None = Field(None, max_length=100, description="The agent that leads; null: the default.")
    llm_preferences: SmallObject | None = None
    tools: ToolNames | None = Field(None, description="Empty: all allowed.")
    temperature: float | None = Field(None, ge=0, le=2)
    max_steps: int | None = Field(None, ge=1, le=64)
    when_busy: WhenBusy | None = Field(None, description=WHEN_BUSY_HELP)
    metadata: SmallObject | None = None

    def as_fields(self) -> dict[str, Any]:
        """Columns of Session that were named; null leaves one as it is, but takes the manager away."""
        said = self.model_dump(mode="json", exclude_unset=True)
        return {name: value for name, value in said.items() if value is not None or name == "manager"}


class StepCreate(RequestBody):
    """Body of POST /v1/sessions/{id}/steps."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"type": "user", "message": "Which tasks failed this week?"}]},
    )

    type: Literal["message", "user", "assistant", "tool", "system", "error"]
    message: FreeText | None = Field(None, max_length=65_536)
    tool: Identifier | None = Field(None, max_length=100)
    input: SmallJson = None
    output: SmallJson = None


class SessionOut(BaseModel):
    """A session."""

    session_id: str
    id: str
    user_id: str
    owner: str
    tenant_id: str
    status: SessionStatus
    ended_reason: str = Field(description="`expired` when it was idle too long, else empty.")
    title: str
    manager: Identifier | None
    preferred_workers: list[str]
    llm_preferences: dict[str, Any]
    agent_role: str | None
    tools: list[str]
    temperature: float
    max_steps: int
    when_busy: WhenBusy
    metadata: dict[str, Any]
    created_at: str
    updated_at: str
    expires_at: str
    last_step_id: str | None
    last_step_seq: int
    version: int
    etag: str


class SessionPage(BaseModel):
    """A page of sessions."""

    items: list[SessionOut]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_page_token: str | None
    next_cursor: str | None = Field(description="As next_page_token.")


class StepOut(BaseModel):
    """A step of a session."""

    step_id: str
    id: str
    session_id: str
    seq: int
    type: str
    message: str | None
    tool: str | None
    input: Any
    output: Any
    status: Literal["queued", "running", "completed", "failed", "cancelled"]
    error: Any
    created_at: str
    completed_at: str | None


class StepPage(BaseModel):
    """A page of steps, oldest first."""

    items: list[StepOut]
    has_more: bool
    next_cursor: str | None
    next_page_token: str | None


def session_etag(document: dict[str, Any]) -> str:
    """Changes with every version, and when the session expires."""
    return strong_etag("session", document["id"], document["version"], document["status"])


def session_out(document: dict[str, Any]) -> dict[str, Any]:
    """A session's document as the API shows it."""
    return {
        **document,
        "session_id": document["id"],
        "user_id": document["owner_sub"],
        "owner": document["owner_sub"],
        "etag": session_etag(document).strip('"'),
    }


def session_row_out(session: Session) -> dict[str, Any]:
    """The same for a row."""
    return session_out(as_document(session))


def step_out(step: SessionStep) -> dict[str, Any]:
    """A step as the API shows it."""
    return {
        "step_id": str(step.id),
        "id": str(step.id),
        "session_id": str(step.session_id),
        "seq": step.seq,
        "type": step.type,
        "message": step.message,
        "tool": step.tool,
        "input": step.input,
        "output": step.output,
        "status": step.status,
        "error": step.error,
        "created_at": iso(step.created_at),
        "completed_at": iso(step.completed_at),
    }
