"""Job type model.pull: a provider downloads a model; its progress is the job's."""

from typing import Any

from apps.identity.principal import Principal
from apps.jobs.payloads import ModelPullPayload
from apps.llm import loading
from apps.llm.failures import ProviderFailure
from apps.llm.providers.base import PullProgress
from workers.execution import Execution


def run(job: Execution) -> dict[str, Any]:
    """Result: {status, provider, model, total_bytes}. A repeat is harmless: what is there already is not fetched."""
    payload = ModelPullPayload.model_validate(job.payload)
    actor = Principal.from_json(job.principal)
    provider = loading.provider_to_manage(actor, payload.provider_id)
    job.report("asking", f"{provider.name} is asked for {payload.model}", percent=0)
    total_bytes = 0
    try:
        for step in loading.pull(provider, payload.model, by=actor, cancelled=lambda: job.stop_reason is not None):
            total_bytes = max(total_bytes, step.total_bytes or 0)
            job.report("pulling", step.status, percent=_percent(step))
    except ProviderFailure:
        job.checkpoint()  # it was cancelled: this raises
        raise
    return {"status": "completed", "provider": provider.name, "model": payload.model, "total_bytes": total_bytes}


def _percent(step: PullProgress) -> float | None:
    """Of the part that is being fetched: a model comes in several."""
    if not step.total_bytes or step.completed_bytes is None:
        return None
    return 100 * step.completed_bytes / step.total_bytes
