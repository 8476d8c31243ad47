"""How long and how much one call to a provider may take, watched on every read of the socket."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal

MAX_ANSWER_BYTES = 10 * 1024 * 1024

Ended = Literal["deadline", "first_byte", "too_large", "cancelled"]


@dataclass(slots=True)
class CallLimits:
    """``deadline`` and ``first_byte_by`` in time.monotonic() seconds. ``ended_by`` says which limit ended the call:
    libraries above the socket wrap our exception in theirs.
    """

    deadline: float
    first_byte_by: float
    max_bytes: int = MAX_ANSWER_BYTES
    cancelled: Callable[[], bool] | None = None
    ended_by: Ended | None = None
    read_bytes: int = field(default=0)
    looked_at: float = field(default=0.0)  # when ``cancelled`` was last asked

    @classmethod
    def within(
        cls,
        seconds: float,
        *,
        first_byte_s: float | None = None,
        cancelled: Callable[[], bool] | None = None,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> "CallLimits":
        """From now on."""
        now = time.monotonic()
        return cls(now + seconds, now + min(seconds, first_byte_s or seconds), max_bytes, cancelled)

    @property
    def left_s(self) -> float:
        return max(0.0, self.deadline - time.monotonic())


_current: ContextVar[CallLimits | None] = ContextVar("call_limits", default=None)


def current_limits() -> CallLimits | None:
    """The limits of the call under way in this thread."""
    return _current.get()


@contextmanager
def limited(limits: CallLimits) -> Iterator[None]:
    """Everything read and written on a provider's connection in here keeps to ``limits``."""
    token = _current.set(limits)
    try:
        yield
    finally:
        _current.reset(token)
