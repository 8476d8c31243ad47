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
    before a stream broke: never an answer. ``tokens`` and ``nano_usd``: what it took all the same."""

    code, http_status, title, retryable = "llm_unavailable", 503, "Model Unavailable", True
    kind: FailureKind
    attempts: tuple[Attempt, ...] = ()
    partial = ""
    tokens = 0
    nano_usd = 0


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


class ProviderMisconfigured(CompletionError):
    """The provider is there, but refuses the key, or has no such model: waiting does not help."""

    code, http_status, title, retryable = "llm_provider_misconfigured", 502, "Provider Misconfigured", False


class AnswerMisfit(CompletionError):
    """No model gave an answer that fits the schema."""

    code, http_status, title, retryable = "llm_answer_misfit", 422, "Answer Does Not Fit", False


_CLASSES: dict[FailureKind, type[CompletionError]] = {
    FailureKind.TIMEOUT: CompletionTimeout,
    FailureKind.BAD_REQUEST: CompletionRefused,
    FailureKind.CONTEXT_LENGTH: ContextTooLong,
    FailureKind.BUDGET: BudgetSpent,
    FailureKind.CANCELLED: CompletionCancelled,
    FailureKind.INTERRUPTED: StreamBroken,
    FailureKind.AUTH: ProviderMisconfigured,
    FailureKind.NOT_FOUND: ProviderMisconfigured,
    FailureKind.UNSUPPORTED: ProviderMisconfigured,
    FailureKind.SCHEMA: AnswerMisfit,
}
AGAIN = "Try again in a moment, or ask another model."
_ADVICE: dict[FailureKind, str] = {
    FailureKind.AUTH: "Its administrator has to look at its key and its account.",
    FailureKind.NOT_FOUND: "Its administrator has to correct the model's name, or have it downloaded.",
    FailureKind.UNSUPPORTED: "Its administrator has to look at its address and its type.",
    FailureKind.CONTEXT_LENGTH: "Shorten the messages, or ask a model with a larger window.",
    FailureKind.BAD_REQUEST: "Change the request.",
    FailureKind.TIMEOUT: "Try again, or ask for a shorter answer, or another model.",
    FailureKind.SCHEMA: "Simplify the schema, or ask another model.",
    FailureKind.BUDGET: "",  # the refusal says it
    FailureKind.CANCELLED: "",
}
NOT_ASKED = frozenset({FailureKind.CIRCUIT_OPEN, FailureKind.BUSY, FailureKind.BUDGET})
# Their details say whose they are, or are nobody's.
NAMES_ITSELF = NOT_ASKED | {FailureKind.SCHEMA, FailureKind.CANCELLED}


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
    """Who failed, how, what helps, and how many others failed too."""
    who = next((attempt for attempt in reversed(attempts) if attempt.detail == decisive.detail), None)
    said = decisive.detail if decisive.detail.endswith((".", "!", "?")) else f"{decisive.detail}."
    if who is not None and decisive.kind not in NAMES_ITSELF:
        said = f"{who.provider} gave no answer. {said}"
    others = len({attempt.instance for attempt in attempts}) - 1
    tried = f"{others} more tried, without an answer." if others > 0 else ""
    return " ".join(filter(None, (said, tried, _ADVICE.get(decisive.kind, AGAIN))))


def _shown(attempt: Attempt) -> dict[str, Any]:
    return {
        "provider": attempt.provider,
        "instance": attempt.instance,
        "failure": attempt.failure,
        "duration_ms": attempt.duration_ms,
    }
