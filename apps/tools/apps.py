"""Django's name for this app."""

from django.apps import AppConfig


class ToolsConfig(AppConfig):
    name = "apps.tools"
