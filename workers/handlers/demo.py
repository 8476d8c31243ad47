"""Job type demo: sleeps for duration_ms, reporting progress in tenths."""

import time
from typing import Any

from apps.jobs.payloads import DemoPayload
from workers.execution import Execution

PARTS = 10


def run(job: Execution) -> dict[str, Any]:
    """Result: {status, requested_duration_ms, actual_duration_ms, message}."""
    payload = DemoPayload.model_validate(job.payload)
    started = time.monotonic()
    for part in range(PARTS):
        job.report("sleeping", f"part {part + 1} of {PARTS}", percent=100 * part / PARTS)
        job.wait(max(0.0, started + payload.duration_ms / 1000 * (part + 1) / PARTS - time.monotonic()))
    actual_ms = round((time.monotonic() - started) * 1000)
    return {
        "status": "completed",
        "requested_duration_ms": payload.duration_ms,
        "actual_duration_ms": actual_ms,
        "message": f"Slept {actual_ms} ms.",
    }
