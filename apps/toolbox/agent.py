"""A conversation's session, as its own runs and its owner read and write it."""

from uuid import UUID, uuid5

from pydantic import Field

from apps.agents.models import SessionStep
from apps.agents.sessions.selectors import get_session
from apps.agents.sessions.services import add_step
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.spec import ToolInput, ToolOutput, tool
from kernel.clock import iso
from kernel.tenant_context import tenant_scope

HISTORY_MAX = 50
LINE_CHARS = 4_000
NOTES = UUID("6c1f6d0e-6a1b-5d8e-9b53-0a7b7f2c2f11")  # names the keys of notes, apart from those of other lines


class HistoryIn(ToolInput):
    last: int = Field(10, ge=1, le=HISTORY_MAX, description="How many of the latest lines.")
    session_id: UUID | None = Field(None, description="Of a session of yours; left out: that of the run which calls.")


class HistoryLine(ToolOutput):
    seq: int = Field(description="Its number in the session, from 1.")
    type: str = Field(description="message, user, assistant, tool, system or error.")
    message: str | None = Field(description=f"At most {LINE_CHARS} characters of it.")
    at: str = Field(description="ISO 8601, UTC.")


class HistoryOut(ToolOutput):
    session_id: UUID
    lines: list[HistoryLine] = Field(description="Oldest first.")


class NoteIn(ToolInput):
    text: str = Field(min_length=1, max_length=4_000, description="What to write down.")
    session_id: UUID | None = Field(
        None, description="Of an active session of yours; left out: that of the run which calls."
    )


class NoteOut(ToolOutput):
    session_id: UUID
    seq: int = Field(description="The note's number in the session.")
    noted: str
    was_there: bool = Field(description="True: an earlier try of this very call had written it.")


@tool("agent.history", effect="read", title="Lines of a session", permissions=("sessions:read",),
      example={"last": 5, "session_id": "$session"})  # fmt: skip
def history(context: ToolContext, given: HistoryIn) -> HistoryOut:
    """The latest lines of a conversation: what was asked, answered and noted. A run reads its own session's unless
    another of the caller's is named."""
    session_id = _session_of(context, given.session_id)
    with tenant_scope(context.tenant_id):
        get_session(context.principal, session_id)
        steps = SessionStep.objects.filter(session_id=session_id).order_by("-seq")[: given.last]
        lines = [
            HistoryLine(
                seq=step.seq,
                type=step.type,
                message=None if step.message is None else step.message[:LINE_CHARS],
                at=iso(step.created_at) or "",
            )
            for step in steps
        ]
    return HistoryOut(session_id=session_id, lines=lines[::-1])


@tool("agent.note", effect="write", title="Write a note", permissions=("sessions:update",),
      example={"text": "BRCA1 is done", "session_id": "$session"})  # fmt: skip
def note(context: ToolContext, given: NoteIn) -> NoteOut:
    """Write a note into a conversation's session, where later runs of it find it. The session must be active."""
    session_id = _session_of(context, given.session_id)
    step, was_there = add_step(
        context.principal,
        session_id,
        fields={"type": "tool", "tool": "agent.note", "message": given.text},
        idempotency_key=str(uuid5(NOTES, context.idempotency_key)),
    )
    return NoteOut(session_id=session_id, seq=step.seq, noted=given.text, was_there=was_there)


def _session_of(context: ToolContext, named: UUID | None) -> UUID:
    session_id = named or context.session_id
    if session_id is None:
        raise ToolFailed("This call belongs to no session. Name one in session_id.", code="no_session")
    return session_id
