"""Agents and their runs in the administration pages: whose one sees, what one may do, and what is written down."""

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from apps.agents.agent_services import create_agent
from apps.agents.models import Agent, AgentVersion
from apps.audit.models import AuditLog
from apps.tenancy.models import Tenant
from kernel import engine_db
from tests.factories import make_principal
from tests.integration.backoffice.browser import Browser
from tests.integration.backoffice.conftest import MakeUser, SignIn

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
