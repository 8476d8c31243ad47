"""The thread that keeps the process's runs alive and honest: it renews their leases, learns of cancellations, and
presses phases that do not stop."""

import threading
import time

import psycopg
import structlog
from django.conf import settings

from apps.agents.runs import ledger as run_ledger
from kernel import engine_db
from workers.runs.core import RunEngine

log = structlog.get_logger("worker.runs")
WATCH_S = 0.5  # how soon a cancellation is noticed
INTERRUPT_AFTER_S = 2.0


class Keeper(threading.Thread):
    """One statement for all holds: twice a second a look, every HEARTBEAT_S with a renewal."""

    def __init__(self, engine: RunEngine) -> None:
        super().__init__(name="run-keeper", daemon=True)
        self.engine = engine
        self._stop_event = threading.Event()
        self._connection: run_ledger.Connection | None = None
        self._due_at = 0.0

    def stop(self) -> None:
        self._stop_event.set()

    def run(self) -> None:
        pause_s = min(WATCH_S, settings.HEARTBEAT_S)
        while not self._stop_event.wait(pause_s):
            began = time.monotonic()
            try:
                self._look(began)
            except psycopg.Error as error:
                log.warning("run_keeper_failed", error=str(error).strip()[:200])
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
            for hold in self.engine.holds():
                if hold.lease_is_old():
                    hold.stop("self_fenced")
                if hold.stopped_at is not None and time.monotonic() - hold.stopped_at > INTERRUPT_AFTER_S:
                    hold.interrupt()

    def _look(self, began: float) -> None:
        if self._connection is None:
            self._connection = engine_db.connect(
                f"run keeper {self.engine.worker}", connect_timeout=2, options="-c statement_timeout=2000"
            )
            self._due_at = 0.0
        holds = {hold.run_id: hold for hold in self.engine.holds()}
        if not holds:
            return
        extend = began >= self._due_at
        held = {run_id: hold.token for run_id, hold in holds.items()}
        ours = run_ledger.renew(self._connection, held, lease_s=settings.LEASE_S, extend=extend)
        for run_id, hold in holds.items():
            if run_id not in ours:
                if not hold.writing.locked():  # else it is just being moved on
                    hold.stop("lease_lost")
                continue
            if extend:
                hold.kept(began)
            if ours[run_id]:
                hold.stop("cancelled")
        if extend:
            self._due_at = began + settings.HEARTBEAT_S
