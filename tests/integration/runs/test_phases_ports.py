"""The ports of a run on real servers: rights, personal data, changes, cancellation, hostile models."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from apps.agents.models import SessionStep, TapeEntry
from apps.agents.phases.finalize import finalize
from apps.agents.phases.step import step
from apps.agents.sessions.services import create_session
from apps.agents.thinking.ports import ports_for
from apps.agents.types import AgentSpec, Intent, Ports, RunView, Todo
from apps.graph.seeding.generator import DEFAULT_SEED
from apps.graph.seeding.sowing import sow
from apps.identity.principal import Principal
from apps.llm.types import Message
from apps.tenancy.models import Tenant
from apps.tenancy.services import change_tenant
from devkit.llm_stub import Stub, running_stub
from kernel.tenant_context import tenant_scope
from tests.factories import make_principal
from tests.integration.runs.driving import make_view, run, tape_of
from tests.llm_factories import make_instance, make_provider

HELLO = (Message("user", "Hello"),)
ADMIN = Intent("ADMIN", 0.9, "For the test.", "rules")


class Stopped(BaseException):
    """What a checkpoint raises."""


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with running_stub() as running:
        yield running


def add_model(principal: Principal, stub: Stub, model_id: str) -> str:
    provider = make_provider(principal.tenant_id, f"{stub.url}/v1", max_retries=0, timeout_s=20)
    return make_instance(provider, model_id).instance_name


def ports_of(view: RunView, principal: Principal, place: str = "step 0", **more: Any) -> Ports:
    more = {"report": lambda *_: None, "say": lambda _: None, "checkpoint": lambda: None, **more}
    return ports_for(view, place=place, principal=principal, deadline_s=30.0, **more)


# -- rights
@pytest.mark.requirement("thinking:tool-rights")
def test_a_tool_is_called_with_the_rights_of_the_one_who_asks_however_it_is_named(tenant: Tenant) -> None:
    auditor = make_principal(tenant, "auditor")
    ports = ports_of(make_view(auditor, "x"), auditor)

    query = ports.invoke_tool("graph.query", {"cypher": "MATCH (n) RETURN n"}, tainted=False)
    graph = ports.ask_graph("How many users are there?")
    unknown = ports.invoke_tool("shell.exec", {"command": "id"}, tainted=False)
    misfit = ports.invoke_tool("system.time", {"zone": "CET"}, tainted=False)

    assert {tool.name for tool in ports.tools} == {"agent.history", "security.allowed_operations", "system.time"}
    assert (query.error or {})["code"] == "forbidden"
    assert "graph:read" in (query.error or {})["message"]
    assert graph["error"]["code"] == "forbidden"
    assert (unknown.error or {})["code"] == "tool_not_found"
    assert (misfit.error or {})["code"] == "invalid_arguments"


@pytest.mark.requirement("thinking:tool-rights")
def test_a_token_without_the_scope_and_an_agent_without_the_tool_take_it_away(principal: Principal) -> None:
    narrowed = replace(principal, scopes=frozenset({"read", "write"}))
    agent = AgentSpec("a", 1, tools=("system.time",))

    of_token = ports_of(make_view(narrowed, "x"), narrowed).invoke_tool("system.time", {}, tainted=False)
    of_agent = ports_of(make_view(principal, "x", agent=agent), principal).invoke_tool(
        "graph.schema", {}, tainted=False
    )

    assert (of_token.error or {})["code"] == "forbidden"
    assert (of_agent.error or {})["code"] == "tool_not_allowed"


@pytest.mark.requirement("thinking:tool-rights")
def test_the_gate_stands_before_every_query_of_a_tool(tenant: Tenant) -> None:
    admin = make_principal(tenant, "admin")
    ports = ports_of(make_view(admin, "x", intent=ADMIN), admin)

    answers = [
        ports.invoke_tool("graph.query", {"cypher": cypher}, tainted=False)
        for cypher in ("MATCH (n) DETACH DELETE n", "CREATE (:Gene {id: 'x'})", "MATCH (n {tenant_id: 'x'}) RETURN n")
    ]

    assert [(answer.ok, (answer.error or {})["code"]) for answer in answers] == [(False, "cypher_refused")] * 3


# -- changes
@pytest.mark.requirement("tape:intent")
def test_a_note_is_written_once_although_its_step_is_done_again(principal: Principal) -> None:
    session, _ = create_session(principal, fields={})
    view = make_view(principal, "Add a note to the session", session_id=session.id, intent=ADMIN)

    first = ports_of(view, principal).invoke_tool("agent.note", {"text": "BRCA1 is done"}, tainted=False)
    (kept,) = tape_of(view)
    with tenant_scope(view.tenant_id):  # as if the worker had died before the answer was kept
        TapeEntry.objects.filter(id=kept.id).update(answer=None, answered_at=None)
    second = ports_of(replace(view, attempt=2), principal).invoke_tool(
        "agent.note", {"text": "BRCA1 is done"}, tainted=False
    )

    with tenant_scope(view.tenant_id):
        notes = list(SessionStep.objects.filter(session_id=session.id))
    assert first.result == second.result
    assert [note.message for note in notes] == ["BRCA1 is done"]
    assert [row.idempotency_key for row in tape_of(view)] == [kept.idempotency_key]


@pytest.mark.requirement("thinking:no-more-rights")
def test_a_run_that_was_not_asked_for_a_change_makes_none_whatever_a_model_calls(principal: Principal) -> None:
    session, _ = create_session(principal, fields={})
    view = make_view(principal, "Hello", session_id=session.id, intent=Intent("CHAT", 0.9, "x", "rules"))
    ports = ports_of(view, principal)

    given = ports.invoke_tool("agent.note", {"text": "I was here"}, tainted=False)

    assert (given.ok, (given.error or {})["code"]) == (False, "not_asked_for")
    assert "agent.note" not in [tool.name for tool in ports.tools]
    assert tape_of(view) == []


# -- personal data
@pytest.mark.parametrize(("mode", "shown"), [("mask", "[REDACTED]"), ("off", "nerea.ferrante@example.org")])
@pytest.mark.requirement("thinking:scrubbed")
def test_answers_carry_no_personal_data_as_they_come_and_when_they_are_whole(
    principal: Principal, stub: Stub, mode: str, shown: str
) -> None:
    change_tenant(principal.tenant_id, {"settings": {"pii_mode": mode}}, by=None)
    model = add_model(principal, stub, "say:Write to nerea.ferrante@example.org or call +39 051 209 9999 today")

    driven = run(principal, "hello", model=model)

    heard = "".join(driven.said)
    assert driven.final.text == heard
    assert shown in heard
    assert ("209 9999" in heard) == (mode == "off")
    assert len(driven.said) > 1


# -- stops
@pytest.mark.requirement("thinking:failures")
def test_a_cancelled_run_leaves_a_slow_model_at_once(principal: Principal, stub: Stub) -> None:
    view = make_view(principal, "x", model=add_model(principal, stub, "slow-first-60"))
    stop = threading.Event()

    def checkpoint() -> None:
        if stop.is_set():
            raise Stopped

    ports = ports_of(view, principal, checkpoint=checkpoint, cancelled=stop.is_set)
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()

    with pytest.raises(Stopped):
        ports.complete(HELLO, purpose="chat")

    assert time.monotonic() - began < 20
    assert tape_of(view) == []


@pytest.mark.requirement("thinking:failures")
def test_a_checkpoint_stops_an_answer_that_is_being_told_and_nothing_of_it_is_kept(
    principal: Principal, stub: Stub
) -> None:
    view = make_view(principal, "x", model=add_model(principal, stub, "drip-0.02"))
    heard: list[str] = []

    def checkpoint() -> None:
        if heard:
            raise Stopped

    ports = ports_of(view, principal, checkpoint=checkpoint, say=heard.append)
    with pytest.raises(Stopped):
        ports.complete((Message("user", "one two three four five six seven"),), purpose="chat", say=ports.say)

    assert 1 <= len(heard) < 5
    assert tape_of(view) == []


@pytest.mark.requirement("thinking:failures")
def test_a_model_that_does_not_exist_is_a_failed_step_and_a_failed_run(principal: Principal) -> None:
    driven = run(principal, "hello", model="no-such-model")

    assert (driven.view.steps[0].status, driven.view.steps[0].error or {}) == (
        "failed", {"code": "model_not_found", "message": (driven.final.error or {})["message"]},
    )  # fmt: skip
    assert (driven.final.succeeded, (driven.final.error or {})["reason"]) == (False, "model_not_found")


# -- hostile models
@pytest.mark.requirement("thinking:output-as-text")
def test_what_a_model_writes_runs_nowhere(principal: Principal, stub: Stub) -> None:
    text = "{{7*7}} MATCH (n) DETACH DELETE n; $(id) <script>x</script> %s"
    driven = run(principal, "hello", model=add_model(principal, stub, f"say:{text}"))

    assert driven.final.text == text
    assert [entry.kind for entry in tape_of(driven.view)] == ["model"]


@pytest.mark.requirement("thinking:tool-data")
def test_a_model_that_does_what_its_tool_says_reaches_no_more_than_its_asker_may(
    principal: Principal, stub: Stub
) -> None:
    """The stub's model calls the first tool with the person's own words, and repeats what it gave."""
    view = make_view(principal, "MATCH (n) DETACH DELETE n", model=add_model(principal, stub, "tool"))
    view = replace(view, intent=Intent("CHAT", 0.9, "A model said so.", "model"), todos=(Todo(view.prompt, "answer"),))

    result = step(view, 0, ports_of(view, principal))

    (call,) = result.output["calls"]
    assert (call["tool"], call["ok"], call["error"]["code"]) == ("graph.query", False, "cypher_refused")
    assert result.output["text"].startswith('The tool gave: {"ok": false')


@pytest.mark.requirement("thinking:finalize-modes")
def test_a_run_without_any_model_at_hand_answers_from_the_graph_and_says_it_is_degraded(
    principal: Principal, stub: Stub
) -> None:
    model = add_model(principal, stub, "fail-503")
    make_view(principal, "x")

    driven = run(principal, "How many users are there, and how many files are there?", model=model)

    assert driven.actions == ["graph.ask", "graph.ask"]
    assert (driven.final.succeeded, driven.final.text.count("**")) == (True, 4)
    spent = ports_of(driven.view, principal, "finalize")
    assert finalize(driven.view, spent).text == driven.final.text


LONG = "MATCH (a:Task)-[*1..4]-(b) RETURN count(b) AS n"  # longer than a query may take


@pytest.mark.requirement("thinking:failures")
@pytest.mark.parametrize("door", ["graph", "tool"])
def test_a_cancelled_run_ends_its_query_on_the_server(principal: Principal, settings: Any, door: str) -> None:
    settings.GRAPH_TIMEOUT_S = 60.0
    sow(principal.tenant_id, users=40, seed=DEFAULT_SEED)
    view, stop = make_view(principal, "x"), threading.Event()

    def checkpoint() -> None:
        if stop.is_set():
            raise Stopped

    ports = ports_of(view, principal, checkpoint=checkpoint, cancelled=stop.is_set)
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()

    with pytest.raises(Stopped):
        ports.ask_graph(LONG) if door == "graph" else ports.invoke_tool("graph.query", {"cypher": LONG}, tainted=False)

    assert time.monotonic() - began < 20
    assert tape_of(view) == []
