"""What follows from each kind of failure, how long to wait before a provider is asked again, and how often at most."""

from dataclasses import dataclass, replace
from typing import Literal

from apps.llm.failures import FailureKind, ProviderFailure

ErrorType = Literal["timeout", "context_length", "rate_limit", "connection", "validation", "unknown"]


@dataclass(frozen=True, slots=True)
class Consequence:
    """``retry_in_place``: the same provider may do better in a moment. ``trips_breaker``: it is the provider's own
    fault. ``falls_back``: another may do better. ``error_type``: the contract's word for it."""

    retry_in_place: bool
    trips_breaker: bool
    falls_back: bool
    error_type: ErrorType


CONSEQUENCES: dict[FailureKind, Consequence] = {
    #                                         retry  trips  falls back
    FailureKind.CONNECTION: Consequence(True, True, True, "connection"),
    FailureKind.TIMEOUT: Consequence(True, True, True, "timeout"),
    FailureKind.RATE_LIMIT: Consequence(True, False, True, "rate_limit"),
    FailureKind.SERVER: Consequence(True, True, True, "connection"),
    FailureKind.GARBAGE: Consequence(True, True, True, "validation"),
    FailureKind.SCHEMA: Consequence(False, False, True, "validation"),
    FailureKind.TOO_LARGE: Consequence(False, True, True, "validation"),
    FailureKind.INTERRUPTED: Consequence(False, True, True, "connection"),
    FailureKind.AUTH: Consequence(False, False, True, "unknown"),
    FailureKind.NOT_FOUND: Consequence(False, False, True, "validation"),
    FailureKind.CONTEXT_LENGTH: Consequence(False, False, True, "context_length"),
    FailureKind.BAD_REQUEST: Consequence(False, False, False, "validation"),
    FailureKind.UNSUPPORTED: Consequence(False, False, True, "validation"),
    FailureKind.CIRCUIT_OPEN: Consequence(False, False, True, "connection"),
    FailureKind.BUSY: Consequence(False, False, True, "rate_limit"),
    FailureKind.BUDGET: Consequence(False, False, True, "rate_limit"),
    FailureKind.CANCELLED: Consequence(False, False, False, "unknown"),
}


@dataclass(frozen=True, slots=True)
class RetryRules:
    """The n-th wait is up to ``base_s`` times 2 to the n-1, and up to ``cap_s``."""

    base_s: float
    cap_s: float


def next_wait_s(
    failure: ProviderFailure, *, tries: int, max_retries: int, left_s: float, chance: float, rules: RetryRules
) -> float | None:
    """Seconds to wait before the next try at the same provider; None: do not try there again.

    Exponential backoff with full jitter: ``chance`` in [0, 1) picks the wait between nothing and its ceiling. What the
    provider asks for (Retry-After) is waited for in full; if that is more than ``cap_s``, another provider is the
    better choice. No wait reaches beyond ``left_s``.
    """
    if not CONSEQUENCES[failure.kind].retry_in_place or tries > max_retries:
        return None
    wait_s = chance * min(rules.cap_s, rules.base_s * 2 ** (tries - 1))
    if failure.retry_after_s is not None:
        if failure.retry_after_s > rules.cap_s:
            return None
        wait_s = max(wait_s, failure.retry_after_s)
    return wait_s if wait_s < left_s else None


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many retries a provider's callers still have: ``spare`` at first, then a share of its calls.

    So with everything down, a crowd of callers makes few more calls than it wants answers (F27: at most 1.1 times).
    """

    retries: float
    spare: float

    def with_call(self, share: float) -> "Allowance":
        """A call was begun; ``share`` of a retry is earned."""
        return replace(self, retries=min(self.spare, self.retries + share))

    def take(self) -> "Allowance | None":
        """One retry less; None when there is none."""
        return replace(self, retries=self.retries - 1) if self.retries >= 1 else None
