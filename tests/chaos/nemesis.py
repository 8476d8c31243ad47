"""What is done to a platform, and the loads it is done under."""

import random
import socket
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from tests.chaos.scenario import Scenario
from tests.clients import wait_for

_never = threading.Event()


def pause(seconds: float) -> None:
    """Between two faults; nothing is waited for."""
    _never.wait(seconds)


def some_job() -> tuple[str, dict[str, Any]]:
    """Mostly short ones that leave an effect, some that report progress."""
    if random.random() < 0.25:
        return "demo", {"duration_ms": random.choice((100, 500, 1500))}
    return "test", {"duration_ms": random.choice((0, 0, 50, 300, 1000))}


def steady_load(run: Scenario, *, per_s: float, follow_share: float = 0.1, cancel_share: float = 0.0) -> None:
    """Four submitters in the background, until the scenario ends."""
    run.load.submitters(4, per_s=per_s, job=some_job, follow_share=follow_share, cancel_share=cancel_share)


def in_threads(count: int, work: Callable[[], None]) -> None:
    """``work`` in ``count`` threads, to its end."""
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)


def submit_and_read_for(run: Scenario, *, seconds: float, per_s: float) -> list[str]:
    """Submit, and read back what was submitted, for a while. Ids in order."""
    ids: list[str] = []
    deadline_s = time.monotonic() + seconds
    caller = run.caller()
    while time.monotonic() < deadline_s:
        job_id = caller.submit("test", {})
        assert job_id
        ids.append(job_id)
        caller.read(random.choice(ids))
        pause(1 / per_s)
    return ids


def cancel_races(run: Scenario, *, count: int, threads: int, duration_ms: int) -> None:
    """Cancel each job at about the moment it ends (P6)."""
    left = iter(range(count))
    lock = threading.Lock()

    def race() -> None:
        caller = run.caller()
        while True:
            with lock:
                if next(left, None) is None:
                    return
            job_id = caller.submit("test", {"duration_ms": random.randrange(duration_ms + 1)})
            pause(random.uniform(0, 1.2 * duration_ms / 1000))
            if job_id:
                caller.cancel(job_id)

    in_threads(threads, race)


def cancel_queued(run: Scenario, *, count: int, filler_ms: int = 2500) -> None:
    """Fill every worker, so that what follows waits; cancel that. None of it may start (P6)."""
    slots = 16 * len(run.platform.workers)
    fillers = run.submit_many(slots, "test", {"duration_ms": filler_ms})
    run.wait_running(len(fillers))
    waiting = run.submit_many(count, "test", {})
    caller = run.caller()
    answers = [caller.cancel(job_id) for job_id in waiting]
    for job_id in fillers:
        caller.cancel(job_id)
    started = [job_id for job_id in waiting if job_id in run.starts()]
    queued = [job_id for job_id, answer in zip(waiting, answers, strict=True) if answer == "cancelled"]
    assert len(queued) > count * 0.8, "the workers were not full"
    assert not set(queued) & set(started), "cancelled while queued, and started"


def open_and_never_read(url: str, token: str, job_id: str) -> socket.socket:
    """A stream whose reader has gone to sleep, with a small receive buffer."""
    parts = urlsplit(url)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((parts.hostname, parts.port))
    head = f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n"
    connection.sendall(head.encode())
    return connection


class Nemesis:
    """Draws faults. On the main thread: servers end with the thread that starts them."""

    def __init__(self, run: Scenario, *, seed: int | None = None) -> None:
        self.run, self.platform = run, run.platform
        self.random = random.Random(seed)
        self.counts: dict[str, int] = {}
        self._frozen: list[tuple[float, Any]] = []
        self.faults: list[tuple[int, Callable[[], None]]] = [
            (6, self.kill_worker),
            (3, self.freeze_worker),
            (2, self.stop_worker),
            (2, self.kill_web),
            (2, self.kill_postgres),
            (2, self.kill_redis),
            (1, self.empty_redis),
        ]

    def strike(self) -> None:
        """One fault, drawn by weight; frozen workers whose time has come go on first."""
        self.thaw()
        weights, faults = zip(*self.faults, strict=True)
        fault = self.random.choices(faults, weights)[0]
        self.counts[fault.__name__] = self.counts.get(fault.__name__, 0) + 1
        self.run.fault(fault.__name__)
        fault()

    @property
    def total(self) -> int:
        """How many faults so far."""
        return sum(self.counts.values())

    def thaw(self, *, all_of_them: bool = False) -> None:
        due = [node for until_s, node in self._frozen if all_of_them or time.monotonic() > until_s]
        self._frozen = [(until_s, node) for until_s, node in self._frozen if node not in due]
        for node in due:
            node.thaw()

    def _some_worker(self) -> Any:
        return self.random.choice(self.platform.workers)

    def kill_worker(self) -> None:
        self._some_worker().kill()

    def freeze_worker(self) -> None:
        node = self._some_worker()
        node.freeze()
        self._frozen.append((time.monotonic() + self.random.uniform(1.0, 6.0), node))

    def stop_worker(self) -> None:
        node = self._some_worker()
        node.thaw()
        node.ask_to_stop()

    def kill_web(self) -> None:
        self.platform.web.kill()

    def kill_postgres(self) -> None:
        self.platform.kill_postgres()
        pause(self.random.uniform(0, 1.0))
        self.platform.start_postgres()

    def kill_redis(self) -> None:
        self.platform.kill_redis()
        pause(self.random.uniform(0, 1.0))
        self.platform.start_redis()

    def empty_redis(self) -> None:
        self.platform.kill_redis()
        self.platform.start_redis(empty=True)


def mixed(
    run: Scenario,
    *,
    enough: Callable[[Nemesis, float], bool],
    pause_s: float,
    jobs_per_s: float,
    seed: int | None = None,
) -> Nemesis:
    """Faults at random under load until ``enough(nemesis, seconds)``."""
    nemesis = Nemesis(run, seed=seed)
    steady_load(run, per_s=jobs_per_s, cancel_share=0.05)
    began_s = time.monotonic()
    while not enough(nemesis, time.monotonic() - began_s):
        nemesis.strike()
        pause(nemesis.random.uniform(0.3, 2 * pause_s))
    nemesis.thaw(all_of_them=True)
    wait_for(lambda: all(node.is_running() for node in run.platform.nodes), what="all nodes running")
    run.platform.wait_ready(*run.platform.nodes)
    return nemesis
