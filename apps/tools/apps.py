"""Django's name for this app, and what it brings along."""

from typing import Any

from django.apps import AppConfig


class ToolsConfig(AppConfig):
    name = "apps.tools"

    def ready(self) -> None:
        from apps.jobs.checks import CHECKS

        CHECKS["tool.invoke"] = _admit


def _admit(principal: Any, payload: dict[str, Any]) -> None:
    from apps.tools import jobs  # when the first such job is asked for: it needs models, and takes its time

    jobs.admit(principal, payload)
