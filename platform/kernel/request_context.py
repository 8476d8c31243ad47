"""What the current request or task is part of: its names and its trace, for logs, errors, audit rows and what follows.

Set by apps/edge/trace.py for a request and by workers/ for a job or a task; read by whoever writes something down.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class RequestContext:
    """Ids as text; empty where there is none. ``trace_id`` has 32, the other two ids 16 hexadecimal digits."""

    request_id: str = ""
    correlation_id: str = ""
    trace_id: str = ""
    span_id: str = ""
    parent_id: str = ""
    trace_flags: str = "01"
    tracestate: str = ""
    client_ip: str = ""

    @property
    def traceparent(self) -> str:
        """The W3C header that makes what follows a child of this span; empty without a trace."""
        return f"00-{self.trace_id}-{self.span_id}-{self.trace_flags}" if self.trace_id else ""


NOTHING = RequestContext()
_current: ContextVar[RequestContext] = ContextVar("request_context", default=NOTHING)


def current() -> RequestContext:
    """The innermost context; an empty one outside of any."""
    return _current.get()


def enter(context: RequestContext) -> None:
    """What follows in this thread or task is part of ``context``, until somebody enters another."""
    _current.set(context)


@contextmanager
def request_context(context: RequestContext) -> Iterator[None]:
    """Everything inside is part of this."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)
