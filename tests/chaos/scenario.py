"""One test's hold on the platform: its tenant, its callers, its history, and the question at the end."""

import threading
import time
from collections.abc import Iterable
from typing import Any

from tests.chaos import verdict
from tests.chaos.checker import Snapshot
from tests.chaos.cluster import Platform
from tests.chaos.history import History
from tests.chaos.load import Caller, Load
from tests.clients import Api, wait_for
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
        self._files = verdict.open_files(platform.nodes)

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

    def wait_running(self, count: int, limit_s: float = 20.0) -> None:
        """Until ``count`` of this tenant's jobs are running."""
        wait_for(
            lambda: self.platform.status_counts(self.tenant.id).get("running", 0) >= count,
            limit_s=limit_s,
            what=f"{count} jobs running",
        )

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
            for before, after in zip(starts, starts[1:], strict=False)
            if before[0] <= fault_at_s < after[0]
        )

    def assert_sound(self, limit_s: float = 40.0) -> Snapshot:
        """Callers done, jobs ended, no violation, no file left open."""
        self.load.finish(limit_s)
        after = verdict.assert_sound(self.platform, self.history, self.tenant.id, limit_s)
        verdict.assert_no_files_leaked(self._files)
        return after

    def end(self) -> None:
        self.load.stop.set()
        self.history.close()
