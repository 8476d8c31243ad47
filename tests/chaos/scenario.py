"""One test's hold on the platform: its tenant, its callers, its history, and the question at the end."""

import threading
import time
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from tests.chaos import verdict
from tests.chaos.checker import Snapshot
from tests.chaos.cluster import Platform
from tests.chaos.history import History
from tests.chaos.load import Caller, Load
from tests.chaos.nodes import Node
from tests.clients import PATIENCE_S, Api, wait_for
from tests.factories import make_token

SUBMIT_THREADS = 8
STARTS = """SELECT job_id::text, (event_json ->> 'timestamp')::timestamptz, event_json ->> 'worker',
    (event_json ->> 'attempt')::int FROM job_events
    WHERE tenant_id = %s AND event_type = 'status' AND event_json ->> 'to' = 'running' ORDER BY job_id, seq_id"""


class Scenario:
    """Everything a nemesis test needs; ``assert_sound`` ends it."""

    def __init__(self, platform: Platform, history: History) -> None:
        self.platform, self.history = platform, history
        self.tenant = platform.new_tenant()
        self.token = make_token(self.tenant, "user", "chaos", ttl_s=7200)  # type: ignore[arg-type]
        self.urls = [platform.web.url]
        self.load = Load(history, self.token, lambda: self.urls)
        verdict.note_files(platform)

    def caller(self) -> Caller:
        return self.load.caller()

    def api(self, role: str = "user") -> Api:
        return self.platform.api(self.platform.web, self.tenant, role)

    def submit_many(
        self, count: int, type_name: str = "test", payload: dict[str, Any] | None = None, follow_every: int = 0
    ) -> list[str]:
        """``count`` jobs from a few threads; a stream reader for every ``follow_every``-th. Ids of the accepted."""
        ids: list[str] = []
        todo = iter(range(count))
        lock = threading.Lock()

        def submit() -> None:
            caller = self.caller()
            while True:
                with lock:
                    number = next(todo, None)
                if number is None:
                    return
                job_id = caller.submit(type_name, payload)
                if job_id is not None:
                    ids.append(job_id)
                    if follow_every and number % follow_every == 0:
                        self.load.follow(job_id)

        threads = [threading.Thread(target=submit, daemon=True) for _ in range(min(SUBMIT_THREADS, count))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(90)
        return ids

    def fault(self, name: str, **facts: Any) -> float:
        """Note a fault; the wall clock's time of it, in seconds since 1970."""
        self.history.add("fault", "ok", name=name, **facts)
        return time.time()

    def wait_running(self, count: int, limit_s: float = PATIENCE_S) -> None:
        """Until ``count`` of this tenant's jobs are running."""
        wait_for(
            lambda: self.platform.status_counts(self.tenant.id).get("running", 0) >= count,
            limit_s=limit_s,
            what=f"{count} jobs running",
        )

    def running_on(self, node: Node) -> list[str]:
        """Ids of this tenant's jobs that this worker process has in hand."""
        sql = "SELECT id::text FROM jobs WHERE tenant_id = %s AND status = 'running' AND lease_owner LIKE %s"
        return [row[0] for row in self.platform.query(sql, [self.tenant.id, f"{node.name}@%:{node.pid}:%"])]

    def running_ids(self) -> set[str]:
        """Ids of this tenant's jobs that run now."""
        sql = "SELECT id::text FROM jobs WHERE tenant_id = %s AND status = 'running'"
        return {row[0] for row in self.platform.query(sql, [self.tenant.id])}

    def busy_worker(self) -> Node:
        """The worker with the most jobs in hand, once there is one."""

        def busiest() -> Node | None:
            node = max(self.platform.workers, key=lambda node: len(self.running_on(node)))
            return node if self.running_on(node) else None

        found = wait_for(busiest, what="a worker having jobs in hand")
        assert found is not None
        return found

    def is_at_rest(self) -> bool:
        return not verdict.open_jobs(self.platform, self.tenant.id)

    def refused_effects(self) -> int:
        """Writes that the fenced resource refused because their token was old."""
        sql = """SELECT count(*) FROM chaos_effects WHERE reason = 'stale'
            AND job_id IN (SELECT id FROM jobs WHERE tenant_id = %s)"""
        return int(self.platform.query(sql, [self.tenant.id])[0][0])

    def ended_at_s(self, job_id: str) -> float:
        """Wall-clock second of its end."""
        at = self.platform.query("SELECT completed_at FROM jobs WHERE id = %s", [job_id])[0][0]
        return float(at.timestamp())

    def ended_since(self, at_s: float) -> int:
        """How many jobs have ended since that wall-clock second."""
        sql = "SELECT count(*) FROM jobs WHERE tenant_id = %s AND completed_at > to_timestamp(%s)"
        return int(self.platform.query(sql, [self.tenant.id, at_s])[0][0])

    def starts(self) -> dict[str, list[tuple[float, str, int]]]:
        """Job id -> (wall-clock second, worker, attempt) of each start."""
        found: dict[str, list[tuple[float, str, int]]] = {}
        for job_id, at, worker, attempt in self.platform.query(STARTS, [self.tenant.id]):
            found.setdefault(job_id, []).append((at.timestamp(), worker, attempt))
        return found

    def seconds_to_rescue(self, fault_at_s: float, among: Iterable[str] | None = None) -> list[float]:
        """For each job that ran when the fault came and was started again: seconds until that start."""
        wanted = set(among) if among is not None else None
        return sorted(
            after[0] - fault_at_s
            for job_id, starts in self.starts().items()
            if wanted is None or job_id in wanted
            for before, after in pairwise(starts)
            if before[0] <= fault_at_s < after[0]
        )

    def assert_sound(self, limit_s: float = 2 * PATIENCE_S) -> Snapshot:
        """Callers done, jobs ended, no violation, no file left open."""
        self.load.finish(limit_s)
        after = verdict.assert_sound(self.platform, self.history, self.tenant.id, limit_s)
        verdict.assert_no_files_leaked(self.platform)
        return after

    def end(self) -> None:
        self.load.stop.set()
        for node in self.platform.nodes:  # a test that failed half-way may have left one frozen
            node.thaw()
        self.platform.dismiss_extras()
        self.history.close()
