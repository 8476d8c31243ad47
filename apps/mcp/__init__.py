"""The MCP door at /mcp: the official SDK, the same tools, the same rights, plus resources and prompts."""
