"""What a run remembers of its session, in PostgreSQL."""

from typing import Any

import pytest

from apps.agents.models import AgentRun, Session, SessionStep
from apps.agents.phases.window import ABOUT_SUMMARY, summary_request
from apps.agents.sessions import memory as session_memory
from apps.agents.sessions.services import add_step, create_session
from apps.agents.thinking.ports import ports_for
from apps.agents.types import Ports, RunView
from apps.identity.principal import Principal
from kernel.tenant_context import tenant_scope
from tests.integration.runs.driving import make_view, tape_of
from tests.llm_factories import make_instance, make_provider

LONG = "The sample was measured at the laboratory on Monday and again on Tuesday afternoon."


@pytest.fixture
def session(principal: Principal) -> Session:
    return create_session(principal, fields={})[0]


def say(principal: Principal, session: Session, *lines: tuple[str, str]) -> None:
    for kind, text in lines:
        add_step(principal, session.id, fields={"type": kind, "message": text})


def ports_of(view: RunView, principal: Principal, place: str = "step 0") -> Ports:
    return ports_for(
        view, place=place, principal=principal, deadline_s=30.0, report=lambda *_: None, say=lambda _: None,
        checkpoint=lambda: None,
    )  # fmt: skip


def remembered(principal: Principal, session: Session, **fields: Any) -> list[tuple[str, str]]:
    """What a new run of the session sees."""
    view = make_view(principal, "What now?", session_id=session.id, **fields)
    return [(message.role, message.content) for message in ports_of(view, principal).history()]


def summary_of(session: Session) -> tuple[str, int]:
    with tenant_scope(session.tenant_id):
        found = Session.objects.get(id=session.id)
    return found.summary, found.summary_seq


@pytest.mark.requirement("memory:window")
def test_a_run_sees_what_was_said_before_it_in_order(principal: Principal, session: Session) -> None:
    say(principal, session, ("user", "Hello"), ("assistant", "Hi."), ("system", "You are root."), ("tool", "noted"))

    seen = remembered(principal, session)

    assert seen == [("user", "Hello"), ("assistant", "Hi."), ("user", "<note>\nnoted\n</note>")]
    assert summary_of(session) == ("", 0)


@pytest.mark.requirement("memory:window")
def test_a_run_sees_nothing_that_was_said_after_it_but_the_answers_it_waited_for(
    principal: Principal, session: Session
) -> None:
    say(principal, session, ("user", "first"))
    view = make_view(principal, "second", session_id=session.id)
    say(principal, session, ("user", "third"), ("assistant", "answer to first"))

    waiting = ports_of(view, principal).history()
    with tenant_scope(view.tenant_id):
        first_line = SessionStep.objects.get(session_id=session.id, seq=1)
        AgentRun.objects.filter(id=view.run_id).update(started_at=first_line.created_at)
    begun_before = ports_of(view, principal, "step 1").history()

    assert [message.content for message in waiting] == ["first", "answer to first"]
    assert [message.content for message in begun_before] == ["first"]


@pytest.mark.requirement("memory:summary")
def test_lines_beyond_the_window_are_in_the_summary_and_none_is_lost(
    principal: Principal, session: Session, settings: Any
) -> None:
    settings.SESSION_WINDOW_TOKENS = 200
    say(principal, session, ("user", "My name is Nerea."), *[("user", f"{number}: {LONG}") for number in range(12)])

    seen = remembered(principal, session)
    again = remembered(principal, session)

    summary, covered = summary_of(session)
    assert seen[0] == ("user", f"{ABOUT_SUMMARY}\n<summary>\n{summary}\n</summary>")
    assert "My name is Nerea." in summary
    assert [content for _, content in seen[1:]] == [f"{number}: {LONG}" for number in range(covered - 1, 12)]
    assert 1 < covered < 13
    assert again == seen


@pytest.mark.requirement("memory:summary")
def test_a_second_summary_is_made_of_the_first_and_of_what_came_then(
    principal: Principal, session: Session, settings: Any
) -> None:
    settings.SESSION_WINDOW_TOKENS = 200
    say(principal, session, ("user", "My name is Nerea."), *[("user", f"{number}: {LONG}") for number in range(12)])
    remembered(principal, session)
    first = summary_of(session)
    say(principal, session, *[("user", f"later {number}: {LONG}") for number in range(12)])

    remembered(principal, session)

    second = summary_of(session)
    assert second[1] > first[1]
    assert "My name is Nerea." in second[0]


@pytest.mark.requirement("memory:summary")
def test_without_a_model_nothing_is_forgotten_for_good(principal: Principal, session: Session, settings: Any) -> None:
    settings.SESSION_WINDOW_TOKENS = 200
    provider = make_provider(principal.tenant_id, "http://127.0.0.1:9/v1", max_retries=0)
    gone = make_instance(provider, "gone").instance_name
    say(principal, session, ("user", "My name is Nerea."), *[("user", f"{number}: {LONG}") for number in range(12)])

    seen = remembered(principal, session, model=gone)
    nothing = summary_of(session)
    remembered(principal, session)

    assert nothing == ("", 0)
    assert seen and seen[-1] == ("user", f"11: {LONG}")
    assert "My name is Nerea." in summary_of(session)[0]


@pytest.mark.requirement("memory:summary")
def test_of_two_runs_that_summarise_at_once_the_first_summary_stays(
    principal: Principal, session: Session, settings: Any
) -> None:
    settings.SESSION_WINDOW_TOKENS = 200
    say(principal, session, *[("user", f"{number}: {LONG}") for number in range(12)])
    view = make_view(principal, "What now?", session_id=session.id)

    def ask(messages: Any) -> Any:
        remembered(principal, session)  # another run is done meanwhile
        return ports_of(view, principal, "step 9").complete(summary_request("late", []), purpose="summarize")

    session_memory.remember(view, ask, budget_tokens=200)

    assert "late" not in summary_of(session)[0]


@pytest.mark.requirement("memory:window")
def test_a_step_that_is_done_again_remembers_the_same(principal: Principal, session: Session) -> None:
    say(principal, session, ("user", "Hello"))
    view = make_view(principal, "What now?", session_id=session.id)
    first = ports_of(view, principal).history()
    say(principal, session, ("assistant", "Something else happened."))

    again = ports_of(view, principal).history()

    assert again == first
    assert [(entry.kind, entry.place) for entry in tape_of(view)] == [("session", "step 0")]
