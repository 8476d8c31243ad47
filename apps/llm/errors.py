"""What callers of the gateway get instead of an answer. Each lists the attempts that were made."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.resilience.retry import CONSEQUENCES
from apps.llm.types import Attempt
from kernel.errors import PlatformError


class CompletionError(PlatformError):
    """No answer. ``kind`` is the failure that decided, ``attempts`` what was tried, ``partial`` the text that came
    before a stream broke: never an answer."""

    code, http_status, title, retryable = "llm_unavailable", 503, "Model Unavailable", True
    kind: FailureKind
    attempts: tuple[Attempt, ...] = ()
    partial = ""


class CompletionTimeout(CompletionError):
    """No model answered in time."""

    code, http_status, title = "llm_timeout", 504, "Model Timeout"


class CompletionRefused(CompletionError):
    """The request itself is what no model takes."""

    code, http_status, title, retryable = "llm_request_refused", 422, "Request Refused", False


class ContextTooLong(CompletionError):
    """The messages are longer than any model at hand takes."""

    code, http_status, title, retryable = "context_length_exceeded", 422, "Context Too Long", False


class BudgetSpent(CompletionError):
    """What is left of a budget does not pay for this call."""

    code, http_status, title = "llm_budget_spent", 429, "Budget Spent"


class CompletionCancelled(CompletionError):
    """The caller did not want it any more."""

    code, http_status, title, retryable = "completion_cancelled", 409, "Cancelled", False


class StreamBroken(CompletionError):
    """The stream ended before the answer did: what came is no answer."""

    code, title = "llm_stream_broken", "Stream Broken"


_CLASSES: dict[FailureKind, type[CompletionError]] = {
    FailureKind.TIMEOUT: CompletionTimeout,
    FailureKind.BAD_REQUEST: CompletionRefused,
    FailureKind.CONTEXT_LENGTH: ContextTooLong,
    FailureKind.BUDGET: BudgetSpent,
    FailureKind.CANCELLED: CompletionCancelled,
    FailureKind.INTERRUPTED: StreamBroken,
}
NOT_ASKED = frozenset({FailureKind.CIRCUIT_OPEN, FailureKind.BUSY, FailureKind.BUDGET})


def gave_up(
    failures: Sequence[ProviderFailure], attempts: Sequence[Attempt], *, call_id: UUID, partial: str = ""
) -> CompletionError:
    """The error for a call that failed everywhere: of the last provider that was really asked, if one was."""
    asked = [failure for failure in failures if failure.kind not in NOT_ASKED]
    decisive = asked[-1] if asked else failures[-1]
    waits = [failure.retry_after_s for failure in failures if failure.retry_after_s is not None]
    error = _CLASSES.get(decisive.kind, CompletionError)(
        _sentence(decisive, attempts),
        retry_after_s=min(waits, default=None),
        call_id=str(call_id),
        llm_error_type=CONSEQUENCES[decisive.kind].error_type,
        attempts=[_shown(attempt) for attempt in attempts],
    )
    error.kind, error.attempts, error.partial = decisive.kind, tuple(attempts), partial
    return error


def _sentence(decisive: ProviderFailure, attempts: Sequence[Attempt]) -> str:
    others = len({attempt.instance for attempt in attempts}) - 1
    return decisive.detail + (f" {others} more tried before, without an answer." if others > 0 else "")


def _shown(attempt: Attempt) -> dict[str, Any]:
    return {
        "provider": attempt.provider,
        "instance": attempt.instance,
        "failure": attempt.failure,
        "duration_ms": attempt.duration_ms,
    }
