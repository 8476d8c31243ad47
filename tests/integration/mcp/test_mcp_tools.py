"""Tools over MCP, by the official client at a running server: what is offered, and each of them called."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import pytest
from mcp import Client, MCPError
from mcp_types import Tool

from apps.audit import trail
from apps.audit.models import AuditLog
from apps.tools import approvals, registry
from apps.tools.models import ToolInvocation
from apps.tools.spec import DECLARED, ToolSpec
from kernel.tenant_context import tenant_scope
from tests.clients import Api, wait_for
from tests.factories import make_principal, make_tenant, make_token
from tests.integration.mcp.talking import BEFORE, MODES, NOW, client, failure_of, talk, tool_names
from tests.integration.toolbox.test_examples import ORDER, Place

pytestmark = pytest.mark.requirement("tools:mcp")
ROLES = ("viewer", "user", "curator", "operator", "admin")


@pytest.fixture(scope="module")
def place(api_url: str, worker: Any) -> Place:
    return Place(api_url)


@pytest.mark.parametrize("mode", MODES)
def test_a_client_is_shown_what_it_may_call_and_nothing_else(api_url: str, tenant: Any, mode: str) -> None:
    for role in ROLES:
        caller = make_principal(tenant, role)

        shown = talk(api_url, make_token(tenant, role), tool_names, mode)

        assert shown == [tool.spec.name for tool in registry.callable_by(caller)]


@pytest.mark.parametrize(("mode", "revision"), [("legacy", BEFORE), ("auto", NOW)])
def test_both_revisions_are_spoken(api_url: str, tenant: Any, mode: str, revision: str) -> None:
    async def introduce(talking: Client) -> tuple[str, Any, Any]:
        return talking.protocol_version, talking.server_info, talking.instructions

    version, info, instructions = talk(api_url, make_token(tenant), introduce, mode)

    assert version == revision
    assert (info.name, info.version) == ("cineca-agentic-platform", "0.1.0")
    assert "approval" in (instructions or "")


def test_a_tool_is_described_with_schemas_and_hints(api_url: str, tenant: Any) -> None:
    async def listed(talking: Client) -> dict[str, Tool]:
        return {tool.name: tool for tool in (await talking.list_tools()).tools}

    tools = talk(api_url, make_token(tenant, "admin"), listed)

    for name, tool in tools.items():
        spec = DECLARED[name]
        hints = tool.annotations
        assert hints is not None
        assert (tool.title, tool.description) == (spec.title, spec.description)
        assert (tool.input_schema, tool.output_schema) == (spec.input_schema, spec.output_schema)
        assert tool.input_schema["type"] == "object"
        assert hints.read_only_hint is (spec.effect == "read")
        assert hints.destructive_hint is (spec.effect == "destructive" or bool(spec.destructive_when))
        assert hints.idempotent_hint is (spec.effect in ("read", "idempotent"))
        assert hints.open_world_hint is False


@pytest.mark.parametrize("mode", MODES)
def test_every_tool_is_called_with_its_example(place: Place, mode: str) -> None:
    """Over the revision before the present one only those that read: what is destroyed is destroyed once."""
    specs = [spec for spec in ORDER if mode == NOW or spec.effect == "read"]
    calls = [(spec, place.caller(role_of(spec)), place.filled(spec.example)) for spec in specs]

    wrong = asyncio.run(_call_all(calls, mode))

    assert wrong == {}
    assert len(specs) > 12


def role_of(spec: ToolSpec) -> str:
    """Who can call its example."""
    return "platform" if spec.platform else spec.example_role


async def _call_all(calls: list[tuple[ToolSpec, Api, dict[str, Any]]], mode: str) -> dict[str, str]:
    wrong: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        talkers: dict[str, Client] = {}
        for spec, caller, arguments in calls:
            role = role_of(spec)
            if role not in talkers:
                assert caller.token is not None
                talkers[role] = await stack.enter_async_context(client(caller.base_url, caller.token, mode))
            result = await _called(talkers[role], caller, spec.name, arguments)
            if result.is_error or result.structured_content is None:
                wrong[spec.name] = str(result.content)[:300]
    return wrong


async def _called(talking: Client, caller: Api, name: str, arguments: dict[str, Any]) -> Any:
    """The result, which the client has held against the output schema, with the person's approval where one is
    asked for."""
    result = await talking.call_tool(name, arguments)
    if result.is_error and (failure := failure_of(result))["code"] == "approval_required":
        waiting = {"decision": "approve", "arguments_sha256": failure["arguments_sha256"]}
        answer = await asyncio.to_thread(caller.post, f"/v1/tools/approvals/{failure['approval_id']}", waiting)
        assert answer.status == 200, answer.body
        result = await talking.call_tool(name, arguments)
    return result


def test_names_may_be_spelt_with_underscores(api_url: str, tenant: Any) -> None:
    async def spelt(talking: Client) -> tuple[list[str], bool]:
        return await tool_names(talking), (await talking.call_tool("system_time", {})).is_error

    names, failed = talk(api_url, make_token(tenant), spelt, query="?names=underscores")
    _, failed_with_dots_listed = talk(api_url, make_token(tenant), spelt)

    assert "system_time" in names
    assert not [name for name in names if "." in name]
    assert (failed, failed_with_dots_listed) == (False, False)


def test_no_two_tools_are_spelt_the_same_with_underscores() -> None:
    known = [name for spec in DECLARED.values() for name in (spec.name, *spec.aliases)]

    assert len({name.replace(".", "_") for name in known}) == len(set(known))


def test_what_is_refused_says_why_and_is_no_error_of_the_protocol(api_url: str, tenant: Any) -> None:
    async def try_things(talking: Client) -> list[dict[str, Any]]:
        wrong = await talking.call_tool("system.time", {"zone": "Rome"})
        closed = await talking.call_tool("crud.create_node", {"label": "Sample", "properties": {}})
        return [failure_of(wrong), failure_of(closed)]

    wrong, closed = talk(api_url, make_token(tenant), try_things)

    assert wrong["code"] == "invalid_arguments"
    assert wrong["errors"][0]["loc"] == ["args", "zone"]
    assert closed["code"] in ("forbidden", "invalid_arguments")


@pytest.mark.parametrize("mode", MODES)
def test_a_tool_that_is_none_is_an_error_of_the_protocol(api_url: str, tenant: Any, mode: str) -> None:
    async def unknown(talking: Client) -> MCPError:
        with pytest.raises(MCPError) as refused:
            await talking.call_tool("system.nothing", {})
        return refused.value

    error = talk(api_url, make_token(tenant), unknown, mode)

    assert (error.code, error.data["code"]) == (-32602, "tool_not_found")


def test_a_repeat_with_the_same_key_gets_the_first_outcome(api_url: str, tenant: Any) -> None:
    meta: Any = {"it.cineca.agentic/idempotency-key": "k-1"}

    async def twice(talking: Client) -> list[Any]:
        return [await talking.call_tool("system.time", {}, meta=meta) for _ in range(2)]

    first, second = talk(api_url, make_token(tenant, sub="ada"), twice)

    assert first.structured_content == second.structured_content
    assert second.meta["it.cineca.agentic/replayed"] is True
    assert first.meta["it.cineca.agentic/invocation-id"] == second.meta["it.cineca.agentic/invocation-id"]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", 7])
def test_a_key_that_is_none_is_refused(api_url: str, tenant: Any, key: Any) -> None:
    meta: Any = {"it.cineca.agentic/idempotency-key": key}

    result = talk(api_url, make_token(tenant), lambda talking: talking.call_tool("system.time", {}, meta=meta))

    assert failure_of(result)["code"] == "invalid_idempotency_key"


def test_a_call_leaves_its_invocation_and_its_audit_row(api_url: str, tenant: Any) -> None:
    result = talk(api_url, make_token(tenant, sub="ada"), lambda talking: talking.call_tool("system.time", {}))

    invocation_id = UUID(result.meta["it.cineca.agentic/invocation-id"])
    correlation_id = result.meta["it.cineca.agentic/correlation-id"]
    with tenant_scope(tenant.id):
        row = ToolInvocation.objects.get(id=invocation_id)
    assert (row.door, row.owner_sub, row.tool, row.correlation_id) == ("mcp", "ada", "system.time", correlation_id)

    def audited() -> Any:
        with tenant_scope(tenant.id):
            return AuditLog.objects.filter(resource_id=str(invocation_id)).first()

    noted = wait_for(audited, what="the audit row")
    assert (noted.actor, noted.action, noted.outcome) == ("ada", "tool.invoke", trail.SUCCESS)


def test_what_destroys_waits_for_a_person_who_is_told_where(api_url: str, tenant: Any) -> None:
    curator = make_principal(tenant, "curator")
    token = make_token(tenant, "curator", curator.sub)
    destroys = next(
        tool.spec for tool in registry.callable_by(curator) if tool.effect == "destructive" and tool.approval != "never"
    )

    result = talk(api_url, token, lambda talking: talking.call_tool(destroys.name, dict(destroys.example)))

    said = failure_of(result)
    assert said["code"] == "approval_required"
    assert said["approve_at"].endswith(f"/v1/tools/approvals/{said['approval_id']}")
    with tenant_scope(tenant.id):
        waiting = list(approvals.visible_to(curator))
    assert [str(row.id) for row in waiting] == [said["approval_id"]]


def test_many_clients_call_at_once(api_url: str) -> None:
    callers = [make_token(make_tenant()) for _ in range(8)]

    async def all_at_once() -> list[Any]:
        async with AsyncExitStack() as stack:
            talkers = [await stack.enter_async_context(client(api_url, token)) for token in callers]
            return await asyncio.gather(*(one.call_tool("system.time", {}) for one in talkers for _ in range(6)))

    results = asyncio.run(all_at_once())

    assert [result.is_error for result in results] == [False] * 48
    assert len({result.meta["it.cineca.agentic/invocation-id"] for result in results}) == 48


def test_an_administrator_of_the_platform_may_act_for_a_tenant(api: Api) -> None:
    """X-Tenant-Id means here what it means elsewhere: nothing to anybody else."""
    from tests.integration.mcp.talking import post

    answer = post(api, "tools/list", X_Tenant_Id=str(make_tenant().id))

    assert (answer.status, answer.json["code"]) == (403, "cross_tenant_refused")
