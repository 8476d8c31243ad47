"""manage.py mcp_stdio."""
