"""Django's name for this app, and what it brings along."""

from django.apps import AppConfig


class ToolsConfig(AppConfig):
    name = "apps.tools"

    def ready(self) -> None:
        from apps.jobs import admission
        from apps.tools import jobs  # it needs models

        admission.add_check(jobs.TYPE, jobs.admit)
