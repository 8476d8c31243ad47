"""The thread that writes down what happens in the midst of phases, ten times a second for all runs of the process in
one statement, and tells streams what was committed."""

import threading
import time

import psycopg
import structlog
from django.conf import settings

from apps.agents.runs import ledger as run_ledger
from kernel import engine_db
from workers.runs.core import RunEngine
from workers.runs.hold import Hold

log = structlog.get_logger("worker.runs")
WRITE_S = 0.1
PAUSE_S = 0.01  # between two shows: steps that follow each other fast are shown together


class Scribe(threading.Thread):
    """Shows at once, or PAUSE_S later; writes at intervals. A phase that is over sooner takes its news along."""

    def __init__(self, engine: RunEngine) -> None:
        super().__init__(name="run-scribe", daemon=True)
        self.engine = engine
        self._stopping = False
        self._connection: run_ledger.Connection | None = None

    def stop(self) -> None:
        self._stopping = True
        self.engine.news.set()

    def run(self) -> None:
        write_at = 0.0
        while not self._stopping:
            if self.engine.news.wait(max(0.0, write_at - time.monotonic()) if self.engine.holds() else WRITE_S):
                self.engine.news.clear()
                self.engine.show_now()
                time.sleep(PAUSE_S)
            if time.monotonic() >= write_at:
                write_at = time.monotonic() + WRITE_S
                self._write()
        self.engine.show_now()

    def _write(self) -> None:
        busy: list[Hold] = []
        try:
            for hold in self.engine.holds():
                if hold.has_news() and hold.writing.acquire(blocking=False):
                    busy.append(hold)
            news = {hold: events for hold in busy if (events := hold.unsent())}
            if news:
                self._append(news)
        finally:
            for hold in busy:
                hold.writing.release()

    def _append(self, news: dict[Hold, tuple[run_ledger.NewEvent, ...]]) -> None:
        events = [event for told in news.values() for event in told]
        try:
            if self._connection is None:
                self._connection = engine_db.connect(f"scribe {self.engine.worker}", connect_timeout=2)
            told, ours = run_ledger.append_events(self._connection, events, fencing=settings.FENCING_ENABLED)
        except psycopg.Error as error:  # they stay unsent: the next round, or the move, takes them
            log.warning("run_events_wait_for_database", error=str(error).strip()[:200])
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            return
        for hold, written in news.items():
            if hold.run_id in ours:
                hold.stored(written[-1].seq)
            else:
                hold.stop("lease_lost")
        self.engine.show(told)
