"""What `trail.note` hands over: a bounded queue and one thread a process, which commits in batches.

While PostgreSQL is away rows are held; what does not fit any more is counted, and the count becomes a row of its own
(`audit.dropped`) when it is back. A process that is killed loses what it noted in the last DELAY_S.
"""

import atexit
import os
import threading
import time
from collections import deque
from datetime import timedelta
from typing import Any

import psycopg
import structlog
from pydantic_core import to_json

from apps.audit.rows import INSERT_ALL, Row, row_of
from kernel import engine_db, metrics
from kernel.clock import iso, now

log = structlog.get_logger("audit")
HELD_MAX = 10_000
BATCH_MAX = 500
DELAY_S = 0.03  # how long the first of a batch waits for company
LATE_S = 2.0  # a row that had to wait longer says when it was noted
RETRY_FROM_S, RETRY_TO_S = 0.1, 2.0
IDLE_S = 30.0  # the connection is given back after that
EXIT_FLUSH_S = 3.0
_AWAY = (psycopg.OperationalError, psycopg.InterfaceError, OSError)
_EXISTING = "SELECT id FROM audit_logs WHERE id = ANY(%s)"


class Writer:
    """Thread- and fork-safe. The thread starts with the first row, and again should it ever have ended."""

    def __init__(self, held_max: int = HELD_MAX) -> None:
        self.held_max = held_max
        self._reset()

    def _reset(self) -> None:
        """Nothing held, no thread, no connection: as a forked child starts."""
        self._changed = threading.Condition()
        self._queue: deque[Row] = deque()
        self._hand: list[Row] = []  # taken off the queue, not yet committed
        self._dropped = 0
        self._unsure = False  # a commit's answer was lost: what is in hand may be stored already
        self._leaving = threading.Event()
        self._thread: threading.Thread | None = None
        self._connection: psycopg.Connection[Any] | None = None

    def put(self, row: Row) -> None:
        """Never blocks for longer than a list operation of another thread."""
        with self._changed:
            if len(self._queue) >= self.held_max:
                self._dropped += 1
                metrics.AUDIT_DROPPED.labels("overflow").inc()
                return
            self._queue.append(row)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="audit-writer", daemon=True)
                self._thread.start()
            elif len(self._queue) == 1:
                self._changed.notify_all()

    def flush(self, limit_s: float) -> bool:
        """Wait until everything noted so far is committed; False when the limit came first."""
        with self._changed:
            return self._changed.wait_for(self._is_empty, timeout=limit_s)

    def leave(self) -> None:
        """Write what is left, without waiting for more; at the end of the process."""
        self._leaving.set()
        if not self._is_empty() and not self.flush(EXIT_FLUSH_S):
            log.error("audit_rows_lost", rows=len(self._queue) + len(self._hand) + self._dropped)

    def _is_empty(self) -> bool:
        return not self._queue and not self._hand

    def _run(self) -> None:
        pause_s = RETRY_FROM_S
        while True:
            if not self._hand and not self._take():
                self._close()
                continue
            try:
                self._write_one_chain()
                pause_s = RETRY_FROM_S
            except _AWAY as error:
                if pause_s == RETRY_FROM_S:
                    log.warning("audit_rows_held", error=type(error).__name__, rows=len(self._queue) + len(self._hand))
                self._close()
                self._unsure = True
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, RETRY_TO_S)

    def _take(self) -> bool:
        """Fill the hand; False when nothing came for a while."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._queue), timeout=IDLE_S):
                return False
        self._leaving.wait(DELAY_S)
        with self._changed:
            self._hand = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_MAX))]
        return True

    def _write_one_chain(self) -> None:
        """Commit the rows of one chain. One at a time, so that no two locks of heads are ever held together."""
        chain = self._hand[0].tenant_id
        mine = [row for row in self._hand if row.tenant_id == chain]
        if self._connection is None:
            self._connection = engine_db.connect("agentic-audit")
        wanted = mine
        if self._unsure:
            stored = {row[0] for row in self._connection.execute(_EXISTING, [[row.id for row in mine]])}
            wanted = [row for row in mine if row.id not in stored]
        try:
            self._insert(self._connection, wanted)
        except _AWAY:
            raise
        except psycopg.Error:
            self._insert_singly(self._connection, wanted)
        self._unsure = False
        with self._changed:
            self._hand = [row for row in self._hand if row.tenant_id != chain]
            if self._dropped:
                self._hand.append(_dropped_row(self._dropped))
                self._dropped = 0
            self._changed.notify_all()

    @staticmethod
    def _insert(connection: psycopg.Connection[Any], rows: list[Row]) -> None:
        connection.execute(INSERT_ALL, {"rows": to_json([_on_time(row).values() for row in rows]).decode()})

    def _insert_singly(self, connection: psycopg.Connection[Any], rows: list[Row]) -> None:
        """One of them is refused by the database for good: the others must not go with it."""
        for row in rows:
            try:
                self._insert(connection, [row])
            except _AWAY:
                raise
            except psycopg.Error as error:
                metrics.AUDIT_DROPPED.labels("refused").inc()
                log.error("audit_row_refused", action=row.columns["action"], error=type(error).__name__)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _on_time(row: Row) -> Row:
    late_s = time.monotonic() - row.noted_at_s
    if row.noted_at_s and late_s > LATE_S and "noted_at" not in row.details:
        row.details["noted_at"] = iso(now() - timedelta(seconds=late_s))
    return row


def _dropped_row(count: int) -> Row:
    return row_of(
        tenant_id=None,
        actor="system",
        action="audit.dropped",
        resource_type="audit",
        resource_id="",
        outcome="failed",
        details={"count": count, "process": os.getpid()},
        actor_tenant_id=None,
        error_message="The queue of notes was full while the database was away.",
    )


writer = Writer()
os.register_at_fork(after_in_child=writer._reset)
atexit.register(writer.leave)
