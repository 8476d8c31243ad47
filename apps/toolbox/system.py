"""The platform's state and the time, as far as the caller may see it."""

from datetime import UTC

from pydantic import Field

from apps.tools.context import ToolContext
from apps.tools.spec import ToolInput, ToolOutput, tool
from kernel.clock import iso, now


class NoInput(ToolInput):
    """Nothing is asked for."""


class TimeOut(ToolOutput):
    utc: str = Field(description="ISO 8601, in UTC.")
    weekday: str = Field(description="In English.")


@tool("system.time", effect="read", title="Date and time", example={})
def time(context: ToolContext, given: NoInput) -> TimeOut:
    """The present date and time, in UTC."""
    moment = now().astimezone(UTC)
    return TimeOut(utc=iso(moment), weekday=moment.strftime("%A"))
