"""Conversations' sessions: made, looked at, changed and ended by their owner."""

from typing import Annotated, Any, Literal
from uuid import UUID, uuid5

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import to_json

from apps.agents.models import Session
from apps.agents.sessions.cache import as_document
from apps.agents.sessions.selectors import list_sessions, session_document
from apps.agents.sessions.services import cancel_session, change_session, create_session
from apps.identity import rbac
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.spec import ToolInput, ToolOutput, tool
from kernel import pagination

LISTED = 50
OBJECT_BYTES = 16_384
MADE = UUID("b0a4f5b2-54f4-5a0e-8d68-6b8d1c6a0a3e")  # names the keys under which tools make sessions
ONLY_AT_FIRST = ("preferred_workers", "agent_role")


def _small(value: dict[str, Any]) -> dict[str, Any]:
    if len(to_json(value)) > OBJECT_BYTES:
        raise ValueError(f"must have at most {OBJECT_BYTES:,} bytes")
    return value


Small = Annotated[dict[str, JsonValue], AfterValidator(_small)]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class SessionData(BaseModel):
    """What a session is made with; what is left out has a default, or stays as it is."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field("", max_length=200)
    manager: Name | None = Field(None, description="The agent that leads; null: the default.")
    preferred_workers: list[Name] = Field(default_factory=list, max_length=20, description="With create.")
    llm_preferences: Small = Field(default_factory=dict, description="Model settings of its runs.")
    agent_role: str | None = Field(None, max_length=32, description="With create: a role of yours; gives no right.")
    tools: list[Name] = Field(default_factory=list, max_length=100, description="Tools its runs may use; none: all.")
    temperature: float | None = Field(None, ge=0, le=2)
    max_steps: int | None = Field(None, ge=1, le=64)
    when_busy: Literal["reject", "enqueue", "interrupt"] = Field(
        "enqueue", description="What a prompt does while a run of the session is open."
    )
    metadata: Small = Field(default_factory=dict, description="Anything of your own.")


class ManageIn(ToolInput):
    action: Literal["create", "get", "update", "delete", "list"]
    session_id: UUID | None = Field(
        None, description="With get, update and delete: a session of yours. With create: the id that it shall have."
    )
    data: SessionData | None = Field(None, description="With create and update.")
    status: Literal["active", "completed", "cancelled", "failed"] | None = Field(None, description="With list.")
    limit: int = Field(20, ge=1, le=LISTED, description="With list.")
    page_token: str | None = Field(None, max_length=1_000, description="next_page_token of the page before.")


class ManageOut(ToolOutput):
    action: str
    session: dict[str, Any] | None = Field(description="{id, status, title, tools, metadata, ...}; with list null.")
    was_there: bool = Field(description="With create: an earlier try of this very call had made it.")
    sessions: list[dict[str, Any]] = Field(description="With list: your own, newest first.")
    total: int | None
    next_page_token: str | None


@tool("session.manage", effect="write", title="Manage sessions", permissions=("sessions:read",),
      reading_actions=("get", "list"), example={"action": "get", "session_id": "$session"})  # fmt: skip
def manage(context: ToolContext, given: ManageIn) -> ManageOut:
    """Make a session, look at one of yours, change it, end it, or list them.

    A session keeps a conversation together: its runs see what was said before. update changes only what `data` names,
    for runs to come. delete ends it; what was said stays readable. Others' sessions look like ones that never were.
    """
    match given.action:
        case "create":
            return _create(context, given)
        case "get":
            return _shown(given, session_document(context.principal, _named(context, given)))
        case "update":
            return _update(context, given)
        case "delete":
            rbac.require(context.principal, "sessions:delete")
            if given.session_id is None:
                raise ToolFailed("Name the session to end in session_id.", code="no_session")
            return _shown(given, as_document(cancel_session(context.principal, given.session_id)))
        case "list":
            return _list(context, given)


def _create(context: ToolContext, given: ManageIn) -> ManageOut:
    rbac.require(context.principal, "sessions:create")
    session, was_there = create_session(
        context.principal,
        fields=(given.data or SessionData()).model_dump(mode="json"),
        session_id=given.session_id,
        idempotency_key=str(uuid5(MADE, context.idempotency_key)),
    )
    return _shown(given, as_document(session), was_there=was_there)


def _update(context: ToolContext, given: ManageIn) -> ManageOut:
    rbac.require(context.principal, "sessions:update")
    fields = {} if given.data is None else given.data.model_dump(mode="json", exclude_unset=True)
    fixed = [name for name in ONLY_AT_FIRST if name in fields]
    if fixed or not fields:
        raise ToolFailed(
            f"{fixed[0]} cannot be changed: make a new session." if fixed else "Say in data what shall change.",
            code="nothing_to_change",
        )
    return _shown(given, as_document(change_session(context.principal, _named(context, given), fields)))


def _list(context: ToolContext, given: ManageIn) -> ManageOut:
    principal = context.principal
    scope = f"session.manage:{principal.tenant_id}:{principal.sub}:{given.status}"
    after = pagination.decode_cursor(given.page_token, scope=scope)
    rows, total = list_sessions(principal, status=given.status, owner_sub=principal.sub, after=after, limit=given.limit)
    token = None
    if len(rows) > given.limit:
        rows = rows[: given.limit]
        token = pagination.encode_cursor(_place_of(rows[-1], after, given.limit), scope=scope)
    return ManageOut(
        action="list",
        session=None,
        was_there=False,
        sessions=[as_document(row) for row in rows],
        total=total,
        next_page_token=token,
    )


def _place_of(row: Session, after: pagination.Cursor | None, shown: int) -> pagination.Cursor:
    return pagination.Cursor(row.created_at, row.id, (after.offset if after else 0) + shown)


def _named(context: ToolContext, given: ManageIn) -> UUID:
    session_id = given.session_id or context.session_id
    if session_id is None:
        raise ToolFailed("Name a session in session_id: this call belongs to none.", code="no_session")
    return session_id


def _shown(given: ManageIn, document: dict[str, Any], *, was_there: bool = False) -> ManageOut:
    return ManageOut(
        action=given.action, session=document, was_there=was_there, sessions=[], total=None, next_page_token=None
    )
