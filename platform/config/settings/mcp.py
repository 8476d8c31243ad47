"""The door for models, /mcp (docs/mcp.md)."""

from config.env import env

MCP_PATH = "/mcp"
MCP_THREADS = env.integer("AGENTIC_MCP_THREADS", 16, "Tools that one API process runs at once for /mcp.", 1, 256)
MCP_CALLS_PER_CALLER = env.integer(
    "AGENTIC_MCP_CALLS_PER_CALLER", 8, "Tools that one API process runs at once for one caller of /mcp.", 1, 256
)
MCP_PAGE_SIZE = 100  # tools or prompts a page; clients that do not turn pages then still see all there are
# What a web page sends besides what the API takes.
MCP_REQUEST_HEADERS = ("Mcp-Protocol-Version", "Mcp-Method", "Mcp-Name", "Mcp-Session-Id")
# The layers around what comes over standard input: apps.mcp lies below apps.edge and is handed them.
MCP_STDIO_PASSAGE = "apps.edge.mcp_gate.stdio_passage"
