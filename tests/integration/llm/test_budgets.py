"""What a call holds before it and settles after it, refusals, warnings, and calls whose process died."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import Error as DatabaseError
from django.db import connections
from prometheus_client import REGISTRY

from apps.llm.catalogue import InstanceConfig
from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.models import LlmAccount, LlmCall, LlmHour
from apps.llm.money import budgets, pricing, usage
from apps.llm.money.budgets import Hold
from apps.llm.providers.base import ProviderConfig
from apps.llm.types import CompletionRequest, Cost, Message, RunBudget, Usage
from apps.tenancy.services import create_tenant
from kernel.errors import NotFoundError, ValidationError
from kernel.tenant_context import OWN_TENANT, tenant_scope, tenant_statement
from tests.clients import free_port

PROVIDER = ProviderConfig(uuid4(), None, "a provider", "openai", "http://127.0.0.1:1/v1", 1)
INSTANCE = InstanceConfig(uuid4(), None, "a model", PROVIDER, "m", input_nano_usd=1_000, output_nano_usd=2_000)
PRICE = pricing.price_of(INSTANCE)


def tenant_with(**quotas: Any) -> UUID:
    mark = uuid4().hex[:12]
    return UUID(str(create_tenant(f"t-{mark}", f"Tenant {mark}", tenant_settings={"quotas": quotas}).id))


def request_of(
    tenant_id: UUID, run: RunBudget | None = None, run_id: UUID | None = None, **more: Any
) -> CompletionRequest:
    return CompletionRequest(tenant_id, "ada", (Message("user", "x"),), run_budget=run, run_id=run_id, **more)


def reserve(request: CompletionRequest, tokens_in: int = 10, most: int = 10, expires_in_s: float = 60.0) -> Hold:
    return budgets.reserve(
        request,
        call_id=uuid4(),
        instance=INSTANCE,
        price=PRICE,
        tokens_in=tokens_in,
        max_tokens=most,
        expires_in_s=expires_in_s,
        used_fallback=False,
    )


def settle(hold: Hold, tokens_in: int = 10, tokens_out: int = 5, outcome: str = "ok") -> None:
    used = Usage(tokens_in, tokens_out)
    cost = pricing.cost_of(used, PRICE)
    budgets.settle(hold, usage=used, cost=cost, outcome=outcome, attempts=1, latency_ms=1.5)


def books(tenant_id: UUID, key: str = "") -> tuple[int, int, int, int]:
    """(spent money, spent tokens, held money, held tokens) of an account, after the hours were held against it."""
    with tenant_scope(tenant_id):
        account = LlmAccount.objects.get(key=key)
        hours = list(LlmHour.objects.values_list("nano_usd", "tokens"))
    if key == "":
        spent = (sum(hour[0] for hour in hours), sum(hour[1] for hour in hours))
        assert spent == (account.spent_nano_usd, account.spent_tokens)
    return account.spent_nano_usd, account.spent_tokens, account.held_nano_usd, account.held_tokens


def the_call(tenant_id: UUID) -> LlmCall:
    with tenant_scope(tenant_id):
        return LlmCall.objects.get()


@pytest.mark.requirement("llm:budget-hard")
def test_a_call_holds_its_most_and_settles_what_it_cost() -> None:
    tenant_id, run_id = tenant_with(), uuid4()

    hold = reserve(request_of(tenant_id, run_id=run_id, purpose="classify"))
    held = books(tenant_id), books(tenant_id, str(run_id)), the_call(tenant_id)
    settle(hold)
    call = the_call(tenant_id)

    assert held[:2] == ((0, 0, 30_000, 20), (0, 0, 30_000, 20))
    assert (held[2].state, held[2].held_tokens, held[2].nano_usd) == ("open", 20, 0)
    assert books(tenant_id) == books(tenant_id, str(run_id)) == (20_000, 15, 0, 0)
    assert (call.state, call.outcome, call.nano_usd, call.input_tokens, call.output_tokens) == (
        "settled",
        "ok",
        20_000,
        10,
        5,
    )
    assert (call.user_sub, call.purpose, call.run_id, call.priced_by) == ("ada", "classify", run_id, "instance")
    assert hold.warnings == ()


@pytest.mark.requirement("llm:budget-hard")
@pytest.mark.parametrize(
    ("quotas", "says"),
    [
        ({"tokens_per_day": 50}, "The tenant's budget of tokens for 24 hours has 20 tokens left of 50 tokens"),
        (
            {"cost_usd_per_day": 0.00007},
            "The tenant's budget of money for 24 hours has 0.000040 USD left of 0.000070 USD",
        ),
    ],
)
def test_a_call_that_a_tenant_cannot_pay_is_refused(quotas: dict[str, Any], says: str) -> None:
    tenant_id = tenant_with(**quotas)
    settle(reserve(request_of(tenant_id)), 30, 0)

    with pytest.raises(ProviderFailure) as caught:
        reserve(request_of(tenant_id), 10, 20)

    assert caught.value.kind == FailureKind.BUDGET
    assert caught.value.detail.startswith(says)
    assert caught.value.retry_after_s is not None and 23 * 3600 <= caught.value.retry_after_s <= 25 * 3600
    assert books(tenant_id) == (30_000, 30, 0, 0)


@pytest.mark.requirement("llm:budget-hard")
def test_what_calls_under_way_hold_is_not_given_twice() -> None:
    tenant_id = tenant_with(tokens_per_day=30)
    first = reserve(request_of(tenant_id))

    with pytest.raises(ProviderFailure) as held:
        reserve(request_of(tenant_id))
    with pytest.raises(ProviderFailure) as too_large:
        reserve(request_of(tenant_id), 31)
    settle(first, 1, 0)
    second = reserve(request_of(tenant_id))

    assert held.value.retry_after_s == 5.0
    assert too_large.value.retry_after_s is None
    assert isinstance(second, Hold)


@pytest.mark.requirement("llm:budget-hard")
def test_a_run_is_refused_by_its_own_budget_and_no_other_run() -> None:
    tenant_id, run_id = tenant_with(), uuid4()
    budget = RunBudget(tokens=30)
    settle(reserve(request_of(tenant_id, budget, run_id)), 10, 10)

    with pytest.raises(ProviderFailure, match="The run's budget of tokens has 10 tokens left of 30 tokens"):
        reserve(request_of(tenant_id, budget, run_id))
    with pytest.raises(ProviderFailure, match="The run's budget of money"):
        reserve(request_of(tenant_id, RunBudget(nano_usd=49_999), run_id))
    with pytest.raises(ValidationError):
        reserve(request_of(tenant_id, budget))

    assert isinstance(reserve(request_of(tenant_id, budget, uuid4())), Hold)


@pytest.mark.requirement("llm:budget-hard")
def test_a_free_call_needs_no_money() -> None:
    tenant_id = tenant_with(cost_usd_per_day=0)

    with pytest.raises(ProviderFailure):
        reserve(request_of(tenant_id))
    hold = budgets.reserve(
        request_of(tenant_id),
        call_id=uuid4(),
        instance=INSTANCE,
        price=pricing.FREE,
        tokens_in=10,
        max_tokens=10,
        expires_in_s=60,
        used_fallback=True,
    )
    budgets.settle(hold, usage=Usage(5, 5), cost=Cost(0, "free"), outcome="ok", attempts=1, latency_ms=1)

    assert books(tenant_id) == (0, 10, 0, 0)


@pytest.mark.requirement("llm:budget-hard")
def test_what_was_spent_more_than_a_day_ago_counts_no_more(superuser: psycopg.Connection[Any]) -> None:
    tenant_id = tenant_with(tokens_per_day=20)
    settle(reserve(request_of(tenant_id)), 10, 10)

    for hours, allowed in ((24, False), (25, True)):
        superuser.execute(
            "UPDATE llm_hours SET hour = date_trunc('hour', now(), 'UTC') - make_interval(hours => %s) "
            "WHERE tenant_id = %s",
            [hours, tenant_id],
        )
        if allowed:
            assert isinstance(reserve(request_of(tenant_id)), Hold)
        else:
            with pytest.raises(ProviderFailure):
                reserve(request_of(tenant_id))


@pytest.mark.requirement("llm:budget-soft")
def test_a_budget_that_is_nearly_spent_warns_before_it_refuses() -> None:
    tenant_id, run_id = tenant_with(tokens_per_day=100, budget_warn_percent=50), uuid4()

    quiet = reserve(request_of(tenant_id), 25, 25)
    loud = reserve(request_of(tenant_id, RunBudget(nano_usd=2_000, soft_share=0.5), run_id), 1, 0)
    louder = reserve(request_of(tenant_id, RunBudget(nano_usd=2_000, soft_share=0.5), run_id), 1, 0)
    standing = usage.standing(tenant_id)

    assert quiet.warnings == ()
    assert loud.warnings == (
        "51 % of the tenant's budget of tokens for 24 hours is spent or held: 51 tokens of 100 tokens.",
    )
    assert louder.warnings[1] == "100 % of the run's budget of money is spent or held: 0.000002 USD of 0.000002 USD."
    assert standing.warnings == (louder.warnings[0],)
    assert (standing.held_tokens, standing.spent_tokens, standing.budgets["day_tokens"].left) == (52, 0, 48)


@pytest.mark.requirement("llm:budget-crash")
def test_settling_twice_books_once() -> None:
    tenant_id = tenant_with()
    hold = reserve(request_of(tenant_id))

    settle(hold)
    settle(hold, 10, 10)

    assert books(tenant_id) == (20_000, 15, 0, 0)


@pytest.mark.requirement("llm:budget-crash")
@pytest.mark.parametrize("spent", [1, 500])
def test_a_call_that_was_given_up_counts_what_it_held_until_it_settles_after_all(spent: int) -> None:
    tenant_id, run_id = tenant_with(), uuid4()
    lost_before = REGISTRY.get_sample_value("agent_llm_holds_lost_total") or 0.0
    hold = reserve(request_of(tenant_id, run_id=run_id), expires_in_s=0)
    other = reserve(request_of(tenant_id))

    assert budgets.release_lost() >= 1
    lost, counted = books(tenant_id), REGISTRY.get_sample_value("agent_llm_holds_lost_total")
    with tenant_scope(tenant_id):
        row = LlmCall.objects.get(id=hold.id)
    budgets.release_lost()
    settle(other, 0, 0)
    settle(hold, spent, 0)
    settle(hold, 7, 7)

    assert lost == (30_000, 20, 30_000, 20)
    assert (row.state, row.nano_usd, row.input_tokens, row.output_tokens) == ("lost", 30_000, 10, 10)
    assert counted is not None and counted > lost_before
    assert books(tenant_id) == books(tenant_id, str(run_id)) == (spent * 1_000, spent, 0, 0)


@pytest.mark.requirement("llm:budget-crash")
def test_a_reservation_that_the_database_forgot_is_booked_when_it_settles(superuser: psycopg.Connection[Any]) -> None:
    tenant_id, run_id = tenant_with(), uuid4()
    hold = reserve(request_of(tenant_id, run_id=run_id))
    for table in ("llm_calls", "llm_accounts"):
        superuser.execute(f"DELETE FROM {table} WHERE tenant_id = %s", [tenant_id])

    settle(hold)
    settle(hold)

    assert books(tenant_id) == books(tenant_id, str(run_id)) == (20_000, 15, 0, 0)


@pytest.mark.requirement("llm:books-erased")
def test_a_call_that_outlives_its_tenant_leaves_no_row(superuser: psycopg.Connection[Any]) -> None:
    tenant_id = tenant_with()
    hold = reserve(request_of(tenant_id))
    for table, column in (("llm_calls", "tenant_id"), ("llm_accounts", "tenant_id"), ("tenants", "id")):
        superuser.execute(f"DELETE FROM {table} WHERE {column} = %s", [tenant_id])

    settle(hold)

    row = superuser.execute("SELECT count(*) FROM llm_calls WHERE tenant_id = %s", [tenant_id]).fetchone()
    assert row == (0,)
    with pytest.raises(NotFoundError):
        reserve(request_of(uuid4()))


@pytest.mark.requirement("llm:budget-crash")
def test_the_books_are_cleaned_of_what_is_past_its_time(superuser: psycopg.Connection[Any]) -> None:
    tenant_id, old_run, new_run = tenant_with(), uuid4(), uuid4()
    for run_id in (old_run, new_run):
        settle(reserve(request_of(tenant_id, run_id=run_id)))
    reserve(request_of(tenant_id, run_id=old_run, purpose="open"))
    open_run = uuid4()
    reserve(request_of(tenant_id, run_id=open_run, purpose="open"))
    ages = (
        ("UPDATE llm_calls SET started_at = now() - interval '401 days' WHERE run_id = %s", old_run),
        ("UPDATE llm_accounts SET updated_at = now() - interval '31 days' WHERE key = %s", str(open_run)),
        ("UPDATE llm_accounts SET updated_at = now() - interval '31 days' WHERE key = %s", str(new_run)),
        ("UPDATE llm_hours SET hour = hour - interval '50 hours' WHERE tenant_id = %s", tenant_id),
    )
    for query, value in ages:
        superuser.execute(query, [value])  # type: ignore[call-overload]

    gone = budgets.clean()

    with tenant_scope(tenant_id):
        calls = set(LlmCall.objects.values_list("run_id", "state"))
        accounts = set(LlmAccount.objects.values_list("key", flat=True))
        hours = LlmHour.objects.count()
    assert gone >= 3
    assert calls == {(new_run, "settled"), (old_run, "open"), (open_run, "open")}
    assert accounts == {"", str(old_run), str(open_run)}
    assert hours == 0


@pytest.mark.requirement("llm:budget-fail-closed")
def test_without_the_books_no_call_is_made() -> None:
    tenant_id = tenant_with()
    away = {**os.environ, "DATABASE_URL": f"postgresql://cineca_app:x@127.0.0.1:{free_port()}/nowhere"}
    script = Path(__file__).with_name("spenders.py")

    ended = subprocess.run(
        [sys.executable, script, str(tenant_id), "-", "-", "-", "1", "1"], env=away, capture_output=True, text=True
    )

    assert json.loads(ended.stdout) == {"unavailable": "database_unavailable"}, ended.stderr[-2000:]


@pytest.mark.requirement("llm:budget-hard")
def test_a_call_inside_a_transaction_is_a_mistake() -> None:
    tenant_id = tenant_with()

    with pytest.raises(RuntimeError), tenant_scope(tenant_id):
        reserve(request_of(tenant_id))
    with pytest.raises(RuntimeError), tenant_scope(tenant_id):
        tenant_statement(tenant_id, "SELECT 1", {})


@pytest.mark.requirement("tenancy:pooled-connection")
def test_a_statement_of_its_own_sees_its_tenant_and_leaves_nothing_on_the_connection() -> None:
    mine, theirs = tenant_with(), tenant_with()
    for tenant_id in (mine, theirs):
        settle(reserve(request_of(tenant_id)))

    seen, told = [], []
    for tenant_id in (mine, theirs, uuid4()):
        seen.append({row["tenant_id"] for row in tenant_statement(tenant_id, "SELECT tenant_id FROM llm_calls", {})})
        told += tenant_statement(tenant_id, f"SELECT current_setting('app.tenant_id') AS tenant FROM {OWN_TENANT}", {})
        connections["default"].ensure_connection()  # the next is run on the thread's own
    with pytest.raises(psycopg.errors.DivisionByZero):
        tenant_statement(mine, "SELECT 1 / 0", {})
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        tenant_statement(mine, "UPDATE llm_calls SET tenant_id = %(other)s", {"other": theirs})
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT count(*), coalesce(current_setting('app.tenant_id', true), '') FROM llm_calls")
        after = cursor.fetchone()

    assert seen == [{mine}, {theirs}, set()]
    assert [row["tenant"] for row in told[:2]] == [str(mine), str(theirs)]
    assert after == (0, "")


@pytest.mark.requirement("tenancy:pooled-connection")
def test_a_statement_of_its_own_is_committed_whatever_was_left_on_the_connection() -> None:
    tenant_id = tenant_with()
    with suppress(DatabaseError), tenant_scope(tenant_id):
        connections["default"].close()  # torn down while open: the pool has it back as it was

    holds = [reserve(request_of(tenant_id)) for _ in range(8)]  # each connection of the pool has its turn

    assert connections["default"].connection is None
    rows = tenant_statement(tenant_id, "SELECT id FROM llm_calls", {})
    assert {row["id"] for row in rows} == {hold.id for hold in holds}


@pytest.mark.requirement("llm:usage")
def test_what_was_spent_is_told_by_model_user_run_purpose_and_day_to_its_own_tenant() -> None:
    mine, theirs, run_id = tenant_with(), tenant_with(), uuid4()
    settle(reserve(request_of(mine, purpose="plan")), 10, 10)
    settle(reserve(request_of(mine, run_id=run_id)), 1, 0, outcome="timeout")
    lost = reserve(request_of(mine), expires_in_s=0)
    reserve(request_of(mine))
    settle(reserve(request_of(theirs)), 99, 0)
    budgets.release_lost()
    now = datetime.now(UTC)
    span = {"since": now - timedelta(days=1), "until": now + timedelta(minutes=1)}

    reports = {key: usage.report(mine, group_by=key, **span) for key in usage.KEYS}  # type: ignore[arg-type]
    nobody = usage.report(mine, only_sub="eve", **span)
    foreign = usage.report(theirs, **span)

    assert lost.id
    (model,) = reports["model"].rows
    assert model.as_json() == {
        "key": "m", "calls": 3, "failed": 1, "input_tokens": 21, "output_tokens": 20, "total_tokens": 41,
        "cost_usd": 0.000061, "lost": 1,
    }  # fmt: skip
    assert [row.key for row in reports["purpose"].rows] == ["chat", "plan"]
    assert {row.key for row in reports["run"].rows} == {"", str(run_id)}
    assert [row.key for row in reports["user"].rows] == ["ada"]
    days = {moment.strftime("%Y-%m-%d") for moment in (now - timedelta(minutes=10), now)}  # two at midnight
    assert {row.key for row in reports["day"].rows} <= days
    assert {report.totals.nano_usd for report in reports.values()} == {61_000}
    assert (nobody.rows, nobody.totals.calls, nobody.groups) == ((), 0, 0)
    assert foreign.totals.total_tokens == 99
    with pytest.raises(ValidationError):
        usage.report(mine, group_by="tenant_id; DROP TABLE", **span)  # type: ignore[arg-type]
