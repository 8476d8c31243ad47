"""What the gateway tells Prometheus and the log. Model names become labels, so there may not be too many of them."""

import structlog

from apps.llm.catalogue import InstanceConfig
from apps.llm.types import Attempt, CompletionResult
from kernel import metrics

log = structlog.get_logger("llm")
LABELS_AT_MOST = 200
_labels: set[str] = set()


def label(model_id: str) -> str:
    """The model as a metric's label; ``other`` once there are too many."""
    if model_id in _labels:
        return model_id
    if len(_labels) >= LABELS_AT_MOST:
        return "other"
    _labels.add(model_id)
    return model_id


def attempt(provider_type: str, made: Attempt) -> None:
    """One try, whatever came of it."""
    metrics.LLM_ATTEMPTS.labels(provider_type, made.failure or "ok").inc()
    if made.failure is not None:
        log.info(
            "llm_attempt_failed",
            provider=made.provider,
            model=made.model_id,
            failure=made.failure,
            status=made.status_code,
            duration_ms=made.duration_ms,
        )


def call(
    first: InstanceConfig,
    attempts: list[Attempt],
    result: CompletionResult | None,
    elapsed_ms: float,
    *,
    status: str,
) -> None:
    """The whole call. ``first`` was to answer it; ``result`` is None when nobody did."""
    if result is None:
        metrics.LLM_CALLS.labels(label(first.model_id), status).inc()
        return
    model = label(attempts[-1].model_id)
    metrics.LLM_CALLS.labels(model, status).inc()
    metrics.LLM_DURATION.labels(model).observe(elapsed_ms / 1000)
    if result.first_token_ms is not None:
        metrics.LLM_FIRST_TOKEN.labels(model).observe(result.first_token_ms / 1000)
    metrics.LLM_TOKENS.labels(model, "input").inc(result.usage.input_tokens)
    metrics.LLM_TOKENS.labels(model, "output").inc(result.usage.output_tokens)
    metrics.LLM_COST.labels(model).inc(result.cost.usd)
    if result.used_fallback:
        reason = next((made.failure for made in attempts if made.failure is not None), None)
        metrics.LLM_FALLBACKS.labels(reason or "unsuitable").inc()
