"""What is limited, how much of it was used, and what to tell the caller. Pure; `limiter` asks Redis or this process.

A window is kept as counts of its slots. A slot leaves the count when all of it is older than the window, so that no
stretch of the window's length, wherever it begins, ever holds more than the limit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kernel.errors import RateLimitedError


@dataclass(frozen=True, slots=True)
class Window:
    """``slots`` slots of ``slot_ms`` milliseconds; more slots are more exact and cost more to read."""

    slot_ms: int
    slots: int

    @property
    def seconds(self) -> int:
        return self.slot_ms * self.slots // 1000


MINUTE = Window(slot_ms=5_000, slots=12)
HOUR = Window(slot_ms=300_000, slots=12)
DAY = Window(slot_ms=3_600_000, slots=24)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``limit`` in any ``window``. ``scope`` is the wire's word for it, ``key`` the Redis key that counts.

    ``owner`` tells apart who shares a key (the same `sub` in two tenants); each has its own counts in the hash.
    """

    scope: str
    key: str
    limit: int
    window: Window
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one limit: used so far, until when the oldest slot leaves, and, when it refuses, how long it will."""

    used: int
    reset_ms: int
    wait_ms: int  # 0: it does not refuse


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the request may go on, and the tightest limit: what the headers report."""

    allowed: bool
    scope: str
    limit: int
    remaining: int
    window_s: int
    reset_s: int
    retry_after_s: int
    is_local: bool

    def headers(self) -> dict[str, str]:
        """For the answer, whatever its status. Retry-After comes with the error."""
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset_s),
            "X-RateLimit-Window": str(self.window_s),
        }
        if self.is_local:
            headers["X-RateLimit-Policy"] = "local"
        if not self.allowed:
            headers["X-RateLimit-Scope"] = self.scope
        return headers

    def waiting(self, left_s: float) -> "Decision":
        """The same refusal, seen when only ``left_s`` of its wait are left."""
        return replace(self, retry_after_s=math.ceil(left_s), reset_s=min(self.reset_s, math.ceil(left_s)))

    def error(self) -> RateLimitedError:
        """What a refused caller is told."""
        return RateLimitedError(
            f"Too many requests: {self.limit} in {self.window_s} s are allowed here ({self.scope}). "
            f"Try again in {self.retry_after_s} s.",
            retry_after_s=self.retry_after_s,
            limit=self.limit,
            window=self.window_s,
            scope=self.scope,
            retry_after=self.retry_after_s,
        )


def decide(limits: Sequence[Limit], usages: Sequence[Usage], *, is_local: bool) -> Decision:
    """The limit that refuses longest, else the one with the least left; of equal ones the first."""
    allowed = not any(usage.wait_ms for usage in usages)
    pairs = list(zip(limits, usages, strict=True))
    if allowed:
        limit, usage = min(pairs, key=lambda pair: pair[0].limit - pair[1].used)
    else:
        limit, usage = max(pairs, key=lambda pair: pair[1].wait_ms)
    return Decision(
        allowed=allowed,
        scope=limit.scope,
        limit=limit.limit,
        remaining=max(0, limit.limit - usage.used) if allowed else 0,
        window_s=limit.window.seconds,
        reset_s=math.ceil(usage.reset_ms / 1000),
        retry_after_s=math.ceil(usage.wait_ms / 1000),
        is_local=is_local,
    )
