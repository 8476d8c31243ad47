"""A server of the MCP SDK and nothing else: the same tools listed, two to call; no caller, limits, gate or store.

``BENCH_TOOLS`` names a JSON file with the list, as tools/list gives it. ``GRAPH_URL`` and the settings of its reader
lead to the graph, where the Cypher of a call runs as it is.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mcp.server import Server
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool
from neo4j import AsyncGraphDatabase
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

TOOLS = [Tool.model_validate(said) for said in json.loads(Path(os.environ["BENCH_TOOLS"]).read_text())]

GRAPH = AsyncGraphDatabase.driver(
    os.environ["GRAPH_URL"],
    auth=(os.environ["AGENTIC_GRAPH_READER_USER"], os.environ["AGENTIC_GRAPH_READER_PASSWORD"]),
)


async def list_tools(context: Any, params: Any) -> ListToolsResult:
    return ListToolsResult(tools=TOOLS)


async def call_tool(context: Any, params: Any) -> CallToolResult:
    if params.name == "graph.query":
        rows, _, columns = await GRAPH.execute_query(params.arguments["cypher"], routing_="r")
        result = {"columns": columns, "rows": [list(row.values()) for row in rows]}
    else:
        moment = datetime.now(UTC)
        result = {"utc": moment.isoformat(), "weekday": moment.strftime("%A")}
    return CallToolResult(content=[TextContent(type="text", text=json.dumps(result))], structured_content=result)


async def live(request: Request) -> Response:
    return Response("ok")


def no_mirrored_headers(name: str) -> None:
    """As ours: without this the SDK lists all tools before each call that has arguments."""


app = Server(
    "bare", on_list_tools=list_tools, on_call_tool=call_tool, get_tool_input_schema=no_mirrored_headers
).streamable_http_app(stateless_http=True, custom_starlette_routes=[Route("/live", live)])
