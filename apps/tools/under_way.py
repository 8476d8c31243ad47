"""How many tools work for one caller in this process at once. Runs and jobs have bounds of their own."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

from django.conf import settings

from apps.tools.calls import Call
from kernel.errors import RateLimitedError

COUNTED = frozenset(("rest", "mcp"))
RETRY_AFTER_S = 1.0

_lock = threading.Lock()
_callers: Counter[tuple[UUID, str]] = Counter()
_is_inside: ContextVar[bool] = ContextVar("tools_call_is_inside", default=False)


@contextmanager
def place(call: Call) -> Iterator[None]:
    """A place among the caller's calls, for as long as this one is under way. RateLimitedError when all are taken.

    A call that a tool makes on its way stands in its caller's place.
    """
    if call.door not in COUNTED or _is_inside.get():
        yield
        return
    caller = (call.principal.tenant_id, call.principal.sub)
    _take(caller)
    inside = _is_inside.set(True)
    try:
        yield
    finally:
        _is_inside.reset(inside)
        _give_back(caller)


def _take(caller: tuple[UUID, str]) -> None:
    most = settings.TOOLS_CALLS_PER_CALLER
    with _lock:
        if _callers[caller] >= most:
            raise RateLimitedError(
                f"{most} of your calls are under way. Wait until one has ended.",
                code="too_many_calls",
                retry_after_s=RETRY_AFTER_S,
            )
        _callers[caller] += 1


def _give_back(caller: tuple[UUID, str]) -> None:
    with _lock:
        _callers[caller] -= 1
        if not _callers[caller]:
            del _callers[caller]
