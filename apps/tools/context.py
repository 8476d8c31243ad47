"""In whose name, by which door and until when a tool works."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from apps.identity.principal import Principal
from kernel.errors import PlatformError

Door = Literal["rest", "mcp", "agent", "job"]


class ToolStopped(PlatformError):
    """The caller does not want the result any more, or the time is over."""

    code, http_status, title = "tool_stopped", 499, "Tool Stopped"


def _nothing(stage: str, message: str, percent: float | None) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a tool may know of its call. It reaches nothing that ``principal`` may not.

    ``deadline``: time.monotonic() by which it must have ended. ``idempotency_key``: the same for every repeat of one
    effect; what has effects outside passes it on. ``read_only``: writes are refused before the tool is called.
    ``report``: (stage, message, percent) for whoever watches.
    """

    principal: Principal
    door: Door
    deadline: float
    invocation_id: UUID
    idempotency_key: str
    read_only: bool = False
    run_id: UUID | None = None
    session_id: UUID | None = None
    cancelled: Callable[[], bool] = field(default=lambda: False, repr=False)
    report: Callable[[str, str, float | None], None] = field(default=_nothing, repr=False)

    @property
    def tenant_id(self) -> UUID:
        return self.principal.tenant_id

    @property
    def left_s(self) -> float:
        """Seconds until the deadline; negative after it."""
        return self.deadline - time.monotonic()

    def checkpoint(self) -> None:
        """ToolStopped when the caller has left or the time is over. Tools that loop call it in the loop."""
        if self.left_s <= 0:
            raise ToolStopped("The tool took longer than it may, and was ended.", code="tool_timeout")
        if self.cancelled():
            raise ToolStopped("The call was cancelled.", code="tool_cancelled")

    def progress(self, stage: str, message: str, percent: float | None = None, **_: Any) -> None:
        """Tell whoever watches. A checkpoint."""
        self.checkpoint()
        self.report(stage, message, percent)
