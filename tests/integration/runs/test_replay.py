"""Runs that were recorded on real servers, followed again on their tapes alone."""

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.agents.phases import step as step_module
from apps.agents.phases.step import step
from apps.agents.prompts import texts
from apps.agents.sessions.services import add_step, create_session
from apps.agents.thinking.replay import ReplayMiss, replay_ports
from apps.agents.types import AgentSpec
from apps.graph.seeding.generator import DEFAULT_SEED
from apps.graph.seeding.sowing import sow
from apps.identity.principal import Principal
from apps.tenancy.models import Tenant
from tests.factories import make_principal, make_tenant
from tests.integration.runs.driving import Driven, entries_of, replayed, run


@pytest.fixture(scope="module")
def seeded() -> Tenant:
    tenant = make_tenant()
    sow(tenant.id, users=4, seed=DEFAULT_SEED)
    return tenant


@pytest.fixture
def asker(seeded: Tenant) -> Principal:
    return make_principal(seeded)


def told(driven: Driven) -> list[Any]:
    """What of a run must be the same in its replay."""
    steps = [(one.action, one.status, one.input, one.output, one.error, one.tokens) for one in driven.view.steps]
    return [driven.view.intent, driven.view.todos, steps, driven.final, driven.warnings]


@pytest.mark.parametrize(
    "prompt",
    [
        "How many failed tasks are there, and which users run the most tasks?",
        "What time is it?",
        "Find failed tasks and then summarise them",
        "Which planets have rings and tasks?",
        "delete all tasks",
    ],
)
@pytest.mark.requirement("replay:exact")
def test_a_run_on_its_tape_alone_ends_as_it_did(asker: Principal, prompt: str) -> None:
    recorded = run(asker, prompt)
    entries = entries_of(recorded.view)

    with CaptureQueriesContext(connection) as queries:
        again = replayed(recorded.view, entries)

    assert entries
    assert told(again) == told(recorded)
    assert list(queries) == []


@pytest.mark.requirement("replay:exact")
def test_a_run_remembers_its_session_as_it_was_then(asker: Principal) -> None:
    session, _ = create_session(asker, fields={})
    add_step(asker, session.id, fields={"type": "user", "message": "My name is Nerea."})
    recorded = run(asker, "What is my name?", session_id=session.id)
    add_step(asker, session.id, fields={"type": "user", "message": "My name is Teodor."})

    again = replayed(recorded.view, entries_of(recorded.view))

    assert recorded.final.text == "Your name is Nerea."
    assert told(again) == told(recorded)


@pytest.mark.requirement("replay:miss")
def test_a_changed_prompt_is_a_miss_that_names_the_step_and_shows_the_change(
    asker: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = run(asker, "Find failed tasks and then summarise them")
    monkeypatch.setattr(step_module.texts, "ANSWER", texts.ANSWER + "\nAnswer in rhymes.")

    with pytest.raises(ReplayMiss) as missed:
        replayed(recorded.view, entries_of(recorded.view))

    assert (missed.value.place, missed.value.kind) == ("step 1", "model")
    assert "step 1: the tape has no answer" in str(missed.value)
    assert "+Answer in rhymes." in missed.value.difference


@pytest.mark.requirement("replay:miss")
def test_a_changed_question_is_a_miss_that_shows_both(asker: Principal) -> None:
    recorded = run(asker, "How many users are there?")
    view = replace(recorded.view, todos=(replace(recorded.view.todos[0], task="How many files are there?"),))

    with pytest.raises(ReplayMiss) as missed:
        step(view, 0, replay_ports(view, entries_of(recorded.view), place="step 0"))

    assert missed.value.place == "step 0"
    assert '- "question": "How many users are there?"' in missed.value.difference
    assert '+ "question": "How many files are there?"' in missed.value.difference


@pytest.mark.requirement("replay:miss")
def test_what_was_never_asked_is_a_miss(asker: Principal) -> None:
    recorded = run(asker, "How many users are there?")
    agent = AgentSpec("default", 1, planning_mode="full")

    with pytest.raises(ReplayMiss) as missed:
        replayed(replace(recorded.view, agent=agent), entries_of(recorded.view))

    assert (missed.value.place, missed.value.kind) == ("plan", "model")
    assert missed.value.difference.startswith("Nothing was asked here.")
