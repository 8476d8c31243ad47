"""Django's name for this app, which has the command `mcp_stdio`."""

import logging

from django.apps import AppConfig


class McpConfig(AppConfig):
    name = "apps.mcp"

    def ready(self) -> None:
        logging.getLogger("mcp").setLevel(logging.WARNING)  # the SDK tells of every request's end
