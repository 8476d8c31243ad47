"""The engine: from an id taken off a queue to an ended job, in one process.

hub thread --take()--> ledger (claim) --> handler threads --> ledger (end) --> free slot --> hub thread
"""

import os
import queue
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import structlog
from django.conf import settings

from apps.jobs.ledger import Outcome
from apps.jobs.states import CANCELLED
from apps.jobs.types import JOB_TYPES
from kernel import metrics
from kernel.tenant_context import leave_all
from workers.engine.announcer import Announcer
from workers.engine.keeper import Heartbeat, Watch
from workers.engine.ledger import LedgerThread
from workers.engine.sweeper import Sweeper
from workers.errors import run_handler
from workers.execution import Execution, Stopped
from workers.traces import job_span

log = structlog.get_logger("worker.engine")
INTERRUPT_AFTER_S = 2.0


class Engine:
    """``concurrency`` jobs at once, each in a thread: handlers wait for others most of their time (docs/adr/0006)."""

    def __init__(self, *, name: str, types: list[str], concurrency: int) -> None:
        self.worker = f"{name}:{os.getpid()}:{uuid4().hex[:8]}"  # never the same twice: leases are recognised by it
        self.hostname = socket.gethostname()
        self.types = types
        self.concurrency = concurrency
        self.on_credit: Callable[[], None] = lambda: None
        self.on_unknown: Callable[[UUID], None] = lambda job_id: None
        self.told: deque[tuple[str, Execution, str]] = deque(maxlen=2000)  # for Celery's task events
        self.stopping = False
        self.listening = False  # whether ids arrive from Redis; set by the consumer
        self._lock = threading.Lock()
        self._ending = 0  # in hand, their handlers done, their end not committed yet
        self._in_hand: dict[UUID, Execution | None] = {}  # None: taken, not claimed yet
        self._work: queue.SimpleQueue[Execution | None] = queue.SimpleQueue()
        self._idle = threading.Condition(self._lock)
        self.announcer = Announcer()
        self.ledger = LedgerThread(self, self.worker, self.announcer)
        self.heartbeat = Heartbeat(self)
        self.watch = Watch(self)
        self.sweeper = Sweeper(self)

    # -- life
    def start(self) -> None:
        """Start all threads. Works without Redis and without PostgreSQL: each waits for what it needs."""
        for thread in (self.announcer, self.ledger, self.heartbeat, self.watch, self.sweeper):
            thread.start()
        for number in range(self.concurrency):
            self._start_handler_thread(number)
        log.info("engine_started", worker=self.worker, types=self.types, concurrency=self.concurrency)

    def stop(self, grace_s: float) -> None:
        """Warm: ids not claimed go back, jobs in hand get ``grace_s`` to end, the rest goes back too."""
        self.stopping = True
        self._return_unclaimed()
        deadline = time.monotonic() + grace_s
        with self._idle:
            while self._in_hand and (left := deadline - time.monotonic()) > 0:
                self._idle.wait(left)
        for execution in self.executions():
            execution.stop("shutdown")
        with self._idle:
            self._idle.wait_for(lambda: not self._in_hand, timeout=2.0)
        for execution in self.executions():  # its handler never came to a checkpoint: fenced off, and given back
            self.ledger.submit_release(execution.job_id, execution.token)
        self.ledger.drain(5.0)
        self.announcer.drain(2.0)
        for thread in (self.watch, self.sweeper, self.heartbeat, self.ledger, self.announcer):
            thread.stop()
        self.heartbeat.say_goodbye()
        log.info("engine_stopped", worker=self.worker)

    def recycle(self) -> None:
        """A handler's thread cannot be ended: finish the others and leave; the supervisor starts a fresh process."""
        log.error("worker_recycles", worker=self.worker)
        os.kill(os.getpid(), signal.SIGTERM)

    # -- taking
    def credit(self) -> int:
        """How many more jobs fit. One whose handler has ended makes room before its end is committed, so that the
        next claim shares that commit; at most as many again may be in that state."""
        if self.stopping:
            return 0
        in_hand = len(self._in_hand)
        return min(self.concurrency - in_hand + self._ending, 2 * self.concurrency - in_hand)

    def take(self, ids: list[UUID]) -> None:
        """Ids from a queue. One already in hand is dropped; the rest are claimed in one statement."""
        with self._lock:
            fresh = [job_id for job_id in dict.fromkeys(ids) if job_id not in self._in_hand]
            self._in_hand.update(dict.fromkeys(fresh))
        if fresh:
            self.ledger.submit_claims(fresh)

    def executions(self) -> list[Execution]:
        """The jobs in hand that are claimed."""
        with self._lock:
            return [execution for execution in self._in_hand.values() if execution is not None]

    def _return_unclaimed(self) -> None:
        ids = self.ledger.withdraw_claims()
        with self._lock:
            for job_id in ids:
                self._in_hand.pop(job_id, None)
        # The rows are still queued: the sweeper finds that their ids are gone and pushes them again.
        log.info("engine_returns_unclaimed", ids=len(ids))

    # -- what the ledger asks and tells
    def may_take_suspect(self) -> bool:
        """A job that lost its worker again and again runs beside no other such job of this process."""
        return not any(execution.is_suspect for execution in self.executions())

    def on_claimed(self, rows: list[dict[str, Any]], missed: list[UUID], unknown: list[UUID]) -> None:
        executions = []
        for row in rows:
            limit_s = JOB_TYPES[row["type"]].time_limit_s if row["type"] in JOB_TYPES else 3600
            execution = Execution(row, queue_time_limit_s=limit_s, emit=self.ledger.submit_event)
            executions.append(execution)
            if row["attempt"] == 1 and row["queue_latency_ms"] is not None:
                metrics.JOB_QUEUE_LATENCY.labels(row["type"]).observe(row["queue_latency_ms"] / 1000)
        with self._lock:
            self._in_hand.update((execution.job_id, execution) for execution in executions)
        for job_id in unknown:
            self.on_unknown(job_id)
        self._forget(missed)
        for execution in executions:
            self.told.append(("started", execution, ""))
            self._work.put(execution)

    def on_closed(self, done: list[dict[str, Any]], stale: list[UUID]) -> None:
        for row in done:
            metrics.JOBS_ENDED.labels(row["type"], row["status"]).inc()
            if row["exec_latency_ms"] is not None:
                metrics.JOB_DURATION.labels(row["type"]).observe(row["exec_latency_ms"] / 1000)
            execution = self._in_hand.get(row["id"])
            if execution is not None:
                self.told.append(("ended", execution, row["status"]))
        if stale:
            metrics.STALE_WRITES.inc(len(stale))
            log.warning("stale_outcomes_refused", jobs=[str(job_id) for job_id in stale[:10]])
        self._forget([*(row["id"] for row in done), *stale])

    def on_fenced(self, job_ids: set[UUID]) -> None:
        metrics.STALE_WRITES.inc(len(job_ids))
        for execution in self.executions():
            if execution.job_id in job_ids:
                execution.stop("lease_lost")

    def _forget(self, ids: list[UUID]) -> None:
        if not ids:
            return
        with self._idle:
            was_full = self.credit() <= 0
            for job_id in ids:
                execution = self._in_hand.pop(job_id, None)
                if execution is not None:
                    execution.closed = True
                    self._ending -= execution.ending
            metrics.JOBS_RUNNING.set(len(self._in_hand))
            if not self._in_hand:
                self._idle.notify_all()
        if was_full:
            self.on_credit()

    # -- handler threads
    def _start_handler_thread(self, number: int) -> None:
        threading.Thread(target=self._handle, name=f"job-{number}", daemon=True).start()

    def _handle(self) -> None:
        while (execution := self._work.get()) is not None:
            execution.thread_id = threading.get_ident()
            try:
                with job_span(execution):
                    outcome = run_handler(execution)
                    execution.thread_id = None
                    log.debug("job_ran", type=execution.type, status=outcome.status if outcome else "given_up")
                self._end(execution, outcome)
            except Stopped:  # an interrupt that arrived after the handler had ended
                execution.thread_id = None
                self._end(execution, None)
            structlog.contextvars.clear_contextvars()
            leave_all()

    def _end(self, execution: Execution, outcome: Outcome | None) -> None:
        if execution.closed:  # ended without its handler, which was stuck
            return
        if outcome is None and execution.stop_reason == "cancelled":
            outcome = Outcome(execution.job_id, execution.token, CANCELLED, result={"cancelled": True})
        if outcome is not None:
            execution.flush(float("inf"))
            self.ledger.submit_outcome(outcome)
            with self._lock:
                was_full = self.credit() <= 0
                if not execution.closed:
                    execution.ending = True
                    self._ending += 1
            if was_full:
                self.on_credit()
        elif execution.stop_reason in ("shutdown", "self_fenced"):  # still ours, if nobody has taken it: give it back
            self.ledger.submit_release(execution.job_id, execution.token)
            self._forget([execution.job_id])
        else:  # the lease is somebody else's
            self._forget([execution.job_id])

    def abandon(self, execution: Execution) -> None:
        """Its handler ignored the request to stop for too long: end the job without it, and leave the process soon."""
        execution.closed = True
        if execution.stop_reason == "cancelled":
            self.ledger.submit_outcome(
                Outcome(execution.job_id, execution.token, CANCELLED, result={"cancelled": True, "forced": True})
            )
        elif execution.stop_reason == "time_limit":
            error = {
                "reason": "time_limit",
                "message": "The job ran longer than its type allows and did not stop.",
            }
            self.ledger.submit_outcome(Outcome(execution.job_id, execution.token, "failed", error=error))
        else:
            self._forget([execution.job_id])
        self.recycle()

    def keep_watch(self, now: float) -> None:
        """Called a few times a second: send due progress, enforce time limits, press those that do not stop."""
        for execution in self.executions():
            execution.flush(now)
            if now > execution.deadline:
                execution.stop("time_limit")
            if execution.stopped_at is None or execution.closed or execution.thread_id is None:
                continue
            if now - execution.stopped_at > settings.CANCEL_GRACE_S:
                self.abandon(execution)
            elif now - execution.stopped_at > INTERRUPT_AFTER_S:
                execution.interrupt()

    def publish_rescued(self, rows: list[dict[str, Any]]) -> None:
        """Show what the sweeper moved; jobs that are queued again go to the head of their queue."""
        requeued = [row for row in rows if row["status"] == "queued"]
        self.announcer.give_back(requeued)
        self.announcer.publish([row for row in rows if row["status"] != "queued"])
        metrics.JOBS_RESCUED.labels("requeued").inc(len(requeued))
        for row in rows:
            if row["event_type"] == "end":
                metrics.JOBS_RESCUED.labels(row["status"]).inc()
                metrics.JOBS_ENDED.labels(row["type"], row["status"]).inc()
