"""Job type long-running: duration_ms of work in equal steps, one progress event each."""

import time
from typing import Any

from apps.jobs.payloads import LongRunningPayload
from workers.execution import Execution


def run(job: Execution) -> dict[str, Any]:
    """Result: {status, steps_completed, total_duration_ms, message}."""
    payload = LongRunningPayload.model_validate(job.payload)
    started = time.monotonic()
    for step in range(1, payload.steps + 1):
        job.wait(max(0.0, started + payload.duration_ms / 1000 * step / payload.steps - time.monotonic()))
        job.report("working", f"step {step} of {payload.steps}", percent=100 * step / payload.steps)
    total_ms = round((time.monotonic() - started) * 1000)
    return {
        "status": "completed",
        "steps_completed": payload.steps,
        "total_duration_ms": total_ms,
        "message": f"{payload.steps} steps in {total_ms} ms.",
    }
