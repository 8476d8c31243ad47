"""In whose name, by which door and until when a tool works."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from apps.identity.principal import Principal
from apps.tools.errors import ToolStopped

Door = Literal["rest", "mcp", "agent", "job"]
DOORS: tuple[Door, ...] = ("rest", "mcp", "agent", "job")
Report = Callable[[str, str, float | None], None]


def nobody(stage: str, message: str, percent: float | None) -> None:
    """Nobody watches."""


def never() -> bool:
    """Nobody leaves."""
    return False


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a tool may know of its call. It reaches nothing that ``principal`` may not.

    ``deadline``: time.monotonic() by which it must have ended. ``idempotency_key``: the same for every repeat of one
    effect; a tool of effect ``write`` makes its effect once for each key. ``run_id`` and ``session_id``: of the agent
    run that calls, if one does. ``report``: (stage, message, percent or None) for whoever watches.
    """

    principal: Principal
    door: Door
    deadline: float
    invocation_id: UUID
    idempotency_key: str
    run_id: UUID | None = None
    session_id: UUID | None = None
    cancelled: Callable[[], bool] = field(default=never, repr=False)
    report: Report = field(default=nobody, repr=False)

    @property
    def tenant_id(self) -> UUID:
        return self.principal.tenant_id

    @property
    def left_s(self) -> float:
        """Seconds until the deadline; never negative."""
        return max(0.0, self.deadline - time.monotonic())

    def checkpoint(self) -> None:
        """ToolStopped when the time is over or the caller has left. Tools that loop call it in the loop."""
        if time.monotonic() >= self.deadline:
            raise ToolStopped("The tool took longer than it may, and was ended.", code="tool_timeout")
        if self.cancelled():
            raise ToolStopped("The call was cancelled.", code="tool_cancelled")

    def progress(self, stage: str, message: str, percent: float | None = None) -> None:
        """Tell whoever watches. A checkpoint."""
        self.checkpoint()
        self.report(stage, message, percent)
