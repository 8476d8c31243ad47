"""Two threads that keep a process's jobs alive and honest: the heartbeat renews leases, the watch looks for reasons to
stop. Apart, so that a PostgreSQL that hangs does not delay a cancellation."""

import os
import threading
import time

import psycopg
import redis
import structlog
from django.conf import settings

from apps.jobs import ledger
from kernel import engine_db
from kernel.redis_client import availability, client
from kernel.redis_keys import JOBS_CANCEL
from workers.engine.view import EngineView

log = structlog.get_logger("keeper")
WATCH_S = 0.25

SEEN = """
INSERT INTO worker_heartbeats (worker, hostname, pid, started_at, seen_at, concurrency, running)
VALUES (%(worker)s, %(hostname)s, %(pid)s, clock_timestamp(), clock_timestamp(), %(concurrency)s, %(running)s)
ON CONFLICT (worker) DO UPDATE SET seen_at = EXCLUDED.seen_at, running = EXCLUDED.running
"""


class Heartbeat(threading.Thread):
    """Renews every lease of the process in one statement; stops a job whose lease it could not keep."""

    def __init__(self, engine: EngineView) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self.engine = engine
        self._stop_event = threading.Event()
        self._connection: ledger.Connection | None = None
        self._renewed_at = time.monotonic()

    def stop(self) -> None:
        self._stop_event.set()

    def run(self) -> None:
        while not self._stop_event.is_set():
            began = time.monotonic()
            try:
                self._beat(began)
                pause_s = settings.HEARTBEAT_S
            except psycopg.Error as error:
                log.warning("heartbeat_failed", error=str(error).strip()[:200])
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
                pause_s = 0.3
            if time.monotonic() - self._renewed_at > settings.SELF_FENCE_SHARE * settings.LEASE_S:
                for execution in self.engine.executions():
                    execution.stop("self_fenced")
            self._stop_event.wait(max(0.05, pause_s - (time.monotonic() - began)))

    def _beat(self, began: float) -> None:
        if self._connection is None:
            self._connection = engine_db.connect(
                f"heartbeat {self.engine.worker}", connect_timeout=2, options="-c statement_timeout=2000"
            )
        executions = {execution.job_id: execution for execution in self.engine.executions()}
        if executions:
            held = {job_id: execution.token for job_id, execution in executions.items()}
            ours = ledger.renew(self._connection, held, lease_s=settings.LEASE_S)
            for job_id, execution in executions.items():
                if job_id not in ours:
                    execution.stop("lease_lost")
                elif ours[job_id]:
                    execution.stop("cancelled")
        self._renewed_at = began
        self._connection.execute(
            SEEN,
            {
                "worker": self.engine.worker,
                "hostname": self.engine.hostname,
                "pid": os.getpid(),
                "concurrency": self.engine.concurrency,
                "running": len(executions),
            },
        )

    def say_goodbye(self) -> None:
        """Take this worker off the list, so that health does not wait for it."""
        try:
            with engine_db.connect("goodbye", connect_timeout=2) as connection:
                connection.execute("DELETE FROM worker_heartbeats WHERE worker = %s", [self.engine.worker])
        except psycopg.Error as error:
            log.warning("goodbye_failed", error=str(error).strip()[:200])


class Watch(threading.Thread):
    """Four times a second: cancel flags in Redis, time limits, progress that is due, handlers that do not stop."""

    def __init__(self, engine: EngineView) -> None:
        super().__init__(name="watch", daemon=True)
        self.engine = engine
        self._stop_event = threading.Event()

    def stop(self) -> None:
        self._stop_event.set()

    def run(self) -> None:
        while not self._stop_event.wait(WATCH_S):
            self._look_for_cancels()
            self.engine.keep_watch(time.monotonic())

    def _look_for_cancels(self) -> None:
        executions = self.engine.executions()
        if not executions or not availability.usable():
            return
        try:
            flags = client().mget([JOBS_CANCEL(id=execution.job_id) for execution in executions])
        except redis.RedisError:
            availability.failed()
            return
        for execution, flag in zip(executions, flags, strict=True):
            if flag is not None:
                execution.stop("cancelled")
