"""The thread that writes: everything a process has to tell PostgreSQL about its jobs, committed together.

Claims, events, endings and returns queue up here; whatever has gathered while one commit was under way goes into the
next (group commit), so that a busy process pays one commit for many jobs and an idle one waits for nobody. After each
commit the announcer tells Redis.
"""

import threading
import time
from collections import deque
from typing import Any
from uuid import UUID

import psycopg
import structlog
from django.conf import settings

from apps.jobs import ledger
from apps.jobs.ledger import NewEvent, Outcome
from kernel import engine_db, metrics
from kernel.failpoints import failpoint
from workers.engine.announcer import Announcer
from workers.engine.view import EngineView

log = structlog.get_logger("ledger")
BATCH = 64
RECONNECT_S = (0.1, 0.2, 0.5, 1.0)


class LedgerThread(threading.Thread):
    """``submit_*`` never block and may be called from any thread."""

    def __init__(self, owner: EngineView, worker: str, announcer: Announcer) -> None:
        super().__init__(name="ledger", daemon=True)
        self.owner = owner
        self.worker = worker
        self.announcer = announcer
        self._condition = threading.Condition()
        self._claims: deque[UUID] = deque()
        self._events: deque[NewEvent] = deque()
        self._outcomes: deque[Outcome] = deque()
        self._releases: dict[UUID, int] = {}
        self._stopping = False
        self._busy = False
        self._unsettled_claims = False
        self._connection: ledger.Connection | None = None

    def submit_claims(self, ids: list[UUID]) -> None:
        with self._condition:
            self._claims.extend(ids)
            self._condition.notify()

    def submit_event(self, event: NewEvent) -> None:
        with self._condition:
            self._events.append(event)
            self._condition.notify()

    def submit_outcome(self, outcome: Outcome) -> None:
        with self._condition:
            self._outcomes.append(outcome)
            self._condition.notify()

    def submit_release(self, job_id: UUID, token: int) -> None:
        with self._condition:
            self._releases[job_id] = token
            self._condition.notify()

    def withdraw_claims(self) -> list[UUID]:
        """Take back the claims that were not sent yet (a shutdown)."""
        with self._condition:
            ids = list(self._claims)
            self._claims.clear()
            return ids

    def drain(self, timeout_s: float) -> bool:
        """Wait until nothing is waiting or under way; False when that took too long."""
        deadline = time.monotonic() + timeout_s
        with self._condition:
            while self._busy or self._claims or self._events or self._outcomes or self._releases:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._condition.wait(left)
            return True

    def stop(self) -> None:
        with self._condition:
            self._stopping = True
            self._condition.notify()

    # -- the thread
    def run(self) -> None:
        failures = 0
        while True:
            with self._condition:
                while not (self._stopping or self._claims or self._events or self._outcomes or self._releases):
                    self._condition.wait()
                if self._stopping:
                    break
                events = [self._events.popleft() for _ in range(min(4 * BATCH, len(self._events)))]
                outcomes = [self._outcomes.popleft() for _ in range(min(BATCH, len(self._outcomes)))]
                claims = [self._claims.popleft() for _ in range(min(BATCH, len(self._claims)))]
                releases, self._releases = self._releases, {}
                self._busy = True
            try:
                self._commit(events, outcomes, claims, releases)
                failures = 0
            except psycopg.OperationalError as error:
                self._put_back(events, outcomes, claims, releases)
                self._disconnect()
                log.warning("ledger_waits_for_database", error=str(error).strip()[:200], failures=failures)
                time.sleep(RECONNECT_S[min(failures, len(RECONNECT_S) - 1)])
                failures += 1
            except psycopg.Error as error:
                log.error("ledger_batch_refused", error=str(error).strip()[:500])
                self._one_by_one(events, outcomes, claims, releases)
            finally:
                with self._condition:
                    self._busy = False
                    self._condition.notify_all()
        self._disconnect()

    def _connect(self) -> ledger.Connection:
        if self._connection is None:
            self._connection = engine_db.connect(f"ledger {self.worker}")
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _put_back(
        self, events: list[NewEvent], outcomes: list[Outcome], claims: list[UUID], releases: dict[UUID, int]
    ) -> None:
        """The commit's fate is unknown: try again. Writes are conditional, so a repeat of one that came through does
        nothing; a claim that came through is recognised by its lease owner."""
        with self._condition:
            self._events.extendleft(reversed(events))
            self._outcomes.extendleft(reversed(outcomes))
            self._claims.extendleft(reversed(claims))
            self._releases = {**releases, **self._releases}
            self._unsettled_claims = self._unsettled_claims or bool(claims)

    def _commit(
        self, events: list[NewEvent], outcomes: list[Outcome], claims: list[UUID], releases: dict[UUID, int]
    ) -> None:
        connection = self._connect()
        if self._unsettled_claims:
            orphans = ledger.held_by(connection, claims, worker=self.worker)
            self._unsettled_claims = False
            if orphans:  # an earlier claim came through: hand those back first, then claim them like any other
                self.announcer.publish(ledger.release(connection, orphans))
        fencing = settings.FENCING_ENABLED
        told: list[dict[str, Any]] = []
        closed: list[dict[str, Any]] = []
        freed: list[dict[str, Any]] = []
        claimed: list[dict[str, Any]] = []
        kinds = sum(1 for part in (events, outcomes, claims, releases) if part)
        metrics.LEDGER_BATCH.observe(len(events) + len(outcomes) + len(claims) + len(releases))
        failpoint("before_ledger_commit")
        if kinds == 1:  # a single statement is its own transaction
            told, closed, freed, claimed = self._statements(connection, events, outcomes, claims, releases, fencing)
        else:
            with connection.transaction():
                told, closed, freed, claimed = self._statements(connection, events, outcomes, claims, releases, fencing)
        failpoint("after_ledger_commit")
        self._settle(connection, events, outcomes, claims, told, closed, freed, claimed)

    def _statements(
        self,
        connection: ledger.Connection,
        events: list[NewEvent],
        outcomes: list[Outcome],
        claims: list[UUID],
        releases: dict[UUID, int],
        fencing: bool,
    ) -> tuple[list[dict[str, Any]], ...]:
        return (
            self._append(connection, events, fencing) if events else [],
            ledger.finish(connection, outcomes, fencing=fencing) if outcomes else [],
            ledger.release(connection, releases) if releases else [],
            ledger.claim(
                connection,
                claims,
                worker=self.worker,
                lease_s=settings.LEASE_S,
                suspects=self.owner.may_take_suspect(),
            )
            if claims
            else [],
        )

    def _append(self, connection: ledger.Connection, events: list[NewEvent], fencing: bool) -> list[dict[str, Any]]:
        told, ours = ledger.append_events(connection, events, fencing=fencing)
        fenced = {event.job_id for event in events} - ours
        if fenced:
            self.owner.on_fenced(fenced)
        return told

    def _settle(
        self,
        connection: ledger.Connection,
        events: list[NewEvent],
        outcomes: list[Outcome],
        claims: list[UUID],
        told: list[dict[str, Any]],
        closed: list[dict[str, Any]],
        freed: list[dict[str, Any]],
        claimed: list[dict[str, Any]],
    ) -> None:
        if outcomes:
            ours = {row["id"] for row in closed}
            refused = [outcome for outcome in outcomes if outcome.job_id not in ours]
            if refused:  # another's, or ours by a commit whose answer was lost
                after_all = ledger.closed_with(connection, refused)
                closed = closed + after_all
                ours |= {row["id"] for row in after_all}
            stale = [outcome.job_id for outcome in refused if outcome.job_id not in ours]
            self.owner.on_closed([row for row in closed if row["event_type"] == "end"], stale)
        if claims:
            got = {row["id"] for row in claimed}
            missed = [job_id for job_id in claims if job_id not in got]
            unknown: list[UUID] = []
            if missed:
                known = {
                    row[0] for row in connection.execute("SELECT id FROM jobs WHERE id = ANY(%s)", [missed]).fetchall()
                }
                unknown = [job_id for job_id in missed if job_id not in known]
            self.owner.on_claimed(claimed, missed, unknown)
        self.announcer.publish([*told, *closed, *claimed])
        self.announcer.give_back(freed)

    def _one_by_one(
        self, events: list[NewEvent], outcomes: list[Outcome], claims: list[UUID], releases: dict[UUID, int]
    ) -> None:
        """Something in the batch cannot be stored: store the rest, and fail the job that brought it."""
        for event in events:
            self._alone(lambda event=event: self._commit([event], [], [], {}), event.job_id)
        for outcome in outcomes:
            if not self._alone(lambda outcome=outcome: self._commit([], [outcome], [], {}), outcome.job_id):
                error = {
                    "reason": "result_not_storable",
                    "message": "The handler's result could not be stored.",
                }
                replacement = Outcome(outcome.job_id, outcome.token, "failed", error=error)
                if not self._alone(lambda outcome=replacement: self._commit([], [outcome], [], {}), outcome.job_id):
                    self.owner.on_closed([], [outcome.job_id])
        if claims and not self._alone(lambda: self._commit([], [], claims, {}), claims[0]):
            self.owner.on_claimed([], claims, [])
        if releases:
            self._alone(lambda: self._commit([], [], [], releases), next(iter(releases)))

    def _alone(self, commit: Any, job_id: UUID) -> bool:
        try:
            commit()
        except psycopg.Error as error:
            log.error("ledger_operation_refused", job_id=str(job_id), error=str(error).strip()[:500])
            self._disconnect()
            return False
        return True
