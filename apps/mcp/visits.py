"""Who a message comes from. Whoever lets it through (apps/edge/mcp_gate.py) says so; what answers it looks here."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from apps.identity.principal import Principal


class Passage(Protocol):
    """A caller's way through the layers."""

    principal: Principal | None

    def admit(self, token: str) -> Principal:
        """Layers 3 to 5: who it is, how often it asks, for which tenant. Waits: call it in a thread."""

    def clean(self, data: bytes, route: str | None = None) -> bytes:
        """Layer 7: JSON without personal data, but for what the route of that template exists to show."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One message, or a whole conversation over standard input.

    ``mark``: the same for all messages with one token, and says nothing of it. ``underscores``: tools are named
    graph_query, not graph.query. ``again``: looks at the token and the limits anew; called before each message where
    one passage is for many of them.
    """

    passage: Passage
    mark: str
    underscores: bool = False
    again: Callable[[], object] | None = None

    @property
    def principal(self) -> Principal:
        principal = self.passage.principal
        if principal is None:
            raise RuntimeError("nobody was admitted")
        return principal


_current: ContextVar[Visit] = ContextVar("mcp_visit")


def current() -> Visit:
    """The visit that this task is part of."""
    return _current.get()


@contextmanager
def visit(made: Visit) -> Iterator[None]:
    """Everything inside, and every task that begins there, is part of it."""
    token = _current.set(made)
    try:
        yield
    finally:
        _current.reset(token)
