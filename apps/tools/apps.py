"""Django's name for this app, and what it brings along."""

from typing import Any

from django.apps import AppConfig


class ToolsConfig(AppConfig):
    name = "apps.tools"

    def ready(self) -> None:
        from apps.jobs.checks import CHECKS, WITHHELD

        CHECKS["tool.invoke"] = _admit
        WITHHELD["tool.invoke"] = _withheld


def _admit(principal: Any, payload: dict[str, Any]) -> None:
    from apps.tools import jobs  # when the first such job is asked for: it needs models, and takes its time

    jobs.admit(principal, payload)


def _withheld(principal: Any, payload: dict[str, Any]) -> str | None:
    from apps.tools import selectors

    return selectors.withheld(principal, payload["tool"], payload.get("arguments") or {})
