"""From how a phase ended to how its run goes on: one table. One of four modules that may catch Exception."""

from collections.abc import Callable

import psycopg
import structlog
from django.conf import settings

from kernel import metrics
from kernel.connections import give_back
from kernel.errors import ForbiddenError, PlatformError
from kernel.outages import is_database_lost
from kernel.tenant_context import leave_all
from workers.execution import Stopped
from workers.runs import ends
from workers.runs.core import RunEngine
from workers.runs.ends import Change
from workers.runs.hold import Hold

log = structlog.get_logger("worker.runs")


def run_phase(engine: RunEngine, hold: Hold, carry_out: Callable[[], Change]) -> Change | None:
    """Carry out a phase, and say how its run goes on. None: it was given back, or is somebody else's.

    | what happens                      | what becomes of the run                               |
    |-----------------------------------|-------------------------------------------------------|
    | a stop: cancelled                 | cancelled                                             |
    | a stop: deadline                  | failed, reason deadline, with what was found          |
    | a stop: shutdown, self-fenced     | given back, uncounted                                 |
    | a stop: lease lost                | nothing: it is somebody else's                        |
    | PostgreSQL is away, or hung up    | tried again in a second, uncounted                    |
    | a PlatformError that may pass     | tried again later, RUN_TRIES times; then as below     |
    | any other PlatformError           | failed, reason its code (forbidden, budget_exhausted) |
    | anything else: a bug              | failed, reason handler_error                          |
    """
    try:
        hold.checkpoint()
        hold.enter_thread()
        try:
            return carry_out()
        finally:
            _end_work(hold)
    except Stopped:
        _end_work(hold)  # should the first one have been interrupted
        return _stopped_run(engine, hold)
    except ForbiddenError as error:
        return ends.failed(hold, "forbidden", error.detail, error_code=error.code)
    except PlatformError as error:
        if error.retryable and hold.row["tries"] + 1 < settings.RUN_TRIES and error.code not in ends.FINAL_CODES:
            metrics.RUN_RETRIES.labels(error.code).inc()
            pause_s = min(ends.RETRY_MAX_S, error.retry_after_s or ends.RETRY_S * 4 ** hold.row["tries"])
            log.warning("run_phase_tried_again", run_id=str(hold.run_id), place=hold.place, code=error.code)
            engine.give_back(
                hold, reason="retry", delay_s=pause_s, error={"reason": error.code, "message": error.detail}
            )
            return None
        return ends.failed_by(hold, error)
    except Exception as error:  # a bug in a phase ends its run, never the worker
        if is_database_lost(error):
            log.warning("run_phase_lost_database", run_id=str(hold.run_id), place=hold.place, error=str(error)[:200])
            give_back()  # the thread's connection may be the one that broke
            engine.give_back(hold, reason="given_back", delay_s=ends.RETRY_S)
            return None
        log.exception("run_phase_failed", run_id=str(hold.run_id), place=hold.place)
        message = "A phase of the run failed; the log has the details."
        return ends.failed(hold, "handler_error", message, type=type(error).__name__)


def _end_work(hold: Hold) -> None:
    hold.leave_thread()
    if hold.interrupted:
        leave_all()


def _stopped_run(engine: RunEngine, hold: Hold) -> Change | None:
    if hold.stop_reason == "cancelled":
        return ends.cancelled(hold)
    if hold.stop_reason == "deadline":
        wall_s = hold.row["budget_json"].get("wall_s")
        if wall_s is not None and wall_s <= settings.RUN_LIMIT_S:
            message = f"The run has taken the {wall_s:g} s that its budget allows."
            return ends.failed(hold, "budget_exhausted", message, budget="wall_s", limit=wall_s)
        return ends.failed(hold, "deadline", "The run took longer than it may.")
    if hold.stop_reason != "lease_lost":
        engine.give_back(hold, reason="given_back")
    return None


def commit(engine: RunEngine, hold: Hold, change: Change, *, keep: bool = False) -> bool:
    """Commit what a phase did; a run whose result PostgreSQL cannot hold fails. False: it is not ours any more."""
    try:
        return engine.move(hold, change, keep=keep)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        log.error("run_result_refused", run_id=str(hold.run_id), place=hold.place, error=str(error).strip()[:500])
        engine.move(hold, ends.failed(hold, "result_not_storable", "What a phase of the run found cannot be stored."))
        return False
