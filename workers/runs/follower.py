"""One look, four times a second, at all runs that jobs of this process follow; nothing while there are none."""

import threading
from uuid import UUID

import psycopg
import structlog

from apps.agents.runs.ledger import Connection
from apps.agents.states import RUN_TERMINAL
from kernel import engine_db

log = structlog.get_logger("worker.runs")
LOOK_S = 0.25
LOOK = "SELECT id, status, last_seq FROM agent_runs WHERE id = ANY(%s)"


class Follower:
    """Any number of threads ask it; one thread of its own asks PostgreSQL."""

    def __init__(self) -> None:
        self._followed: dict[UUID, tuple[str, int]] = {}
        self._counts: dict[UUID, int] = {}
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._connection: Connection | None = None

    def join(self, run_id: UUID) -> None:
        """Have the run looked at until ``leave``."""
        with self._condition:
            self._counts[run_id] = self._counts.get(run_id, 0) + 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="run-follower", daemon=True)
                self._thread.start()
            self._condition.notify_all()

    def leave(self, run_id: UUID) -> None:
        with self._condition:
            self._counts[run_id] -= 1
            if not self._counts[run_id]:
                del self._counts[run_id]
                self._followed.pop(run_id, None)

    def seen(self, run_id: UUID) -> tuple[bool, int]:
        """Whether the run has ended, and the number of its last event, as of the last look."""
        status, last_seq = self._followed.get(run_id, ("", 0))
        return status in RUN_TERMINAL, last_seq

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._counts:
                    self._condition.wait()
                wanted = list(self._counts)
            try:
                if self._connection is None:
                    self._connection = engine_db.connect("run follower", connect_timeout=2)
                for run_id, status, last_seq in self._connection.execute(LOOK, [wanted]).fetchall():
                    with self._condition:
                        if run_id in self._counts:
                            self._followed[run_id] = (status, last_seq)
            except psycopg.Error as error:
                log.warning("run_follower_failed", error=str(error).strip()[:200])
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
            with self._condition:
                self._condition.wait(LOOK_S)


follower = Follower()
