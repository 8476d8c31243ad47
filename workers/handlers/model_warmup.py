"""Job type model.warmup: have a model ready to answer."""

from typing import Any

from apps.identity.principal import Principal
from apps.jobs.payloads import ModelWarmUpPayload
from apps.llm import loading
from apps.llm.failures import ProviderFailure
from workers.execution import Execution


def run(job: Execution) -> dict[str, Any]:
    """Result: {status, instance, tries, duration_ms}."""
    payload = ModelWarmUpPayload.model_validate(job.payload)
    actor = Principal.from_json(job.principal)
    instance = loading.instance_to_manage(actor, payload.instance_id)
    job.report("warming up", f"{instance.instance_name} on {instance.provider.name}", percent=0)
    try:
        tries, seconds = loading.warm_up(
            instance,
            by=actor,
            cancelled=lambda: job.stop_reason is not None,
            pause=job.wait,
            told=lambda tries, failure: job.log(f"try {tries}: {failure.detail}"),
        )
    except ProviderFailure:
        job.checkpoint()  # it was cancelled: this raises
        raise
    return {
        "status": "completed",
        "instance": instance.instance_name,
        "tries": tries,
        "duration_ms": round(seconds * 1000),
    }
