"""Notes and lines of sessions, by tool."""

from typing import Any

import pytest

from apps.agents.models import SessionStep
from apps.agents.sessions.services import add_step, cancel_session, create_session
from apps.identity.principal import Principal
from kernel.errors import ForbiddenError, ValidationError
from kernel.tenant_context import tenant_scope
from tests.factories import make_principal, make_tenant
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:agent")


@pytest.fixture
def session(principal: Principal) -> Any:
    made, _ = create_session(principal, fields={})
    for number in range(3):
        add_step(principal, made.id, fields={"type": "user", "message": f"line {number}"})
    return made


def test_the_latest_lines_are_told_in_their_order(principal: Principal, session: Any) -> None:
    named = result(principal, "agent.history", {"last": 2, "session_id": str(session.id)})
    of_run = result(principal, "agent.history", {"last": 2}, door="agent", session_id=session.id)

    assert [(line["seq"], line["type"], line["message"]) for line in named["lines"]] == [
        (2, "user", "line 1"), (3, "user", "line 2"),
    ]  # fmt: skip
    assert of_run == named


def test_a_note_is_a_line_of_the_session_and_is_written_once(principal: Principal, session: Any) -> None:
    arguments = {"text": "BRCA1 is done"}

    first = result(principal, "agent.note", arguments, session_id=session.id, idempotency_key="once")
    again = result(principal, "agent.note", arguments, session_id=session.id, idempotency_key="once")

    with tenant_scope(principal.tenant_id):
        notes = list(SessionStep.objects.filter(session_id=session.id, tool="agent.note"))
    assert first == again == {"session_id": str(session.id), "seq": 4, "noted": "BRCA1 is done", "was_there": False}
    assert [(note.seq, note.type, note.message) for note in notes] == [(4, "tool", "BRCA1 is done")]


def test_there_is_no_note_without_a_session_nor_in_one_that_has_ended(principal: Principal, session: Any) -> None:
    cancel_session(principal, session.id)

    nowhere = call(principal, "agent.note", {"text": "x"})
    ended = call(principal, "agent.note", {"text": "x"}, session_id=session.id)

    assert [(outcome.error or {})["code"] for outcome in (nowhere, ended)] == ["no_session", "session_not_active"]


def test_the_sessions_of_others_are_not_there(tenant: Any, session: Any) -> None:
    neighbour, stranger = make_principal(tenant, "user"), make_principal(make_tenant(), "admin")
    named = {"session_id": str(session.id)}

    outcomes = [
        call(other, name, {**more, **named})
        for other in (neighbour, stranger)
        for name, more in (("agent.history", {}), ("agent.note", {"text": "x"}))
    ]

    assert {(outcome.error or {})["code"] for outcome in outcomes} == {"session_not_found"}


def test_roles_without_the_right_are_refused(tenant: Any) -> None:
    auditor, viewer = make_principal(tenant, "auditor"), make_principal(tenant, "viewer")

    for caller, name, arguments in ((auditor, "agent.note", {"text": "x"}), (viewer, "agent.history", {})):
        with pytest.raises(ForbiddenError):
            call(caller, name, arguments)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("agent.history", {"last": 0}), ("agent.history", {"last": "3"}), ("agent.history", {"session_id": "mine"}),
     ("agent.note", {}), ("agent.note", {"text": ""}), ("agent.note", {"text": "x" * 4_001}),
     ("agent.note", {"text": "x", "as": "me"})],
    ids=["none", "text", "no-id", "nothing", "empty", "long", "extra"],
)  # fmt: skip
def test_what_does_not_fit_is_refused(principal: Principal, name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(principal, name, arguments)
