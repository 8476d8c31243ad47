"""Django's name for this app."""

from django.apps import AppConfig


class GraphConfig(AppConfig):
    name = "apps.graph"
