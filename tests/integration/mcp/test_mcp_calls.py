"""Calls over MCP while they run: progress, cancellation, and how many at once. The server is this process."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from pydantic import Field

from apps.identity.principal import Principal
from apps.mcp.in_hand import in_hand
from apps.tools import syncing
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.models import ToolInvocation
from apps.tools.spec import DECLARED, ToolInput, ToolOutput, tool
from kernel.tenant_context import tenant_scope
from tests.clients import PATIENCE_S, Api, wait_for
from tests.factories import make_token
from tests.integration.mcp.talking import BEFORE, MODES, client, failure_of, talk

pytestmark = pytest.mark.requirement("tools:mcp")
RUNNING = threading.Event()


class In(ToolInput):
    times: int = Field(3, le=1000)


class Out(ToolOutput):
    heard: int
    nothing: str | None = None


@pytest.fixture(scope="module", autouse=True)
def declared() -> Iterator[None]:
    """Tools that only these tests know."""

    @tool("mcpprobe.reports", effect="read")
    def reports(context: ToolContext, given: In) -> Out:
        """Tell how far it is."""
        for number in range(given.times):
            context.progress("counting", f"{number} for ada@example.org", 100 * number / given.times)
        context.progress("done", "", None)
        return Out(heard=given.times)

    @tool("mcpprobe.waits", effect="read", timeout_s=60)
    def waits(context: ToolContext, given: In) -> Out:
        """Wait to be stopped."""
        RUNNING.set()
        while True:
            context.checkpoint()
            time.sleep(0.005)

    @tool("mcpprobe.fails", effect="read")
    def fails(context: ToolContext, given: In) -> Out:
        """Fail."""
        raise ToolFailed("Nothing of that kind. Ask ada@example.org.", code="nothing_there")

    @tool("mcpprobe.breaks", effect="read")
    def breaks(context: ToolContext, given: In) -> Out:
        """Have a bug."""
        raise ZeroDivisionError("secret detail")

    @tool("mcpprobe.large", effect="read")
    def large(context: ToolContext, given: In) -> Out:
        """Say far too much."""
        return Out(heard=1, nothing="x" * 10_000_000)

    syncing.sync(approve=True, by="tests")
    yield
    for name in [name for name in DECLARED if name.startswith("mcpprobe.")]:
        del DECLARED[name]
    syncing.sync(approve=True, by="tests")


@pytest.fixture
def token(tenant: Any, principal: Principal) -> str:
    return make_token(tenant, sub=principal.sub)


def statuses(principal: Principal) -> list[str]:
    with tenant_scope(principal.tenant_id):
        return [row.status for row in ToolInvocation.objects.order_by("created_at")]


@pytest.mark.parametrize("mode", MODES)
def test_progress_is_told_in_order_and_without_personal_data(url_here: str, token: str, mode: str) -> None:
    heard: list[tuple[float, float | None, str | None]] = []

    async def listen(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    result = talk(
        url_here,
        token,
        lambda talking: talking.call_tool("mcpprobe.reports", {"times": 4}, progress_callback=listen),
        mode,
    )

    assert result.structured_content == {"heard": 4, "nothing": None}
    numbers = [progress for progress, _, _ in heard]
    assert numbers == sorted(set(numbers))
    assert [round(progress) for progress in numbers] == [0, 25, 50, 75, 75]
    assert [total for _, total, _ in heard] == [100, 100, 100, 100, None]
    assert heard[-1][2] == "done"
    assert not [message for _, _, message in heard if "ada@example.org" in str(message)]


def test_a_thousand_reports_do_not_hold_up_the_tool(url_here: str, token: str) -> None:
    heard: list[float] = []

    async def listen(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    result = talk(
        url_here,
        token,
        lambda talking: talking.call_tool("mcpprobe.reports", {"times": 1000}, progress_callback=listen),
    )

    assert result.structured_content["heard"] == 1000
    assert heard == sorted(set(heard))
    assert heard[-1] >= 99.9


@pytest.mark.parametrize("mode", MODES)
def test_a_client_that_gives_up_stops_the_tool(url_here: str, token: str, principal: Principal, mode: str) -> None:
    RUNNING.clear()

    async def give_up(talking: Client) -> None:
        with anyio.move_on_after(PATIENCE_S) as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(talking.call_tool, "mcpprobe.waits", {})
                await asyncio.to_thread(RUNNING.wait, PATIENCE_S)
                group.cancel_scope.cancel()
        assert not scope.cancelled_caught

    talk(url_here, token, give_up, mode)

    wait_for(lambda: statuses(principal) == ["cancelled"], what="the tool's end")


def test_a_connection_that_closes_stops_the_tool(url_here: str, token: str, principal: Principal) -> None:
    RUNNING.clear()
    call = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "mcpprobe.waits", "arguments": {}}}

    with (
        httpx2.Client(headers=_headers(token), timeout=PATIENCE_S) as http,
        http.stream("POST", f"{url_here}/mcp", json=call) as response,
    ):
        assert response.status_code == 200
        assert RUNNING.wait(PATIENCE_S)

    wait_for(lambda: statuses(principal) == ["cancelled"], what="the tool's end")


@pytest.mark.parametrize(
    ("number", "mine", "stops"),
    [(7, True, True), (8, True, False), ("7", True, False), (True, True, False), (7, False, False)],
    ids=["it", "another-number", "as-text", "no-number", "anothers-token"],
)
def test_a_message_that_cancels_stops_the_callers_own_call(
    url_here: str, tenant: Any, token: str, principal: Principal, number: Any, mine: bool, stops: bool
) -> None:
    RUNNING.clear()
    call = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "mcpprobe.waits", "arguments": {}}}
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}}
    canceller = Api(url_here, token if mine else make_token(tenant))

    with (
        httpx2.Client(headers=_headers(token), timeout=PATIENCE_S) as http,
        http.stream("POST", f"{url_here}/mcp", json=call) as response,
    ):
        assert RUNNING.wait(PATIENCE_S)
        answer = canceller.request("POST", "/mcp", cancel, Accept=_ACCEPT, Mcp_Protocol_Version=BEFORE)
        assert answer.status == 202
        if stops:
            wait_for(lambda: statuses(principal) == ["cancelled"], what="the tool's end")
            assert "tool_cancelled" in response.read().decode()
        else:
            assert statuses(principal) == []

    wait_for(lambda: statuses(principal) == ["cancelled"], what="the tool's end")


def test_one_caller_runs_only_so_many_at_once(
    url_here: str, tenant: Any, token: str, principal: Principal, settings: Any
) -> None:
    settings.MCP_CALLS_PER_CALLER = 2

    async def many() -> tuple[dict[str, Any], bool]:
        async with client(url_here, token) as talking, client(url_here, make_token(tenant)) as other:
            await talking.list_tools()
            async with anyio.create_task_group() as group:
                for _ in range(2):
                    group.start_soon(talking.call_tool, "mcpprobe.waits", {})
                while len(in_hand._places) < 2:
                    await anyio.sleep(0.01)
                refused = failure_of(await talking.call_tool("mcpprobe.reports", {}))
                others = await other.call_tool("mcpprobe.reports", {})
                group.cancel_scope.cancel()
        return refused, others.is_error

    refused, others_failed = asyncio.run(many())

    assert (refused["code"], refused["retry_after_s"]) == ("too_many_calls", 1)
    assert not others_failed
    wait_for(lambda: not in_hand._places, what="the end of all calls")
    assert sorted(statuses(principal)) == ["cancelled", "cancelled", "succeeded"]  # that of the other


def test_failures_bugs_and_too_much_are_results_that_say_so(url_here: str, token: str) -> None:
    async def try_all(talking: Client) -> list[dict[str, Any]]:
        names = ("mcpprobe.fails", "mcpprobe.breaks", "mcpprobe.large")
        return [failure_of(await talking.call_tool(name, {})) for name in names]

    failed, broken, large = talk(url_here, token, try_all)

    assert failed["code"] == "nothing_there"
    assert "ada@example.org" not in failed["message"]
    assert (broken["code"], "secret" in str(broken)) == ("tool_broken", False)
    assert large["code"] == "output_too_large"


def test_a_slow_tool_does_not_hold_up_the_event_loop(url_here: str, token: str, api: Api) -> None:
    RUNNING.clear()
    call = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "mcpprobe.waits", "arguments": {}}}

    with (
        httpx2.Client(headers=_headers(token), timeout=PATIENCE_S) as http,
        http.stream("POST", f"{url_here}/mcp", json=call),
    ):
        assert RUNNING.wait(PATIENCE_S)
        began = time.monotonic()
        answers = [Api(url_here).get("/v1/health/live").status for _ in range(5)]
        took_s = time.monotonic() - began

    assert answers == [200] * 5
    assert took_s < 20  # the tool holds on for a minute


_ACCEPT = "application/json, text/event-stream"


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept": _ACCEPT, "Mcp-Protocol-Version": BEFORE}
