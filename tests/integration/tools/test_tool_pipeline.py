"""The one way to call a tool: what is refused before it runs, and what stands in the store after."""

import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from pydantic import Field

from apps.audit import trail
from apps.graph.errors import QueryCancelledError
from apps.identity.principal import Principal
from apps.tenancy.services import change_tenant
from apps.tools import approvals, pipeline, syncing
from apps.tools.calls import Call
from apps.tools.context import ToolContext
from apps.tools.errors import ApprovalRequired, ReadOnly, ToolFailed
from apps.tools.models import ToolApproval, ToolInvocation
from apps.tools.spec import DECLARED, Rate, ToolInput, ToolOutput, tool
from kernel.connections import give_back
from kernel.errors import ConflictError, ForbiddenError, NotFoundError, RateLimitedError, ValidationError
from kernel.tenant_context import tenant_scope, tenant_statement
from tests.factories import make_principal
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:pipeline")
EFFECTS: list[str] = []


class In(ToolInput):
    text: str = Field("x", max_length=100)
    number: int = 1
    wanted: bool = False


class Out(ToolOutput):
    text: str
    keys: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def declared() -> Iterator[None]:
    """Tools that only these tests know."""

    @tool("probe.echo", effect="read")
    def echo(context: ToolContext, given: In) -> Out:
        """Say it again."""
        return Out(text=given.text)

    @tool("probe.rare", effect="read", rate=Rate(2, 60))
    def rare(context: ToolContext, given: In) -> Out:
        """Twice a minute."""
        return Out(text=given.text)

    @tool("probe.write", effect="write")
    def write(context: ToolContext, given: In) -> Out:
        """Leave something behind."""
        EFFECTS.append(context.idempotency_key)
        return Out(text=given.text)

    @tool("probe.hung_up", effect="write")
    def hung_up(context: ToolContext, given: In) -> Out:
        """PostgreSQL hangs up in the midst of the first call."""
        EFFECTS.append(context.idempotency_key)
        if EFFECTS.count(context.idempotency_key) == 1:
            tenant_statement(context.tenant_id, "SELECT pg_terminate_backend(pg_backend_pid())", {})
        return Out(text=given.text)

    @tool("probe.waits", effect="write")
    def waits(context: ToolContext, given: In) -> Out:
        """Wait for a query, which is ended when the caller leaves."""
        EFFECTS.append(context.idempotency_key)
        if context.cancelled():
            raise QueryCancelledError("The query was cancelled and ended.")
        return Out(text=given.text)

    @tool("probe.destroy", effect="destructive", permissions=("graph:delete",))
    def destroy(context: ToolContext, given: In) -> Out:
        """Take something away."""
        EFFECTS.append(context.idempotency_key)
        return Out(text=given.text)

    @tool("probe.fails", effect="read")
    def fails(context: ToolContext, given: In) -> Out:
        """Fail with a sentence."""
        raise ToolFailed("There is nothing of that name. Look at another.", wanted=given.text)

    @tool("probe.breaks", effect="write")
    def breaks(context: ToolContext, given: In) -> Out:
        """Have a bug."""
        raise ZeroDivisionError("secret detail")

    @tool("probe.large", effect="read")
    def large(context: ToolContext, given: In) -> Out:
        """Say far too much."""
        return Out(text="x" * 300_000)

    @tool("probe.sleeps", effect="read", timeout_s=60)
    def sleeps(context: ToolContext, given: In) -> Out:
        """Look at the time in a loop, as tools should."""
        while True:
            context.checkpoint()
            time.sleep(0.01)

    @tool("probe.spins", effect="read", timeout_s=60)
    def spins(context: ToolContext, given: In) -> Out:
        """Never look at the time."""
        while True:
            pass

    syncing.sync(approve=True, by="tests")
    yield
    for name in [name for name in DECLARED if name.startswith("probe.")]:
        del DECLARED[name]
    syncing.sync(approve=True, by="tests")


def invocations(principal: Principal) -> list[ToolInvocation]:
    with tenant_scope(principal.tenant_id):
        return list(ToolInvocation.objects.order_by("created_at"))


def test_what_was_called_stands_in_the_store(principal: Principal) -> None:
    outcome = call(principal, "probe.echo", {"text": "hello"})
    (row,) = invocations(principal)

    assert (outcome.ok, outcome.result, outcome.http_status) == (True, {"text": "hello", "keys": []}, 200)
    assert (row.id, row.tool, row.status, row.owner_sub) == (
        outcome.invocation_id, "probe.echo", "succeeded", principal.sub,
    )  # fmt: skip
    assert (row.arguments, row.result) == ({"text": "hello"}, outcome.result)


def test_an_unknown_tool_is_not_found(principal: Principal) -> None:
    with pytest.raises(NotFoundError) as refused:
        call(principal, "probe.nothing")

    assert refused.value.code == "tool_not_found"


@pytest.mark.parametrize(
    "arguments",
    [{"number": "7"}, {"wanted": "true"}, {"text": ["x"]}, {"number": 1e999}, {"extra": 1}, {"text": "a\0b"},
     {"text": "x" * 101}, {"number": 1.5}],
    ids=["text-for-number", "text-for-boolean", "list", "infinite", "extra", "nul", "long", "fraction"],
)  # fmt: skip
def test_what_does_not_fit_the_schema_is_refused(principal: Principal, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        call(principal, "probe.echo", arguments)

    assert refused.value.errors
    assert invocations(principal) == []


def test_the_role_and_the_scopes_decide(tenant: Any, principal: Principal) -> None:
    viewer = make_principal(tenant, "viewer")
    reader = Principal(principal.sub, principal.tenant_id, principal.roles, frozenset({"read", "tools:invoke"}))

    for caller, name in ((viewer, "probe.echo"), (principal, "probe.destroy"), (reader, "probe.write")):
        with pytest.raises(ForbiddenError):
            call(caller, name)


def test_each_tool_has_its_own_rate(principal: Principal, settings: Any) -> None:
    settings.RATE_LIMIT_FACTOR = 1.0

    for _ in range(2):
        call(principal, "probe.rare")

    with pytest.raises(RateLimitedError) as refused:
        call(principal, "probe.rare")

    assert refused.value.retry_after_s
    assert call(principal, "probe.echo").ok


def test_what_writes_is_refused_where_only_reading_is_allowed(tenant: Any, principal: Principal) -> None:
    with pytest.raises(ReadOnly):
        call(principal, "probe.write", read_only=True)

    change_tenant(tenant.id, {"settings": {"features": {"tools_read_only": True}}}, by=None)

    with pytest.raises(ReadOnly):
        call(principal, "probe.write")
    assert call(principal, "probe.echo", read_only=True).ok


def test_a_tools_failure_and_a_tools_bug_are_outcomes(principal: Principal) -> None:
    failed, broken = call(principal, "probe.fails", {"text": "t"}), call(principal, "probe.breaks")

    assert (failed.ok, failed.http_status) == (False, 422)
    assert failed.error == {
        "code": "tool_failed", "message": "There is nothing of that name. Look at another.", "http_status": 422,
        "wanted": "t",
    }  # fmt: skip
    assert broken.error is not None
    assert (broken.error["code"], "secret" in str(broken.error)) == ("tool_broken", False)
    assert [row.status for row in invocations(principal)] == ["failed", "failed"]


@pytest.mark.requirement("tape:intent")
def test_a_runs_call_whose_query_was_ended_because_it_was_cancelled_is_made_when_it_is_resumed(
    principal: Principal,
) -> None:
    of_a_run: dict[str, Any] = {"door": "agent", "idempotency_key": uuid4().hex, "supersedes": True}

    cancelled = call(principal, "probe.waits", **of_a_run, cancelled=lambda: True)
    resumed = call(principal, "probe.waits", **of_a_run)

    assert (cancelled.ok, cancelled.error and cancelled.error["code"]) == (False, "tool_cancelled")
    assert (resumed.ok, resumed.replayed) == (True, False)


@pytest.mark.requirement("tape:intent")
def test_a_runs_call_to_which_postgresql_hung_up_stays_open_for_its_next_try(principal: Principal) -> None:
    of_a_run: dict[str, Any] = {"door": "agent", "idempotency_key": uuid4().hex, "supersedes": True}

    with pytest.raises(psycopg.OperationalError):
        call(principal, "probe.hung_up", **of_a_run)
    give_back()
    with tenant_scope(principal.tenant_id):
        between = ToolInvocation.objects.get(idempotency_key=of_a_run["idempotency_key"])
    again = call(principal, "probe.hung_up", **of_a_run)

    assert between.status == "running"
    assert (again.ok, again.replayed, again.invocation_id) == (True, False, between.id)


def test_an_answer_that_is_too_large_is_an_error(principal: Principal) -> None:
    outcome = call(principal, "probe.large")

    assert outcome.error is not None
    assert outcome.error["code"] == "output_too_large"


@pytest.mark.parametrize("name", ["probe.sleeps", "probe.spins"])
def test_a_tool_that_takes_too_long_is_stopped(principal: Principal, name: str) -> None:
    outcome = call(principal, name, timeout_s=0.3)

    assert outcome.error is not None
    assert (outcome.error["code"], outcome.http_status) == ("tool_timeout", 504)
    assert [row.status for row in invocations(principal)] == ["timed_out"]


def test_a_caller_that_leaves_stops_the_tool(principal: Principal) -> None:
    left = time.monotonic() + 0.05

    outcome = call(principal, "probe.sleeps", cancelled=lambda: time.monotonic() > left)

    assert outcome.error is not None
    assert outcome.error["code"] == "tool_cancelled"
    assert [row.status for row in invocations(principal)] == ["cancelled"]


def test_a_repeat_with_its_key_has_one_effect(principal: Principal) -> None:
    key, before = f"k-{uuid4()}", len(EFFECTS)

    first = call(principal, "probe.write", {"text": "a"}, idempotency_key=key)
    second = call(principal, "probe.write", {"text": "a"}, idempotency_key=key)

    assert (second.replayed, second.result, second.invocation_id) == (True, first.result, first.invocation_id)
    assert EFFECTS[before:] == [key]
    with pytest.raises(ConflictError):
        call(principal, "probe.write", {"text": "b"}, idempotency_key=key)


def test_what_a_tool_read_may_not_write_without_a_persons_approval(tenant: Any) -> None:
    curator, before = make_principal(tenant, "curator"), len(EFFECTS)
    wanted = Call(curator, "probe.destroy", {"text": "this"}, "agent", tainted=True)

    with pytest.raises(ApprovalRequired) as refused:
        pipeline.invoke(wanted)
    with pytest.raises(ApprovalRequired) as again:
        pipeline.invoke(wanted)
    approval_id, seen = refused.value.extra["approval_id"], refused.value.extra["arguments_sha256"]
    with tenant_scope(tenant.id):
        waiting = ToolApproval.objects.get(id=approval_id)
    approvals.decide(curator, waiting.id, approve=True, arguments_sha256=seen)
    outcome = pipeline.invoke(wanted)

    assert again.value.extra["approval_id"] == approval_id
    assert waiting.arguments == {"text": "this"}
    assert outcome.ok
    assert len(EFFECTS) == before + 1
    with pytest.raises(ApprovalRequired):
        pipeline.invoke(wanted)  # it was used


def test_an_approval_that_was_written_by_hand_approves_nothing(tenant: Any) -> None:
    curator = make_principal(tenant, "curator")
    wanted = Call(curator, "probe.destroy", {"text": "that"}, "mcp")
    with pytest.raises(ApprovalRequired) as refused:
        pipeline.invoke(wanted)

    with tenant_scope(tenant.id):
        ToolApproval.objects.filter(id=refused.value.extra["approval_id"]).update(status="approved", decided_by="me")

    with pytest.raises(ApprovalRequired):
        pipeline.invoke(wanted)


def test_personal_data_is_hidden_in_results_and_in_the_store(principal: Principal) -> None:
    hidden = result(principal, "probe.echo", {"text": "write to ada@example.org"})["text"]

    assert "ada@example.org" not in hidden
    assert "ada@example.org" not in str(invocations(principal)[0].arguments)


def test_a_change_and_its_audit_line_are_stored_together_or_not_at_all(
    principal: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail, "statement", lambda **said: ("SELECT 1 / 0", {}))

    with pytest.raises(psycopg.errors.DivisionByZero):
        call(principal, "probe.write")

    with tenant_scope(principal.tenant_id):
        assert ToolInvocation.objects.get().status == "running"
