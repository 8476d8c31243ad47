"""The door for models: the Model Context Protocol over streamable HTTP (/mcp) and standard input (docs/mcp.md)."""
