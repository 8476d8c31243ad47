"""A server of the MCP SDK and nothing else: the same tools listed, the same one to call; no caller, limits or store.

``BENCH_TOOLS`` names a JSON file with the list, as tools/list gives it.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mcp.server import Server
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

TOOLS = [Tool.model_validate(said) for said in json.loads(Path(os.environ["BENCH_TOOLS"]).read_text())]


async def list_tools(context: Any, params: Any) -> ListToolsResult:
    return ListToolsResult(tools=TOOLS)


async def call_tool(context: Any, params: Any) -> CallToolResult:
    moment = datetime.now(UTC)
    result = {"utc": moment.isoformat(), "weekday": moment.strftime("%A")}
    return CallToolResult(content=[TextContent(type="text", text=json.dumps(result))], structured_content=result)


async def live(request: Request) -> Response:
    return Response("ok")


app = Server("bare", on_list_tools=list_tools, on_call_tool=call_tool).streamable_http_app(
    stateless_http=True, custom_starlette_routes=[Route("/live", live)]
)
