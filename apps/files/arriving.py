"""Uploads on their way: how many at once, in all and for one caller, and how slowly one may come.

Each holds a thread for as long as it takes. Without a share one caller could hold them all, with sixteen bodies that
never end; without a pace it could do so for an hour at a byte now and then.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from kernel.errors import RateLimitedError, RequestTimeoutError, UnavailableError
from kernel.places import Places

_places = Places()


@contextmanager
def place(caller: Any) -> Iterator[None]:
    """One of the process's places for uploads. RateLimitedError when the caller has FILES_AT_ONCE_EACH already,
    UnavailableError when all FILES_AT_ONCE are taken."""
    each = settings.FILES_AT_ONCE_EACH
    taken = _places.take(caller, each=each, total=settings.FILES_AT_ONCE)
    if taken == "own_full":
        raise RateLimitedError(
            f"You are sending {each} files at this moment. Wait until one of them is there.",
            code="uploads_busy",
            retry_after_s=5,
        )
    if taken == "all_full":
        raise UnavailableError(
            "Too many files are being sent at this moment. Try again in a moment.",
            code="uploads_busy",
            retry_after_s=5,
        )
    try:
        yield
    finally:
        _places.give_back(caller)


def paced(pieces: Iterable[bytes], clock: Callable[[], float] = time.monotonic) -> Iterator[bytes]:
    """The pieces. RequestTimeoutError when, FILES_GRACE_S after the beginning, they have come at fewer than
    FILES_BYTES_PER_S_MIN on average."""
    began, size = clock(), 0
    for piece in pieces:
        size += len(piece)
        waited_s = clock() - began
        if waited_s > settings.FILES_GRACE_S and size < settings.FILES_BYTES_PER_S_MIN * waited_s:
            raise RequestTimeoutError(
                f"The body came too slowly: after {settings.FILES_GRACE_S:g} seconds it must have come at "
                f"{settings.FILES_BYTES_PER_S_MIN:,} bytes a second on average."
            )
        yield piece
