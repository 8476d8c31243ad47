"""How many tools work for one caller in this process at once. Runs and jobs have bounds of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.conf import settings

from apps.tools.calls import Call
from kernel.errors import RateLimitedError
from kernel.places import Places

COUNTED = frozenset(("rest", "mcp"))
RETRY_AFTER_S = 1.0

_places = Places()
_is_inside: ContextVar[bool] = ContextVar("tools_call_is_inside", default=False)


@contextmanager
def place(call: Call) -> Iterator[None]:
    """A place among the caller's calls, for as long as this one is under way. RateLimitedError when all are taken.

    A call that a tool makes on its way stands in its caller's place.
    """
    if call.door not in COUNTED or _is_inside.get():
        yield
        return
    caller, most = (call.principal.tenant_id, call.principal.sub), settings.TOOLS_CALLS_PER_CALLER
    if _places.take(caller, each=most) != "taken":
        raise too_many(most)
    inside = _is_inside.set(True)
    try:
        yield
    finally:
        _is_inside.reset(inside)
        _places.give_back(caller)


def too_many(most: int) -> RateLimitedError:
    """What a caller is told that has as many calls under way as it may."""
    return RateLimitedError(
        f"{most} of your calls are under way. Wait until one has ended.",
        code="too_many_calls",
        retry_after_s=RETRY_AFTER_S,
    )
