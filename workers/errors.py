"""From how a handler ended to how its job ends: one table. One of four modules that may catch Exception."""

from typing import Any

import structlog
from pydantic_core import to_json

from apps.jobs.ledger import Outcome
from apps.jobs.states import CANCELLED, FAILED, FINISHED
from kernel.errors import PlatformError
from kernel.outages import outage
from workers.execution import Execution, Stopped
from workers.handlers.registry import handler_for

BROKEN = "The job's handler failed; the log has the details."
RESULT_MAX_BYTES = 4 * 1024 * 1024
log = structlog.get_logger("worker")


def _failed(execution: Execution, reason: str, message: str, **extra: Any) -> Outcome:
    error = {"message": message[:4000], "reason": reason, **extra}
    return Outcome(execution.job_id, execution.token, FAILED, error=error)


def run_handler(execution: Execution) -> Outcome | None:
    """Run the job's handler to its end. None when the result is nobody's any more (lease lost, shutdown)."""
    try:
        execution.checkpoint()
        result = handler_for(execution.type)(execution)
    except Stopped:
        if execution.stop_reason == "cancelled":
            return Outcome(execution.job_id, execution.token, CANCELLED, result={"cancelled": True})
        if execution.stop_reason == "time_limit":
            return _failed(execution, "time_limit", "The job ran longer than its type allows.")
        return None
    except PlatformError as error:
        return _failed(execution, error.code, error.detail, type=type(error).__name__)
    except Exception as error:  # a handler's bug ends its job, never the worker
        log.exception("handler_failed", job_id=str(execution.job_id), type=execution.type)
        known = outage(error)
        reason, message = (known.code, known.detail) if known else ("handler_error", BROKEN)
        return _failed(execution, reason, message, type=type(error).__name__)
    if len(to_json(result, fallback=str)) > RESULT_MAX_BYTES:
        return _failed(execution, "result_too_large", f"The result exceeds {RESULT_MAX_BYTES:,} bytes.")
    return Outcome(execution.job_id, execution.token, FINISHED, result=result)
