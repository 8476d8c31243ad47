"""What an agent has at hand, and how far runs and sessions are: the caller's own, without secrets."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings as django_settings

from apps.agents.models import AgentRun
from apps.agents.sessions.services import create_session
from apps.identity.principal import Principal
from apps.tenancy.models import Tenant
from apps.tenancy.services import change_tenant
from apps.tools import approvals, registry
from apps.tools.approvals import Asked
from apps.tools.registry import spec_of
from kernel.errors import ForbiddenError, ValidationError
from kernel.tenant_context import tenant_scope
from tests.by_hand_runs import HandRun, step_row
from tests.clients import wait_for
from tests.factories import make_principal, make_tenant
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:agent-state")
PARTS = {"tools": "include_tools", "models": "include_models", "policies": "include_policies", "env": "include_env",
         "tenant": "include_tenant", "user": "include_user_scopes"}  # fmt: skip


def code_of(principal: Principal, name: str, arguments: dict[str, Any], **more: Any) -> str:
    outcome = call(principal, name, arguments, **more)
    assert outcome.error is not None, outcome.result
    return str(outcome.error["code"])


def a_session(principal: Principal, **fields: Any) -> UUID:
    return create_session(principal, fields=fields)[0].id


def test_a_caller_sees_what_is_at_hand(tenant: Tenant, principal: Principal) -> None:
    said = result(principal, "agent.context")

    assert {one["name"] for one in said["tools"]} == {one.spec.name for one in registry.callable_by(principal)}
    assert [one["model"] for one in said["models"] if one["is_default"]] == ["demo"]
    assert (said["policies"]["read_only"], said["policies"]["pii_mode"]) == (False, "mask")
    assert (said["env"]["version"], said["tenant"]["slug"]) == (django_settings.VERSION, tenant.slug)
    assert (said["user"]["sub"], said["user"]["roles"]) == (principal.sub, ["user"])
    assert "graph:read" in said["user"]["permissions"] and "graph:delete" not in said["user"]["permissions"]


@pytest.mark.parametrize("part", PARTS)
def test_each_part_can_be_left_out_and_asked_for_alone(principal: Principal, part: str) -> None:
    without = result(principal, "agent.context", {PARTS[part]: False})
    alone = result(principal, "agent.context", dict.fromkeys(PARTS.values(), False) | {PARTS[part]: True})

    assert [name for name in PARTS if without[name] is None] == [part]
    assert [name for name in PARTS if alone[name] is not None] == [part]


def test_what_is_at_hand_follows_the_caller(tenant: Tenant, principal: Principal) -> None:
    curator, auditor = make_principal(tenant, "curator"), make_principal(tenant, "auditor")

    tools = [{one["name"] for one in result(who, "agent.context")["tools"]} for who in (principal, curator, auditor)]

    assert "graph.query" in tools[0] & tools[1] and "graph.query" not in tools[2]
    assert "crud.delete_node" in tools[1] - tools[0]
    assert result(auditor, "agent.context")["models"]  # it may list them


def test_a_tenants_switches_are_told(tenant: Tenant, principal: Principal) -> None:
    change = {"settings": {"features": {"tools_read_only": True}, "quotas": {"concurrent_runs": 3}}}
    change_tenant(tenant.id, change, by=None)

    said = wait_for(
        lambda: (now := result(principal, "agent.context"))["policies"]["read_only"] and now,
        what="the switch",
    )  # fmt: skip

    assert said["tenant"]["quotas"]["concurrent_runs"] == 3


@pytest.mark.requirement("security:45")
def test_no_secret_is_at_hand(principal: Principal) -> None:
    shown = str(result(principal, "agent.context"))

    for name in ("SECRET_KEY", "REDIS_URL", "password", "postgres", "127.0.0.1", "base_url", "api_key"):
        assert name not in shown
    assert django_settings.SECRET_KEY not in shown


def test_a_run_is_told_with_plan_steps_and_answer(principal: Principal) -> None:
    session_id = a_session(principal)
    run = HandRun(principal, "Count the genes", session_id=session_id).claim()
    run.change(todos_json=[{"task": "Count", "kind": "graph", "status": "completed", "tool": "graph.query"}])
    run.finish(step=step_row(tokens=12, cost_nano_usd=2_000_000))

    said = result(principal, "agent.state", {"run_id": str(run.id)})

    assert (said["kind"], said["session"]) == ("run", None)
    told = said["run"]
    assert (told["status"], told["prompt"], told["session_id"]) == ("succeeded", "Count the genes", str(session_id))
    assert told["todos"] == [{"task": "Count", "kind": "graph", "status": "completed", "tool": "graph.query"}]
    assert [(step["index"], step["action"], step["status"]) for step in told["steps"]] == [
        (0, "model.answer", "completed")
    ]
    assert (told["tokens"], told["cost_usd"]) == (12, 0.002)
    assert told["finished_at"] and told["waits_for_approvals"] == []


def test_a_run_that_waits_for_a_person_says_for_which_approval(principal: Principal) -> None:
    run = HandRun(principal).claim()
    waiting = approvals.ask(Asked(principal, spec_of("cache.set"), {"key": "k", "value": 1}, "agent", run.id))

    told = result(principal, "agent.state", {"run_id": str(run.id)})["run"]

    assert told["waits_for_approvals"] == [str(waiting.id)]


def test_a_call_of_a_run_sees_the_run_it_works_for(principal: Principal) -> None:
    run = HandRun(principal).claim()

    told = result(principal, "agent.state", {}, door="agent", run_id=run.id)["run"]

    assert told["run_id"] == str(run.id)
    assert code_of(principal, "agent.state", {}) == "no_run"


def test_a_session_is_told_with_its_runs(principal: Principal) -> None:
    session_id = a_session(principal, title="Genes", when_busy="enqueue")
    first = HandRun(principal, session_id=session_id).claim().finish()
    second = HandRun(principal, session_id=session_id)

    said = result(principal, "agent.state", {"session_id": str(session_id)})

    assert (said["kind"], said["run"]) == ("session", None)
    told = said["session"]
    assert (told["status"], told["title"], told["open_runs"]) == ("active", "Genes", 1)
    assert [run["run_id"] for run in told["runs"]] == [str(second.id), str(first.id)]


@pytest.mark.requirement("security:24")
def test_anothers_runs_and_sessions_look_like_none(tenant: Tenant, principal: Principal) -> None:
    run, session_id = HandRun(principal), a_session(principal)
    strangers = (make_principal(tenant), make_principal(make_tenant(), "admin"))

    codes = [
        (code_of(who, "agent.state", {"run_id": run_id}), code_of(who, "agent.state", {"session_id": other}))
        for who in strangers
        for run_id, other in ((str(run.id), str(session_id)), (str(uuid4()), str(uuid4())))
    ]

    assert set(codes) == {("run_not_found", "session_not_found")}
    assert result(make_principal(tenant, "admin"), "agent.state", {"run_id": str(run.id)})["run"]["status"] == "queued"


def test_a_long_answer_is_cut(principal: Principal) -> None:
    run = HandRun(principal, "p" * 3_000)
    with tenant_scope(principal.tenant_id):
        AgentRun.objects.filter(id=run.id).update(output_json={"text": "t" * 10_000})

    told = result(principal, "agent.state", {"run_id": str(run.id)})["run"]

    assert (len(told["prompt"]), len(told["text"])) == (500, 4_000)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("agent.context", {"include_tools": "yes"}),
        ("agent.context", {"include_secrets": True}),
        ("agent.state", {"run_id": "17"}),
        ("agent.state", {"session_id": 17}),
    ],
)
def test_what_does_not_fit_is_refused(principal: Principal, name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(principal, name, arguments)


def test_one_thing_is_asked_for_at_a_time(principal: Principal) -> None:
    both = {"run_id": str(uuid4()), "session_id": str(uuid4())}

    assert code_of(principal, "agent.state", both) == "two_things_named"


@pytest.mark.parametrize("name", ["agent.context", "agent.state"])
def test_a_viewer_may_call_no_tool(tenant: Tenant, name: str) -> None:
    with pytest.raises(ForbiddenError):
        call(make_principal(tenant, "viewer"), name, {})
