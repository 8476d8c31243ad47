"""manage.py mcp_stdio: the official client starts it as a program."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from mcp import Client, MCPError, StdioServerParameters

from apps.identity.services import ensure_user, set_user_active
from apps.tools import registry
from apps.tools.models import ToolInvocation
from kernel.tenant_context import tenant_scope
from tests.clients import PATIENCE_S
from tests.factories import make_principal, make_token
from tests.integration.mcp.talking import NOW, tool_names

pytestmark = pytest.mark.requirement("tools:mcp-stdio")
T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[3]


def program(token: str, *more: str) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable,
        args=[str(ROOT / "manage.py"), "mcp_stdio", "--token-env", "MY_TOKEN", *more],
        env={**os.environ, "MY_TOKEN": token},
        cwd=ROOT,
    )


def talk(token: str, what: Callable[[Client], Awaitable[T]], mode: str, *more: str) -> T:
    async def run() -> T:
        async with Client(program(token, *more), mode=mode) as talking:
            return await what(talking)

    return asyncio.run(run())


def test_it_offers_and_does_the_same_in_the_tokens_name(tenant: Any) -> None:
    async def use(talking: Client) -> tuple[list[str], Any, Any, MCPError]:
        names = await tool_names(talking)
        schema = await talking.read_resource("cineca://graph/schema")
        with pytest.raises(MCPError) as refused:
            await talking.get_prompt("nothing")
        return names, await talking.call_tool("system.time", {}), schema, refused.value

    names, result, schema, error = talk(make_token(tenant, sub="ada"), use, NOW)

    assert names == [tool.spec.name for tool in registry.callable_by(make_principal(tenant))]
    assert result.structured_content["weekday"].endswith("day")
    assert "labels" in json.loads(schema.contents[0].text)
    assert error.data["code"] == "prompt_not_found"
    with tenant_scope(tenant.id):
        row = ToolInvocation.objects.get(id=UUID(result.meta["it.cineca.agentic/invocation-id"]))
    assert (row.door, row.owner_sub, bool(row.correlation_id)) == ("mcp", "ada", True)


def test_the_token_is_looked_at_again_with_each_message(tenant: Any) -> None:
    name = f"ada-{tenant.slug}@example.org"
    user = ensure_user(username=name, password="a-long-enough-word-1", tenant_id=tenant.id, roles=["user"])

    async def use(talking: Client) -> MCPError:
        assert "system_time" in await tool_names(talking)
        assert not (await talking.call_tool("system_time", {})).is_error
        await asyncio.to_thread(set_user_active, user.id, is_active=False)
        for _ in range(200):
            try:
                await talking.call_tool("system.time", {})
            except MCPError as error:
                return error
            await asyncio.sleep(0.05)
        raise AssertionError("a disabled user goes on")

    error = talk(make_token(tenant, sub=str(user.pk)), use, "legacy", "--underscores")

    assert error.data["code"] == "unauthenticated"


def test_nothing_but_the_protocol_is_on_standard_output(tenant: Any) -> None:
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    messages: list[Any] = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "system.time", "arguments": {}}},
        {"jsonrpc": "2.0", "id": 3, "method": "nothing/there"},
    ]
    lines = b"".join(json.dumps(message).encode() + b"\n" for message in messages) + b"no message\n"
    answers: list[Any] = []

    with subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "mcp_stdio"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "CINECA_TOKEN": make_token(tenant)}, cwd=ROOT,
    ) as started:  # fmt: skip
        assert started.stdin is not None and started.stdout is not None
        started.stdin.write(lines)
        started.stdin.flush()
        while {answer.get("id") for answer in answers} < {1, 2, 3}:  # whoever hangs up first gets no answer
            answers.append(json.loads(started.stdout.readline()))
        rest, _ = started.communicate(timeout=PATIENCE_S)

    answers += [json.loads(line) for line in rest.splitlines()]
    assert {answer["jsonrpc"] for answer in answers} == {"2.0"}
    assert {answer.get("id") for answer in answers} >= {1, 2, 3}


@pytest.mark.parametrize("kind", ["none", "empty", "garbage", "expired"])
def test_without_a_good_token_it_does_not_begin(
    tenant: Any, kind: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    token = {"empty": "", "garbage": "abc", "expired": make_token(tenant, ttl_s=-100)}.get(kind)
    if token is not None:
        monkeypatch.setenv("CINECA_TOKEN", token)

    with pytest.raises(CommandError, match="CINECA_TOKEN"):
        call_command("mcp_stdio")

    assert capfd.readouterr().out == ""
