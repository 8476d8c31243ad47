"""The thread that finds runs nobody carries on: leases that ran out, tasks that fell out of Redis, cancellations nobody
heeded, and, while Redis is away, every run that is due.

Every worker has one. One of them at a time sweeps, by an advisory lock that lives no longer than its transaction.
"""

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg
import redis
import structlog
from django.conf import settings

from apps.agents.runs import dispatch
from apps.agents.runs import sweep as run_sweep
from apps.agents.runs.ledger import Connection
from apps.agents.runs.records import Row
from kernel import engine_db, metrics
from kernel.connections import give_back
from kernel.redis_client import client
from workers.runs.core import RunEngine
from workers.runs.course import perform

log = structlog.get_logger("worker.runs")
LOCK = 0x72756E73  # "runs"
POLL_WITHOUT_REDIS_S = 0.5
LOOK_AT = 64  # messages at the taking end that are known to be there
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def run_of(message: str | bytes) -> UUID | None:
    """The run that a message on the queue is about, by the arguments its head shows; None when it shows none."""
    try:
        found = _UUID.search(json.loads(message)["headers"]["argsrepr"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return UUID(found.group()) if found else None


class RunSweeper(threading.Thread):
    """Starts sweeping at once; waits for PostgreSQL when it is away."""

    def __init__(self, engine: RunEngine) -> None:
        super().__init__(name="run-sweeper", daemon=True)
        self.engine = engine
        self.listening = False  # whether tasks arrive from Redis; set by the consumer
        self._stop_event = threading.Event()
        self._connection: Connection | None = None
        self._walkers = ThreadPoolExecutor(settings.RUN_CONCURRENCY, thread_name_prefix="run-walker")
        self._walking: set[UUID] = set()

    def stop(self) -> None:
        self._stop_event.set()
        self._walkers.shutdown(wait=False, cancel_futures=True)

    def run(self) -> None:
        pause_s = 0.0
        while not self._stop_event.wait(pause_s):
            began = time.monotonic()
            present = self._taking_end()
            hears = present is not None and self.listening
            try:
                if self._connection is None:
                    self._connection = engine_db.connect(f"run sweeper {self.engine.worker}", connect_timeout=2)
                if not hears:
                    self._walk_due(self._connection)
                if settings.SWEEPER_ENABLED:
                    self._sweep(self._connection, present)
            except psycopg.Error as error:
                log.warning("run_sweep_failed", error=str(error).strip()[:200])
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
            every_s = settings.SWEEP_S if hears else min(settings.SWEEP_S, POLL_WITHOUT_REDIS_S)
            pause_s = max(0.05, every_s - (time.monotonic() - began))

    def _taking_end(self) -> list[UUID] | None:
        """The runs whose messages will be taken next, the very next first; None when Redis does not answer."""
        try:
            messages = client().lrange(dispatch.QUEUE, -LOOK_AT, -1)
        except redis.RedisError:
            return None
        return [run_id for run_id in map(run_of, reversed(messages)) if run_id is not None]

    def _sweep(self, connection: Connection, present: list[UUID] | None) -> None:
        lost: list[UUID] = []
        with connection.transaction():
            mine = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK]).fetchone()
            if not mine or not mine[0]:
                return
            ended = run_sweep.rescue(connection, max_crashes=settings.MAX_ATTEMPTS)
            ended += run_sweep.force_cancel(connection, grace_s=settings.CANCEL_GRACE_S + 1.5)
            ended += run_sweep.end_orphans(connection)
            free = run_sweep.freed(connection)
            if present is not None:
                lost = run_sweep.lost_tasks(connection, tail=present[0] if present else None, present=present)
        self._show(ended)
        released = {run_id for row in ended for run_id in row["released"] or ()}
        dispatch.send([*released, *free])
        if lost:
            metrics.RUNS_RESENT.inc(len(lost))
            log.info("runs_sent_again", runs=len(lost))
            dispatch.send(lost)

    def _show(self, rows: list[Row]) -> None:
        if not rows:
            return
        self.engine.show(rows)
        last = {row["run_id"]: row for row in rows}
        for row in last.values():
            metrics.RUNS_RESCUED.labels("queued" if row["status"] == "queued" else row["reason"]).inc()
            if row["status"] != "queued":
                metrics.RUNS_ENDED.labels(row["status"]).inc()
        again = [run_id for run_id, row in last.items() if row["status"] == "queued"]
        log.warning("runs_rescued", queued=len(again), ended=len(last) - len(again))
        dispatch.send(again, first=True)  # ahead of those that have not lost any time

    # -- without Redis
    def _walk_due(self, connection: Connection) -> None:
        """Without Redis, or before Celery has connected to it again, carry on whatever is due, task by task."""
        room = settings.RUN_CONCURRENCY - len(self._walking)
        if room <= 0 or self.engine.stopping:
            return
        for row in run_sweep.due(connection, limit=room, age_s=0.0):
            if row["id"] not in self._walking:
                self._walking.add(row["id"])
                self._walkers.submit(self._walk, row["id"], row["phase"], row["next_index"])

    def _walk(self, run_id: UUID, phase: str, index: int) -> None:
        try:
            done = perform(self.engine, run_id, phase, index)
            while done.goes_on and not self.engine.stopping:
                done = perform(self.engine, run_id, done.phase, done.index)
        finally:
            self._walking.discard(run_id)
            structlog.contextvars.clear_contextvars()
            give_back()  # as Celery does after a task: the pool is smaller than the walkers are many
