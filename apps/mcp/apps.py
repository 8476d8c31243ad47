"""Django's name for this app, which has the command `mcp_stdio`."""

from django.apps import AppConfig


class McpConfig(AppConfig):
    name = "apps.mcp"
