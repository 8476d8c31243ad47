"""Job type test: ends at once or after duration_ms; fails when asked to."""

from typing import Any

from apps.jobs.payloads import TestPayload
from kernel.clock import iso, now
from kernel.errors import PlatformError
from workers.execution import Execution


class AskedToFail(PlatformError):
    """The payload said should_fail."""

    code = "asked_to_fail"


def run(job: Execution) -> dict[str, Any]:
    """Result: {status, input, timestamp, message}."""
    payload = TestPayload.model_validate(job.payload)
    if payload.duration_ms:
        job.wait(payload.duration_ms / 1000)
    if payload.should_fail:
        raise AskedToFail("The payload asked this test job to fail.")
    return {
        "status": "completed",
        "input": job.payload,
        "timestamp": iso(now()),
        "message": "Test job completed.",
    }
