"""Agents and their runs in the administration pages: whose one sees, what one may do, and what is written down."""

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from apps.agents.definitions.services import create_agent
from apps.agents.models import Agent, AgentRun, AgentVersion
from apps.audit.models import AuditLog
from apps.tenancy.models import Tenant
from kernel import engine_db
from kernel.tenant_context import tenant_scope
from tests.by_hand_runs import HandRun, step_row
from tests.factories import make_principal
from tests.integration.backoffice.browser import Browser
from tests.integration.backoffice.conftest import MakeUser, SignIn
from tests.integration.backoffice.test_office_jobs import NASTY

RUNS = "/admin/agents/agentrun/"
AGENTS = "/admin/agents/agent/"
AGENT = {
    "description": "d", "system_prompt": "Be brief.", "model": "", "temperature": "0.3", "tools": "graph.query",
    "planning_mode": "full", "response_mode": "fallback-only", "max_steps": "4", "usd": "0.5", "tokens": "",
    "tool_calls": "", "wall_s": "",
}  # fmt: skip


def agent_named(name: str) -> Agent:
    return Agent.objects.using(engine_db.ALIAS).get(name=name)


def versions_of(agent: Agent) -> list[AgentVersion]:
    return list(AgentVersion.objects.using(engine_db.ALIAS).filter(agent_id=agent.id).order_by("version"))


def add_agent(browser: Browser, **fields: str) -> Agent:
    name = f"a-{uuid4().hex[:8]}"
    page = browser.submit(f"{AGENTS}add/", {**AGENT, "name": name, **fields})
    assert "was added" in page.text, re.findall(r"errorlist[^<]*>(.{0,300})", page.text, re.DOTALL)
    return agent_named(name)


def act(browser: Browser, agent: Agent, action: str) -> Any:
    return browser.submit(f"{AGENTS}{agent.id}/change/", {"action": action}, to=f"{AGENTS}{agent.id}/act")


@pytest.mark.requirement("admin:agents")
def test_an_agent_is_added_changed_and_keeps_what_it_was(
    tenant: Tenant, tenant_admin: Browser, audited: Callable[..., AuditLog]
) -> None:
    agent = add_agent(tenant_admin)
    path = f"{AGENTS}{agent.id}/change/"

    changed = tenant_admin.submit(path, {**AGENT, "version": "1", "system_prompt": "Be thorough.", "no_tools": "on"})
    late = tenant_admin.submit(path, {**AGENT, "version": "1", "max_steps": "9"})
    wrong = tenant_admin.submit(path, {**AGENT, "version": "2", "model": "no-such-model"})
    page = tenant_admin.get(path)

    first, second = versions_of(agent)
    assert (first.tenant_id, first.system_prompt, first.tools) == (tenant.id, "Be brief.", ["graph.query"])
    assert (first.planning_mode, first.temperature, first.budget) == ("full", 0.3, {"usd": 0.5})
    assert (second.version, second.system_prompt, second.tools) == (2, "Be thorough.", [])
    assert "is at version 2" in changed.text
    assert "was changed since you read it" in late.text
    assert "There is no such model to ask" in wrong.text
    assert "Version 1," in page.text and "Be brief." in page.text and "Be thorough." in page.text
    assert audited("agent.created", agent.id).tenant_id == tenant.id


@pytest.mark.requirement("admin:agents")
def test_an_agent_is_disabled_and_deleted_once_its_name_was_typed(tenant_admin: Browser) -> None:
    agent = add_agent(tenant_admin)

    disabled = act(tenant_admin, agent, "disable")
    is_enabled = agent_named(agent.name).enabled
    slip = tenant_admin.submit(f"{AGENTS}{agent.id}/remove", {"name": "another"})
    gone = tenant_admin.submit(f"{AGENTS}{agent.id}/remove", {"name": agent.name})

    assert "is disabled." in disabled.text and not is_enabled
    assert "That is not its name." in slip.text
    assert "was deleted" in gone.text
    assert not Agent.objects.using(engine_db.ALIAS).filter(id=agent.id).exists()
    assert versions_of(agent) == []


@pytest.mark.requirement("admin:agents")
def test_the_platforms_agents_are_seen_by_all_and_changed_by_its_administrators(
    tenant_admin: Browser, platform_admin: Browser
) -> None:
    shipped = Agent.objects.using(engine_db.ALIAS).get(tenant_id=None, name="default")
    own = add_agent(platform_admin)

    listed = tenant_admin.get(AGENTS)
    seen = tenant_admin.get(f"{AGENTS}{own.id}/change/")
    refused = tenant_admin.submit(
        f"{AGENTS}{add_agent(tenant_admin).id}/change/", {"action": "disable"}, to=f"{AGENTS}{own.id}/act"
    )
    kept = platform_admin.submit(f"{AGENTS}{shipped.id}/remove", {"name": "default"})

    assert own.tenant_id is None and own.name in listed.text
    assert "Be brief." in seen.text and 'name="max_steps"' not in seen.text
    assert refused.status_code == 404
    assert "answers whoever names none" in kept.text


@pytest.mark.requirement("admin:scope")
def test_another_tenants_agents_are_as_missing_as_none(
    tenant_admin: Browser, platform_admin: Browser, other_tenant: Tenant
) -> None:
    name = f"a-{uuid4().hex[:8]}"
    foreign = create_agent(
        tenant_id=other_tenant.id, name=name, fields={}, by=make_principal(other_tenant, "admin")
    ).agent

    listed, opened = tenant_admin.get(AGENTS), tenant_admin.get(f"{AGENTS}{foreign.id}/change/")
    by_platform = platform_admin.get(f"{AGENTS}?tenant={other_tenant.slug}")

    assert name not in listed.text
    assert opened.status_code == 404
    assert name in by_platform.text


@pytest.mark.requirement("admin:agents")
def test_agents_are_for_administrators(make_user: MakeUser, sign_in: SignIn) -> None:
    operator = sign_in(make_user("operator"))

    assert operator.get(AGENTS).status_code == 403


# -- runs
@pytest.mark.requirement("admin:runs")
def test_the_list_shows_the_tenants_runs_and_filters_them(tenant: Tenant, tenant_admin: Browser) -> None:
    queued = HandRun(make_principal(tenant, sub="ada"), "How many files are there?").id
    failed = HandRun(make_principal(tenant, sub="bob")).claim().finish("failed").id

    def shown(query: str) -> set[Any]:
        page = tenant_admin.get(f"{RUNS}{query}")
        assert page.status_code == 200, page.text[:300]
        return {run_id for run_id in (queued, failed) if str(run_id) in page.text}

    assert shown("") == {queued, failed}
    assert shown("?status=failed") == {failed}
    assert shown("?owner=ada") == {queued}
    assert shown("?agent=nobody") == set()
    assert shown(f"?q={queued}") == {queued}
    assert "How many files are there?" in tenant_admin.get(RUNS).text


@pytest.mark.requirement("admin:runs")
def test_a_run_shows_its_plan_its_steps_its_answer_and_its_events(tenant: Tenant, tenant_admin: Browser) -> None:
    held = HandRun(make_principal(tenant), NASTY).claim()
    todos = [{"task": f"Count {NASTY}", "kind": "graph", "status": "pending"}]
    step = step_row(action="graph.ask", input={"q": NASTY}, output={"n": 12}, tokens=17)
    held.say("piece of the answer").finish(todos=todos, step=step, metrics={"llm": []})

    page = tenant_admin.get(f"{RUNS}{held.id}/change/")
    part = tenant_admin.get(f"{RUNS}{held.id}/live")

    assert page.status_code == 200
    assert "graph.ask" in page.text and "17 tokens" in page.text and "&quot;n&quot;: 12" in page.text
    assert "Done." in page.text and "piece of the answer" not in page.text
    assert NASTY not in page.text and "&lt;script&gt;alert(1)" in page.text
    assert "succeeded" in part.text and part.status_code == 286


@pytest.mark.requirement("admin:runs")
def test_a_runs_page_is_kept_up_to_date_until_its_end(tenant: Tenant, tenant_admin: Browser) -> None:
    held = HandRun(make_principal(tenant)).claim()
    ask = f"{RUNS}live?ids={held.id},{uuid4()},rubbish"

    page, before = tenant_admin.get(f"{RUNS}{held.id}/change/"), tenant_admin.get(ask).json()
    part = tenant_admin.get(f"{RUNS}{held.id}/live")
    held.finish()
    after = tenant_admin.get(ask).json()

    assert f'hx-get="{RUNS}{held.id}/live"' in page.text
    assert (part.status_code, before, after) == (200, {str(held.id): "running"}, {str(held.id): "succeeded"})
    assert f'data-live-statuses="{RUNS}live"' in tenant_admin.get(RUNS).text


@pytest.mark.requirement("admin:runs")
def test_selected_runs_are_cancelled_and_it_is_written_down(
    tenant: Tenant, tenant_admin: Browser, audited: Callable[..., AuditLog]
) -> None:
    runs = [HandRun(make_principal(tenant)), HandRun(make_principal(tenant, sub="ada"))]

    page = tenant_admin.submit(RUNS, [("action", "cancel"), *(("_selected_action", str(run.id)) for run in runs)])
    again = tenant_admin.submit(f"{RUNS}{runs[0].id}/change/", {"action": "cancel"}, to=f"{RUNS}{runs[0].id}/act")

    assert page.text.count("was cancelled.") == 2
    assert "is cancelled already" in again.text
    with tenant_scope(tenant.id):
        assert {run.status for run in AgentRun.objects.all()} == {"cancelled"}
    row = audited("admin.run_cancel", runs[1].id)
    assert (row.tenant_id, row.outcome, row.details["owner"]) == (tenant.id, "success", "ada")


@pytest.mark.requirement("admin:runs")
def test_only_the_owner_goes_on_with_a_run(tenant: Tenant, make_user: MakeUser, sign_in: SignIn) -> None:
    user = make_user("admin")
    browser = sign_in(user)
    own = HandRun(make_principal(tenant, "admin", sub=str(user.pk))).claim().finish("failed")
    other = HandRun(make_principal(tenant)).claim().finish("failed")

    offered = [browser.get(f"{RUNS}{run.id}/change/").text for run in (own, other)]
    refused = browser.submit(f"{RUNS}{own.id}/change/", {"action": "resume"}, to=f"{RUNS}{other.id}/act")
    resumed = browser.submit(f"{RUNS}{own.id}/change/", {"action": "resume"}, to=f"{RUNS}{own.id}/act")

    assert ["Go on with it" in page for page in offered] == [True, False]
    assert "Only its owner may resume a run" in refused.text
    assert "goes on at its first step that is not done" in resumed.text
    with tenant_scope(tenant.id):
        assert AgentRun.objects.get(id=own.id).attempt == 2
        assert AgentRun.objects.get(id=other.id).attempt == 1


@pytest.mark.requirement("admin:runs")
def test_the_tape_is_shown_to_administrators_and_the_look_is_written_down(
    tenant: Tenant, tenant_admin: Browser, make_user: MakeUser, sign_in: SignIn, audited: Callable[..., AuditLog]
) -> None:
    held = HandRun(make_principal(tenant, sub="ada")).claim().keep({"asked": NASTY}, {"said": "forty-two"})
    operator = sign_in(make_user("operator"))

    page, refused = tenant_admin.get(f"{RUNS}{held.id}/tape"), operator.get(f"{RUNS}{held.id}/tape")
    run_page = operator.get(f"{RUNS}{held.id}/change/")

    assert "forty-two" in page.text and "classify: model" in page.text and NASTY not in page.text
    assert (refused.status_code, run_page.status_code) == (403, 200)
    assert f"{held.id}/tape" not in run_page.text
    assert audited("admin.run_tape_read", held.id).details["owner"] == "ada"


@pytest.mark.requirement("admin:scope")
def test_another_tenants_runs_are_as_missing_as_none_and_seen_by_the_platform(
    tenant_admin: Browser, platform_admin: Browser, other_tenant: Tenant
) -> None:
    foreign = HandRun(make_principal(other_tenant)).claim().finish()
    paths = [f"{RUNS}{foreign.id}/{rest}" for rest in ("change/", "live", "tape")]

    answers = [tenant_admin.get(path).status_code for path in paths]
    act = tenant_admin.submit("/admin/", {"action": "cancel"}, to=f"{RUNS}{foreign.id}/act")
    by_platform = [platform_admin.get(path).status_code for path in paths]

    assert str(foreign.id) not in tenant_admin.get(RUNS).text
    assert (answers, act.status_code) == ([404, 404, 404], 404)
    assert by_platform == [200, 286, 200]
