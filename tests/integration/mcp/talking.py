"""The official client, as tests use it; and messages as they go over the wire."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import httpx2
import structlog
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.clients import PATIENCE_S, Answer, Api, free_port, wait_for

T = TypeVar("T")
MODES = ("legacy", "2026-07-28")  # the revision before the present one, by its handshake, and the present one
BEFORE, NOW = "2025-11-25", "2026-07-28"


@asynccontextmanager
async def client(url: str, token: str, mode: str = NOW, query: str = "") -> AsyncIterator[Client]:
    """A client of /mcp with this token."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60) as http,
        Client(streamable_http_client(f"{url}/mcp{query}", http_client=http), mode=mode) as talking,
    ):
        yield talking


def talk(url: str, token: str, what: Callable[[Client], Awaitable[T]], mode: str = NOW, query: str = "") -> T:
    """What ``what`` says, once it has talked to /mcp."""

    async def run() -> T:
        async with client(url, token, mode, query) as talking:
            return await what(talking)

    return asyncio.run(run())


async def tool_names(talking: Client) -> list[str]:
    """Every tool that the caller is shown, page by page."""
    found: list[str] = []
    cursor = None
    while True:
        page = await talking.list_tools(cursor=cursor)
        found += [tool.name for tool in page.tools]
        cursor = page.next_cursor
        if cursor is None:
            return found


def post(api: Api, method: str, params: dict[str, Any] | None = None, **headers: str) -> Answer:
    """One request of the revision before the present one, without a handshake."""
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
    sent = {"Accept": "application/json, text/event-stream", "Mcp_Protocol_Version": BEFORE, **headers}
    return api.request("POST", "/mcp", message, **sent)


def said(answer: Answer) -> dict[str, Any]:
    """The message in an answer, whether it came as JSON or as an event."""
    if answer.headers["content-type"].startswith("application/json"):
        return dict(answer.json)
    (data,) = [line[6:] for line in answer.body.decode().splitlines() if line.startswith("data: ")]
    return dict(json.loads(data))


def failure_of(result: Any) -> dict[str, Any]:
    """{code, message, ...} of a call that was refused or failed."""
    assert result.is_error, result
    assert result.structured_content is None
    (text,) = result.content
    return dict(json.loads(text.text))


@contextmanager
def served_here() -> Iterator[str]:
    """The platform's ASGI application in this process, so that it has this process's tools and settings; its URL."""
    from config.asgi import application

    port = free_port()
    config = uvicorn.Config(application, host="127.0.0.1", port=port, lifespan="on", log_config=None, access_log=False)
    server = uvicorn.Server(config)

    def serve() -> None:
        structlog.contextvars.clear_contextvars()
        server.run()

    import threading

    thread = threading.Thread(target=serve, name="mcp-server")
    thread.start()
    try:
        wait_for(lambda: server.started, what="the server's start")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=PATIENCE_S)
