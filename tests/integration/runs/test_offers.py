"""Which tools a step of a run has at hand: those that its owner may call, narrowed by agent, category and effect."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import pytest

from apps.agents.thinking.offering import DEFAULTS, offered, offered_by_code
from apps.agents.types import AgentSpec, Category, Intent, RunView
from apps.identity.principal import Principal
from apps.tools import registry, syncing
from apps.tools.context import ToolContext
from apps.tools.models import ToolManifest
from apps.tools.spec import DECLARED, ToolInput, ToolOutput, tool
from kernel import engine_db
from tests.factories import make_principal
from tests.integration.runs.driving import make_view
from tests.integration.runs.test_phases_ports import ports_of

pytestmark = pytest.mark.requirement("tools:agents")


class In(ToolInput):
    action: Literal["get", "list", "set", "clear"]


class Out(ToolOutput):
    done: str


@pytest.fixture(scope="module", autouse=True)
def declared() -> Iterator[None]:
    @tool("probe.manage", effect="write", reading_actions=("get", "list"), aliases=("probe.old_name",))
    def manage(context: ToolContext, given: In) -> Out:
        """Look at something, or change it."""
        return Out(done=given.action)

    syncing.sync(approve=True, by="tests")
    yield
    del DECLARED["probe.manage"]
    syncing.sync(approve=True, by="tests")


def view_of(principal: Principal, category: Category | None, *tools: str) -> RunView:
    intent = None if category is None else Intent(category, 0.9, "For the test.", "rules")
    agent = AgentSpec("a", 1, tools=tools or None)
    return make_view(principal, "x", intent=intent, agent=agent)


def names(principal: Principal, category: Category | None, *tools: str) -> list[str]:
    return [spec.name for spec in offered(principal, view_of(principal, category, *tools)).specs()]


def test_without_a_list_a_category_has_few_tools_and_only_a_change_has_some_that_write(tenant: Any) -> None:
    curator = make_principal(tenant, "curator")

    found = {category: names(curator, category) for category in DEFAULTS}

    assert all(len(few) <= 15 for few in found.values())
    assert found["DANGEROUS"] == []
    writing = {category for category, few in found.items() if any(DECLARED[name].effect != "read" for name in few)}
    assert writing == {"ADMIN"}
    assert "crud.create_node" in found["ADMIN"] and "agent.note" in found["ADMIN"]
    assert "crud.create_node" not in names(make_principal(tenant, "user"), "ADMIN")


def test_an_agents_list_may_name_any_tool_that_its_caller_may_call_by_any_name(principal: Principal) -> None:
    listed = ("probe.old_name", "system.health", "crud.create_node", "no.such")

    assert names(principal, "CHAT", *listed) == ["probe.manage", "system.health"]
    assert names(principal, "CHAT", "agent.note") == []


def test_a_tool_with_reading_actions_shows_those_alone_where_nobody_asked_for_a_change(principal: Principal) -> None:
    def actions(category: Category) -> list[str]:
        (spec,) = offered(principal, view_of(principal, category, "probe.manage")).specs()
        return list(spec.parameters["properties"]["action"]["enum"])

    assert (actions("CHAT"), actions("ADMIN")) == (["get", "list"], ["get", "list", "set", "clear"])


def test_what_is_not_at_hand_is_not_called(principal: Principal) -> None:
    reading = ports_of(view_of(principal, "CHAT", "probe.manage"), principal)
    plain = ports_of(view_of(principal, "CHAT"), principal)

    given = [
        reading.invoke_tool("probe.manage", {"action": "get"}, tainted=True),
        reading.invoke_tool("probe.manage", {"action": "set"}, tainted=False),
        reading.invoke_tool("system.time", {}, tainted=False),
        plain.invoke_tool("probe.manage", {"action": "get"}, tainted=False),
    ]

    assert given[0].result == {"done": "get"}
    assert [(answer.error or {}).get("code") for answer in given[1:]] == [
        "not_asked_for", "tool_not_allowed", "tool_not_offered",
    ]  # fmt: skip


def test_what_an_administrator_switches_off_is_not_offered(principal: Principal) -> None:
    ToolManifest.objects.using(engine_db.ALIAS).filter(name="probe.manage").update(enabled=False)
    registry.current.reload()

    off = names(principal, "CHAT", "probe.manage")
    by_code = offered_by_code(principal, view_of(principal, "CHAT", "probe.manage")).specs()
    ToolManifest.objects.using(engine_db.ALIAS).filter(name="probe.manage").update(enabled=True)
    registry.current.reload()

    assert (off, [spec.name for spec in by_code]) == ([], ["probe.manage"])


def test_a_narrower_token_is_offered_less(principal: Principal) -> None:
    narrow = replace(principal, scopes=principal.scopes - {"graph:read"})

    assert set(names(principal, "CHAT")) - set(names(narrow, "CHAT")) == {"graph.query", "graph.schema"}
