"""The thread that finds what was lost: leases that ran out, ids that fell out of Redis, work Redis cannot announce.

Every worker has one. One of them at a time sweeps, by an advisory lock that lives no longer than its transaction, so
that a frozen process cannot keep the others from sweeping; each polls for itself.
"""

import threading
import time
from uuid import UUID

import psycopg
import redis
import structlog
from django.conf import settings

from apps.jobs import mirror, sweep
from apps.jobs.ledger import Connection
from apps.jobs.types import JOB_TYPES
from kernel import engine_db, metrics
from kernel.redis_client import client
from workers.engine.view import EngineView

log = structlog.get_logger("sweeper")
LOCK = 0x6A6F6273  # "jobs"
POLL_WITHOUT_REDIS_S = 0.5
LOOK_AT = 64  # ids at the taking end that are known to be there


def _uuids(items: list[str]) -> list[UUID]:
    ids = []
    for item in items:
        try:
            ids.append(UUID(item))
        except ValueError:
            continue
    return ids


class Sweeper(threading.Thread):
    """Starts sweeping at once; waits for PostgreSQL when it is away."""

    def __init__(self, engine: EngineView) -> None:
        super().__init__(name="sweeper", daemon=True)
        self.engine = engine
        self._stop_event = threading.Event()
        self._connection: Connection | None = None

    def stop(self) -> None:
        self._stop_event.set()

    def run(self) -> None:
        pause_s = 0.0
        while not self._stop_event.wait(pause_s):
            began = time.monotonic()
            tails = self._tails()
            hears = tails is not None and self.engine.listening
            try:
                if self._connection is None:
                    self._connection = engine_db.connect(f"sweeper {self.engine.worker}")
                self._poll(self._connection, hears_from_redis=hears)
                if settings.SWEEPER_ENABLED:
                    self._sweep(self._connection, tails)
            except psycopg.Error as error:
                log.warning("sweep_failed", error=str(error).strip()[:200])
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
            every_s = settings.SWEEP_S if hears else min(settings.SWEEP_S, POLL_WITHOUT_REDIS_S)
            pause_s = max(0.05, every_s - (time.monotonic() - began))

    def _tails(self) -> dict[tuple[str, bool], list[UUID]] | None:
        """The ids at the taking end of every job queue, next one first; None when Redis does not answer."""
        wanted = [(name, high) for name in JOB_TYPES for high in (False, True)]
        try:
            pipe = client().pipeline(transaction=False)
            for name, high in wanted:
                pipe.lrange(JOB_TYPES[name].queue(1 if high else 0), -LOOK_AT, -1)
            answers = pipe.execute()
        except redis.RedisError:
            return None
        return {key: _uuids(list(reversed(items))) for key, items in zip(wanted, answers, strict=True)}

    def _poll(self, connection: Connection, *, hears_from_redis: bool) -> None:
        """Without Redis, or before Celery has connected to it (again: its attempts are up to 30 s apart), take the
        oldest queued jobs straight from PostgreSQL."""
        credit = self.engine.credit()
        if hears_from_redis or credit <= 0:
            return
        self.engine.take(sweep.pending(connection, types=self.engine.types, limit=credit, age_s=0.0))

    def _sweep(self, connection: Connection, tails: dict[tuple[str, bool], list[UUID]] | None) -> None:
        rehints: list[tuple[str, bool, list[UUID]]] = []
        with connection.transaction():
            mine = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK]).fetchone()
            if not mine or not mine[0]:
                return
            moved = sweep.rescue(connection) + sweep.force_cancel(connection, grace_s=settings.CANCEL_GRACE_S + 1.5)
            for (name, high), present in (tails or {}).items():
                tail = present[0] if present else None
                lost = sweep.lost_hints(connection, job_type=name, high=high, tail=tail, present=present)
                if lost:
                    rehints.append((name, high, lost))
        self.engine.publish_rescued(moved)
        for name, high, lost in rehints:
            metrics.JOBS_REHINTED.inc(len(lost))
            log.info("rehinted", type=name, jobs=len(lost))
            mirror.rehint(name, high, lost)
