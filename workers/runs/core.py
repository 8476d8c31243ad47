"""The runs that this process has in hand, and what it does for all of them: claim, move on, give back.

One a process; Celery's threads call it from tasks, the keeper, the scribe and the sweeper from threads of their own.
"""

import os
import threading
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import structlog
from django.conf import settings

from apps.agents.runs import dispatch
from apps.agents.runs import ends as run_ends
from apps.agents.runs import ledger as run_ledger
from apps.agents.runs import mirror as run_mirror
from apps.agents.runs.records import Move, Moved, Row
from apps.agents.sessions import cache as session_cache
from apps.agents.states import FAILED, QUEUED, RUNNING, SUCCEEDED
from kernel import metrics
from kernel.clock import now
from kernel.failpoints import failpoint
from workers.runs.connections import Connections
from workers.runs.hold import Hold

log = structlog.get_logger("worker.runs")
TRIES_PAUSE_S = (0.05, 0.2, 0.5)
MOVE_LIMIT_S = 30.0  # how long a finished phase waits for PostgreSQL before it is left to others
# What a move changes of its run's row.
KEPT = ("phase", "next_index", "token", "last_seq", "intent_json", "todos_json", "metrics_json", "warnings_json",
        "used_fallback", "cancel_requested_at")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a task. ``goes_on``: its run has a next one. ``replanned``: and it is not what the chain holds.
    ``kept``: its claim is made already, by this thread."""

    goes_on: bool
    phase: str = ""
    index: int = 0
    todos: int = 0
    replanned: bool = False
    kept: bool = False


NOTHING = Done(goes_on=False)


class RunEngine:
    """``name``: of the worker. Works without Redis and without PostgreSQL: each caller waits for what it needs."""

    def __init__(self, *, name: str) -> None:
        self.worker = f"{name}:{os.getpid()}:{uuid4().hex[:8]}"  # never the same twice: leases are recognised by it
        self.connections = Connections(f"runs {self.worker}", settings.RUN_DB_CONNECTIONS)
        self.stopping = False
        self._holds: dict[UUID, Hold] = {}
        self._claiming: set[UUID] = set()
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._to_show: list[Row] = []
        self.news = threading.Event()  # for the scribe: there is something to show or to store

    # -- who holds what
    def holds(self) -> list[Hold]:
        """The holds of this moment."""
        with self._lock:
            return list(self._holds.values())

    def take(self, run_id: UUID, phase: str, index: int) -> Hold | None:
        """Claim the run for this phase and step, if this thread did not keep it for that; None when it is not due, or
        PostgreSQL cannot be asked."""
        with self._lock:
            hold = self._holds.get(run_id)
            if hold is not None and hold.kept_by == threading.get_ident() and hold.is_at(phase, index):
                hold.kept_by = None
            elif self.stopping or hold is not None or run_id in self._claiming:
                return None
            else:
                self._claiming.add(run_id)
        hold = hold or self._claimed(run_id, phase, index)
        if hold is None:
            return None
        if hold.row["cancel_requested_at"] is not None:  # it was asked while a task had it that was done too soon
            hold.stop("cancelled")
        if self.stopping:  # since it was kept
            hold.stop("shutdown")
        failpoint(f"after_claim_{phase}")
        return hold

    def _claimed(self, run_id: UUID, phase: str, index: int) -> Hold | None:
        try:
            claimed = self._claim(run_id, phase, index)
            if claimed is None:
                return None
            row, claimed_at = claimed
            hold = Hold(row, claimed_at)
            with self._lock:
                self._holds[run_id] = hold
        finally:
            with self._lock:
                self._claiming.discard(run_id)
        metrics.RUNS_IN_HAND.set(len(self._holds))
        if row["event_json"] is not None:
            self.show([_told_by_claim(row)])
            if row["was"] == "queued" and row["attempt"] == 1 and row["crashes"] == 0 and row["tries"] == 0:
                metrics.RUN_QUEUE_LATENCY.observe(row["age_s"])
        return hold

    def where(self, run_id: UUID) -> Done:
        """What the run's row says is next, if nobody is at it."""
        try:
            with self.connections.take() as connection:
                where = run_ledger.whereabouts(connection, run_id)
        except psycopg.Error as error:  # the sweeper sends it again
            log.warning("run_not_looked_up", run_id=str(run_id), error=str(error).strip()[:200])
            return NOTHING
        if where is None or where["is_taken"] or where["status"] not in (QUEUED, RUNNING):
            return NOTHING
        return Done(True, where["phase"], where["next_index"], where["todos"], replanned=True)

    def let_go(self, hold: Hold) -> None:
        """The task is over, whatever became of it."""
        with self._idle:
            if self._holds.get(hold.run_id) is hold:  # else it is kept
                del self._holds[hold.run_id]
            metrics.RUNS_IN_HAND.set(len(self._holds))
            if not self._holds:
                self._idle.notify_all()

    def wait_idle(self, timeout_s: float) -> bool:
        """Until no run is in hand; False when that took too long."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._holds, timeout_s)

    def _claim(self, run_id: UUID, phase: str, index: int) -> tuple[Row, float] | None:
        """The row, and when it was asked for."""
        for pause_s in TRIES_PAUSE_S:
            try:
                with self.connections.take() as connection:
                    asked_at = time.monotonic()
                    row = run_ledger.claim(
                        connection,
                        run_id,
                        phase=phase,
                        index=index,
                        worker=self.worker,
                        lease_s=settings.LEASE_S,
                        limit_s=settings.RUN_LIMIT_S,
                    )
                    return None if row is None else (row, asked_at)
            except psycopg.Error as error:
                log.warning("run_claim_failed", run_id=str(run_id), error=str(error).strip()[:200])
            time.sleep(pause_s)
            self._undo_unanswered_claim(run_id)
        return None

    def _undo_unanswered_claim(self, run_id: UUID) -> None:
        """A claim whose answer was lost may have come through: nobody would renew it, and its end look like a crash."""
        try:
            with self.connections.take() as connection:
                where = run_ledger.whereabouts(connection, run_id)
                if where is not None and where["lease_owner"] == self.worker:
                    self.show(run_ledger.release(connection, {run_id: where["token"]}, reason="given_back"))
        except psycopg.Error as error:
            log.warning("run_claim_unsettled", run_id=str(run_id), error=str(error).strip()[:200])

    # -- what becomes of a hold
    def has_room(self) -> bool:
        """Whether a task that is done may keep its run: nobody waits for its thread, and the process is not leaving."""
        return not self.stopping and len(self._holds) < settings.RUN_CONCURRENCY

    def move(self, hold: Hold, change: dict[str, Any], *, keep: bool = False) -> bool:
        """Commit what the phase did, with what it has told; False when the run is not ours any more.

        ``change``: fields of a Move. ``keep``: this thread goes on with the run, and has its next place claimed by the
        same statement; ``is_kept`` says whether it has. psycopg.DataError for what cannot be stored.
        """
        failpoint(f"before_commit_{hold.phase}")
        with hold.writing:
            keep_s = settings.LEASE_S if keep and change.get("status") is None else None
            change = {"phase": hold.phase, "next_index": hold.index, "keep_s": keep_s, **change}
            move = Move(hold.run_id, hold.token, events=hold.unsent(), seen_seq=hold.seen_seq, **change)
            moved = self._commit(hold, move)
        failpoint(f"after_commit_{hold.phase}")
        if moved is None:
            metrics.RUN_STALE_WRITES.inc()
            log.warning("stale_move_refused", run_id=str(hold.run_id), place=hold.place)
            return False
        self.show(moved.told)
        if move.status is not None:
            self._has_ended(hold, move, moved)
        elif keep_s is not None and moved.kept is None:  # the answer was lost: what it said is not known
            self.give_back_token(hold.run_id, hold.token + 1, reason="given_back")
        return True

    def is_kept(self, run_id: UUID) -> bool:
        """Whether this thread goes on with the run."""
        with self._lock:
            hold = self._holds.get(run_id)
            return hold is not None and hold.kept_by == threading.get_ident()

    def give_back_kept(self) -> None:
        """What this thread has kept and did not go on with."""
        for hold in self.holds():
            if hold.kept_by == threading.get_ident():
                self.give_back(hold, reason="given_back")
                self.let_go(hold)

    def _keep(self, hold: Hold, kept: Row, asked_at: float) -> None:
        """The next hold in the place of this one: what it would claim is this one's row, with what has changed."""
        steps = [row for row in hold.row["steps"] if row["attempt"] == hold.attempt]
        steps += [kept["step"]] if kept["step"] is not None else []
        changed = {name: kept[name] for name in KEPT} | {"steps": steps + (kept["earlier"] or [])}
        fresh = {"was": RUNNING, "crashes": 0, "tries": 0, "left_s": hold.deadline - asked_at}
        following = Hold(hold.row | changed | fresh, asked_at)
        following.kept_by = threading.get_ident()
        with self._lock:
            self._holds[hold.run_id] = following

    def _has_ended(self, hold: Hold, move: Move, moved: Moved) -> None:
        if moved.released:
            dispatch.send(moved.released)
        status = move.status or ""
        metrics.RUNS_ENDED.labels(status).inc()
        metrics.RUN_DURATION.labels(status).observe(max(0.0, (now() - hold.row["started_at"]).total_seconds()))
        if status == FAILED:
            metrics.RUN_FAILURES.labels((move.error or {}).get("reason", "unknown")[:60]).inc()
        if status == SUCCEEDED and hold.row["session_id"] is not None:
            session_cache.show(hold.tenant_id, hold.row["session_id"])

    def _commit(self, hold: Hold, move: Move) -> Moved | None:
        give_up_at, unsure, failures = time.monotonic() + MOVE_LIMIT_S, False, 0
        while True:
            try:
                with self.connections.take() as connection:
                    asked_at = time.monotonic()
                    moved = self._write(connection, hold, move)
                    if moved is None and unsure and self._came_through(connection, move):
                        return Moved([])  # the streams' poll finds what it told
                    if moved is not None and moved.kept is not None:
                        self._keep(hold, moved.kept, asked_at)
                    return moved
            except (psycopg.DataError, psycopg.IntegrityError):
                raise
            except psycopg.Error as error:
                unsure = True
                log.warning("run_move_waits_for_database", run_id=str(hold.run_id), error=str(error).strip()[:200])
                if time.monotonic() > give_up_at:
                    return None
                time.sleep(TRIES_PAUSE_S[min(failures, len(TRIES_PAUSE_S) - 1)])
                failures += 1

    def _write(self, connection: run_ledger.Connection, hold: Hold, move: Move) -> Moved | None:
        fencing = settings.FENCING_ENABLED
        if move.status is None:
            return run_ledger.move(connection, move, fencing=fencing)
        answer = move.output["text"] if move.status == SUCCEEDED else None
        return run_ends.end(connection, move, run_ends.Ended(hold.row, answer), fencing=fencing)

    def _came_through(self, connection: run_ledger.Connection, move: Move) -> bool:
        """Whether a move whose answer was lost was committed: only the token's holder can have moved the run on."""
        where = run_ledger.whereabouts(connection, move.run_id)
        if where is None or where["token"] != move.token + (move.keep_s is not None):
            return False
        if move.status is not None:
            return bool(where["status"] == move.status)
        return bool((where["phase"], where["next_index"]) == (move.phase, move.next_index))

    def give_back(self, hold: Hold, *, reason: str, delay_s: float = 0.0, error: dict[str, Any] | None = None) -> None:
        """Queued again. With ``error``: its phase failed in a way that may pass, and is tried again after a while."""
        with hold.writing:
            self.give_back_token(hold.run_id, hold.token, reason=reason, delay_s=delay_s, error=error)

    def give_back_token(
        self, run_id: UUID, token: int, *, reason: str, delay_s: float = 0.0, error: dict[str, Any] | None = None
    ) -> None:
        """The same where the hold is stuck."""
        for pause_s in TRIES_PAUSE_S:
            try:
                with self.connections.take() as connection:
                    told = run_ledger.release(
                        connection, {run_id: token}, reason=reason, tried=error is not None, delay_s=delay_s,
                        error=error,
                    )  # fmt: skip
            except psycopg.Error as fault:  # in the end its lease runs out, and the sweeper finds it
                log.warning("run_not_given_back", run_id=str(run_id), error=str(fault).strip()[:200])
                time.sleep(pause_s)
                continue
            self.show(told)
            if told and not delay_s:
                dispatch.send([run_id], first=True)
            return

    # -- for streams
    def show(self, told: list[Row]) -> None:
        """Have committed events shown to streams, soon and in order. Never blocks."""
        if told:
            with self._lock:
                self._to_show.extend(told)
            self.news.set()

    def show_now(self) -> None:
        """Called by one thread, the scribe."""
        with self._lock:
            rows, self._to_show = self._to_show, []
        run_mirror.publish(rows)


def _told_by_claim(row: Row) -> Row:
    return {
        "run_id": row["id"],
        "seq_id": row["last_seq"],
        "event_type": row["event_type"],
        "event_json": row["event_json"],
        "created_at": row["told_at"],
    }
