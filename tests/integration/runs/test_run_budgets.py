"""What one run may take, on the books of real calls."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from apps.agents.models import TapeEntry
from apps.agents.phases.finalize import partial
from apps.agents.sessions.services import create_session
from apps.agents.thinking.budgets import BudgetExhausted, RunMeter
from apps.agents.thinking.calls import ModelFailed
from apps.agents.thinking.ports import ports_for
from apps.agents.types import Budget, Final, Intent, Ports, RunView, StepRecord
from apps.graph.seeding.generator import DEFAULT_SEED
from apps.graph.seeding.sowing import sow
from apps.identity.principal import Principal
from apps.llm.calling import afterwards
from apps.llm.models import LlmCall
from apps.llm.types import Message
from apps.tenancy.services import change_tenant
from devkit.llm_stub import Stub, running_stub
from kernel.tenant_context import tenant_scope
from tests.clients import wait_for
from tests.integration.runs.driving import Driven, drive, keep_step, make_view, real_ports, tape_of
from tests.llm_factories import make_instance, make_provider

HELLO = (Message("user", "one two three"),)


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with running_stub() as running:
        yield running


@pytest.fixture
def model(principal: Principal, stub: Stub) -> str:
    """A model that costs a thousandth of a dollar for each token it reads."""
    provider = make_provider(principal.tenant_id, f"{stub.url}/v1", max_retries=0)
    make_instance(provider, "echo", instance_name="paid", input_nano_usd=1_000_000, max_output_tokens=100)
    return "paid"


def ports_of(view: RunView, principal: Principal, place: str = "step 0") -> Ports:
    return ports_for(
        view, place=place, principal=principal, deadline_s=30.0, report=lambda *_: None, say=lambda _: None,
        checkpoint=lambda: None,
    )  # fmt: skip


@pytest.mark.requirement("budget:calls")
def test_a_run_makes_no_more_calls_than_it_may_whatever_the_place(principal: Principal) -> None:
    view = make_view(principal, "x", budget=Budget(tool_calls=3))
    first, second = ports_of(view, principal), ports_of(view, principal, "step 1")

    given = [
        first.invoke_tool("system.time", {}, tainted=False),
        second.invoke_tool("system.time", {}, tainted=False),
        second.ask_graph("How many users?"),
    ]
    with pytest.raises(BudgetExhausted) as refused:
        second.invoke_tool("graph.schema", {}, tainted=False)

    assert [answer.ok for answer in given[:2]] == [True, True]
    assert (refused.value.code, refused.value.extra) == (
        "budget_exhausted", {"budget": "tool_calls", "limit": 3, "spent": 3},
    )  # fmt: skip
    assert len(tape_of(view)) == 3


@pytest.mark.requirement("budget:calls")
def test_what_earlier_attempts_called_counts_and_what_the_tape_answers_does_not(principal: Principal) -> None:
    view = make_view(principal, "x", budget=Budget(tool_calls=2))
    ports_of(view, principal).invoke_tool("system.time", {}, tainted=False)
    resumed = ports_of(replace(view, attempt=2), principal)

    from_tape = resumed.invoke_tool("system.time", {}, tainted=False)
    second = resumed.invoke_tool("graph.schema", {}, tainted=False)
    with pytest.raises(BudgetExhausted):
        resumed.invoke_tool("agent.history", {}, tainted=False)

    assert (from_tape.ok, second.ok) == (True, True)
    assert [call["from_tape"] for call in resumed.spent().tools] == [True, False]


@pytest.mark.requirement("budget:calls")
def test_a_call_that_changes_something_is_one_of_them_and_its_repeat_is_not(principal: Principal) -> None:
    session, _ = create_session(principal, fields={})
    change = Intent("ADMIN", 0.9, "For the test.", "rules")
    view = make_view(principal, "x", session_id=session.id, intent=change, budget=Budget(tool_calls=1))
    made = ports_of(view, principal).invoke_tool("agent.note", {"text": "one"}, tainted=False)

    with pytest.raises(BudgetExhausted):
        ports_of(view, principal, "step 1").invoke_tool("agent.note", {"text": "two"}, tainted=False)
    with tenant_scope(view.tenant_id):  # as if the worker had died before the answer was kept
        TapeEntry.objects.filter(run_id=view.run_id).update(answer=None, answered_at=None)
    repeated = ports_of(view, principal).invoke_tool("agent.note", {"text": "one"}, tainted=False)

    assert (made.ok, repeated.ok, len(tape_of(view))) == (True, True, 1)


@pytest.mark.requirement("budget:calls")
def test_a_run_whose_calls_are_used_up_brings_what_it_found(principal: Principal) -> None:
    sow(principal.tenant_id, users=2, seed=DEFAULT_SEED)
    view = make_view(principal, "How many users are there, and how many files are there?", budget=Budget(tool_calls=1))
    driven = Driven(view, Final("", ()))
    reached: list[RunView] = []

    def ports(at: RunView, place: str) -> Ports:
        reached.append(at)
        return real_ports(principal, driven)(at, place)

    with pytest.raises(BudgetExhausted) as refused:
        drive(view, ports, driven)
    final = partial(reached[-1], refused.value)

    assert (final.succeeded, final.error and final.error["reason"]) == (False, "budget_exhausted")
    assert "2 users." in final.text
    assert final.outputs[1]["rows"] == [[2]]


@pytest.mark.requirement("budget:tokens")
def test_a_call_that_a_runs_tokens_do_not_pay_for_is_not_made(principal: Principal, model: str) -> None:
    view = make_view(principal, "x", model=model, budget=Budget(tokens=150))
    ports = ports_of(view, principal)

    first = ports.complete(HELLO, purpose="chat")
    with pytest.raises(BudgetExhausted) as refused:
        for number in range(20):
            ports.complete((Message("user", f"{number} two three"),), purpose="chat")

    spent = ports.spent()
    assert first.text == "You said: one two three"
    assert (refused.value.extra["budget"], refused.value.extra["limit"]) == ("tokens", 150)
    assert spent.tokens <= 150
    with tenant_scope(principal.tenant_id):
        assert LlmCall.objects.filter(run_id=view.run_id).count() == len(spent.llm)


@pytest.mark.requirement("budget:tokens")
def test_a_call_that_a_runs_money_does_not_pay_for_is_not_made_by_any_attempt(principal: Principal, model: str) -> None:
    view = make_view(principal, "x", model=model, budget=Budget(nano_usd=40_000_000))
    first = ports_of(view, principal)
    first.complete(HELLO, purpose="chat")
    resumed = ports_of(replace(view, attempt=2), principal, "step 7")

    with pytest.raises(BudgetExhausted) as refused:
        for number in range(50):
            resumed.complete((Message("user", f"{number} two three"),), purpose="chat")

    total = first.spent().cost_nano_usd + resumed.spent().cost_nano_usd
    assert refused.value.extra["budget"] == "usd"
    assert 0 < total <= 40_000_000


@pytest.mark.requirement("budget:tokens")
def test_models_that_the_graph_asks_are_on_the_runs_books(principal: Principal, stub: Stub) -> None:
    query = '{"cypher": "MATCH (u:User) RETURN count(u) AS n", "parameters": {}, "explanation": "Users"}'
    provider = make_provider(principal.tenant_id, f"{stub.url}/v1", max_retries=0)
    writer = make_instance(provider, f"say:{query}", input_nano_usd=1_000, max_output_tokens=100).instance_name
    poor = make_view(principal, "x", model=writer, budget=Budget(tokens=10))
    rich = make_view(principal, "x", model=writer, budget=Budget(tokens=1_000_000))
    ports = ports_of(rich, principal)

    with pytest.raises(BudgetExhausted):
        ports_of(poor, principal).ask_graph("Which gizmos were purple in the year of the flood?")
    answer = ports.ask_graph("Which gizmos were purple in the year of the flood?")

    (row,) = tape_of(rich)
    assert afterwards.finish()
    with tenant_scope(principal.tenant_id):
        booked = [call.input_tokens + call.output_tokens for call in LlmCall.objects.filter(run_id=rich.run_id)]
    spent = ports.spent()
    assert answer["rows"] == [[0]]
    assert tape_of(poor) == []
    assert spent.tokens == row.tokens == sum(booked) > 0
    assert spent.cost_nano_usd == row.cost_nano_usd > 0
    assert [call["purpose"] for call in spent.llm] == ["graph"] * len(booked)


@pytest.mark.requirement("tape:read-back")
def test_an_answer_is_paid_once_however_often_its_step_is_done(principal: Principal, model: str) -> None:
    view = make_view(principal, "x", model=model)
    heard: list[str] = []

    given = [
        ports_of(replace(view, attempt=attempt), principal).complete(HELLO, purpose="chat", say=heard.append)
        for attempt in (1, 1, 2)
    ]

    assert [answer.text for answer in given] == ["You said: one two three"] * 3
    assert "".join(heard) == "You said: one two three" * 3
    with tenant_scope(principal.tenant_id):
        assert LlmCall.objects.filter(run_id=view.run_id).count() == 1


@pytest.mark.requirement("budget:tenant")
def test_a_tenants_spent_budget_is_a_failure_of_the_model(principal: Principal, model: str) -> None:
    change_tenant(principal.tenant_id, {"settings": {"quotas": {"tokens_per_day": 1}}}, by=None)
    view = make_view(principal, "x", model=model, budget=Budget(tokens=1_000_000))

    with pytest.raises(ModelFailed) as failed:
        ports_of(view, principal).complete(HELLO, purpose="chat")

    (row,) = tape_of(view)
    assert failed.value.code == "llm_budget_spent"
    assert row.answer["error"]["code"] == "llm_budget_spent"


@pytest.mark.requirement("budget:wall")
def test_a_run_works_no_longer_than_it_may(principal: Principal) -> None:
    view = make_view(principal, "x", budget=Budget(wall_s=500.0))
    meter = RunMeter(view.run_id, view.tenant_id, view.budget, _began=time.monotonic() - 300)
    late = RunMeter(view.run_id, view.tenant_id, view.budget, _began=time.monotonic() - 501)

    left = meter.wall_left_s()
    with pytest.raises(BudgetExhausted) as refused:
        late.wall_left_s()

    assert left is not None and 100 < left <= 200
    assert refused.value.extra["budget"] == "wall_s"
    assert RunMeter(view.run_id, view.tenant_id, Budget()).wall_left_s() is None


@pytest.mark.requirement("budget:wall")
def test_the_time_of_finished_steps_counts_and_ends_calls_in_time(principal: Principal, stub: Stub) -> None:
    provider = make_provider(principal.tenant_id, f"{stub.url}/v1", max_retries=0)
    make_instance(provider, "slow-first-60", instance_name="slow")
    view = make_view(principal, "x", model="slow", budget=Budget(wall_s=60.5))
    done = run_step_of(view, latency_ms=60_000)
    began = time.monotonic()

    with pytest.raises(ModelFailed) as failed:
        ports_of(done, principal).complete(HELLO, purpose="chat")
    with pytest.raises(BudgetExhausted):
        ports_of(run_step_of(view, latency_ms=600, index=1), principal).invoke_tool("system.time", {}, tainted=False)

    assert failed.value.code == "llm_timeout"
    assert time.monotonic() - began < 20


def run_step_of(view: RunView, *, latency_ms: float, index: int = 0) -> RunView:
    """The view once a step has taken so long."""
    moment = datetime.now(UTC)
    record = StepRecord(uuid4(), index, 1, "graph.ask", "completed", {}, {}, None, latency_ms, moment, moment)
    keep_step(view.run_id, view.tenant_id, record)
    return replace(view, steps=(*view.steps, record))


@pytest.mark.requirement("budget:tokens")
def test_what_a_model_took_without_giving_an_answer_is_in_the_runs_sum(principal: Principal, stub: Stub) -> None:
    provider = make_provider(principal.tenant_id, f"{stub.url}/v1", max_retries=0)
    make_instance(provider, "say:no json", instance_name="misfit", input_nano_usd=1_000, max_output_tokens=100)
    view = make_view(principal, "x", model="misfit")
    ports, again = ports_of(view, principal), ports_of(view, principal)
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}

    for each in (ports, again):
        with pytest.raises(ModelFailed):
            each.complete(HELLO, purpose="plan", response_schema=schema)

    (row,) = tape_of(view)
    with tenant_scope(principal.tenant_id):
        (booked,) = wait_for(
            lambda: [call for call in LlmCall.objects.filter(run_id=view.run_id) if call.state == "settled"],
            what="the call being settled",
        )
    assert ports.spent().tokens == row.tokens == booked.input_tokens + booked.output_tokens > 0
    assert ports.spent().cost_nano_usd == row.cost_nano_usd == booked.nano_usd > 0
    assert again.spent().tokens == row.tokens
