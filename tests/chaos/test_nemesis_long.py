"""The promises at size, with production's timings: ``make chaos``. Ends with a table of numbers."""

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest

from tests.chaos import nemesis
from tests.chaos.cluster import PRODUCTION, Platform
from tests.chaos.figures import note, spread
from tests.chaos.history import History
from tests.chaos.scenario import Scenario
from tests.clients import wait_for

pytestmark = pytest.mark.timeout(3600)
STEPS = 200


@dataclass(frozen=True)
class Sizes:
    """At --chaos-scale 1. The promise's 10,000 races and 1,000 streams are made smaller to fit two cores."""

    backlog: int = 5000
    keys: int = 1000
    duplicates: int = 20
    queued_cancels: int = 1000
    races: int = 2000
    stream_jobs: int = 25
    readers_a_job: int = 8
    stalled: int = 50


@pytest.fixture
def sizes(pytestconfig: pytest.Config) -> Sizes:
    """As --chaos-scale wants them."""
    scale = pytestconfig.getoption("--chaos-scale")
    return Sizes(**{name: max(2, round(size * scale)) for name, size in asdict(Sizes()).items()})


@pytest.fixture
def run(platform: Platform, home: Path, request: pytest.FixtureRequest) -> Iterator[Scenario]:
    """As the short run's, with production's lease, heartbeat and sweep."""
    platform.stand_up(**PRODUCTION)
    scenario = Scenario(platform, History(home / f"history-{request.node.name}.jsonl"))
    yield scenario
    scenario.end()


@pytest.fixture
def second_web(run: Scenario) -> Iterator[None]:
    """Callers may also ask another web server, which lives on while the first is killed."""
    other = run.platform.start_web("web-2")
    run.platform.wait_ready(other)
    run.urls = [run.platform.web.url, other.url]
    yield
    run.platform.retire(other)


def kill_web_until(run: Scenario, done: threading.Event, every_s: float = 4.0) -> int:
    """Kill the first web server again and again; how often."""
    kills = 0
    while not done.wait(random.uniform(0.5, 1.5) * every_s):
        run.fault("kill web")
        run.platform.web.kill()
        kills += 1
    run.platform.wait_ready(run.platform.web)
    return kills


def in_background(work: object) -> threading.Event:
    """Run it in a thread; the event is set at its end."""
    done = threading.Event()

    def body() -> None:
        try:
            work()  # type: ignore[operator]
        finally:
            done.set()

    threading.Thread(target=body, daemon=True).start()
    return done


def test_p1_p2_nothing_is_lost_and_nothing_doubled(run: Scenario, pytestconfig: pytest.Config) -> None:
    jobs, faults = (
        pytestconfig.getoption(name, size) for name, size in (("--chaos-jobs", 20_000), ("--chaos-faults", 200))
    )
    began_s = time.monotonic()
    done = nemesis.mixed(
        run,
        enough=lambda nemesis, _: nemesis.total >= faults and len(run.history.of("submit", "ok")) >= jobs,
        pause_s=1.5,
        jobs_per_s=60.0,
    )

    after = run.assert_sound(limit_s=300)

    starts = run.starts()
    again = [after[0] - before[0] for s in starts.values() for before, after in pairwise(s)]
    tries = [line for lines in after.effects.values() for line in lines]
    note("P1", f"jobs accepted, in {time.monotonic() - began_s:.0f} s", len(set(run.history.accepted())))
    note("P1", "faults", f"{done.total} {done.counts}")
    note("P1", "lost", 0)
    note(
        "P2",
        "effects accepted / refused / doubled",
        f"{sum(t['accepted'] for t in tries)} / {sum(not t['accepted'] for t in tries)} / 0",
    )
    note(
        "P2",
        "jobs started more than once; crashes counted",
        f"{sum(len(s) > 1 for s in starts.values())}; {sum(job['crashes'] for job in after.jobs.values())}",
    )
    note("P2", "seconds between two starts of one job", spread(again))


def test_p3_rescue_behind_a_deep_backlog(run: Scenario, sizes: Sizes) -> None:
    run.submit_many(sizes.backlog, "test", {"duration_ms": 700})
    waits: list[float] = []
    kills = freezes = 0
    while run.platform.status_counts(run.tenant.id).get("queued", 0) > sizes.backlog // 16:
        node = run.busy_worker()
        in_hand = run.running_on(node)
        at_s = run.fault("kill or freeze worker")
        if random.random() < 0.5:
            node.kill()
            kills += 1
        else:
            node.freeze()
            freezes += 1
        nemesis.pause(14.0)
        node.thaw()
        waits += run.seconds_to_rescue(at_s, in_hand)
        run.platform.wait_ready(*run.platform.workers)

    run.assert_sound(limit_s=300)

    note("P3", f"seconds to rescue behind {sizes.backlog} jobs, {kills} kills and {freezes} freezes", spread(waits))
    assert sorted(waits)[int(0.99 * len(waits))] <= 12.0
    assert max(waits) <= 15.0


@pytest.mark.usefixtures("second_web")
def test_p5_one_job_a_key(run: Scenario, sizes: Sizes) -> None:
    keys = [uuid4().hex for _ in range(sizes.keys)]

    def duplicate() -> None:
        caller = run.caller()
        for key in keys:
            caller.submit("test", {}, key=key)

    kills = kill_web_until(run, in_background(lambda: nemesis.in_threads(sizes.duplicates, duplicate)))

    after = run.assert_sound(limit_s=120)

    note("P5", f"{sizes.keys} keys x {sizes.duplicates} duplicates, {kills} API kills: jobs", len(after.jobs))
    assert len(after.jobs) == sizes.keys


def test_p6_cancelling(run: Scenario, sizes: Sizes) -> None:
    nemesis.cancel_queued(run, count=sizes.queued_cancels, filler_ms=20_000)
    nemesis.cancel_races(run, count=sizes.races, threads=24, duration_ms=400)

    after = run.assert_sound(limit_s=120)

    counts: dict[str, int] = {}
    for job in after.jobs.values():
        counts[job["status"]] = counts.get(job["status"], 0) + 1
    note("P6", f"{sizes.queued_cancels} queued cancels (0 started), {sizes.races} races, ends", counts)


@pytest.mark.usefixtures("second_web")
def test_p9_p10_streams(run: Scenario, sizes: Sizes) -> None:
    ids = run.submit_many(sizes.stream_jobs, "long-running", {"duration_ms": 20_000, "steps": STEPS})

    def follow() -> None:
        for job_id in ids * sizes.readers_a_job:
            run.load.follow(job_id, limit_s=120, drop_after=random.randint(5, 15))
        run.load.finish(150)

    kills = kill_web_until(run, in_background(follow))
    after = run.assert_sound(limit_s=120)
    drops = len(run.history.of("stream", "opened")) - sizes.stream_jobs * sizes.readers_a_job
    note(
        "P9",
        f"streams, disconnects, API kills: {STEPS}+ events each, no hole",
        f"{sizes.stream_jobs * sizes.readers_a_job}, {drops}, {kills}",
    )

    with run.platform.redis_client() as redis:
        redis.flushall()
    run.platform.web.kill()
    run.platform.wait_ready(run.platform.web)
    first_s: list[float] = []
    for seq in range(0, after.jobs[ids[0]]["last_seq"]):
        began_s = time.monotonic()
        event = next(event for event in run.api().events(ids[0], after=seq) if event.id is not None)
        first_s.append(time.monotonic() - began_s)
        assert event.id == seq + 1
    note("P10", "seconds to the first replayed event, Redis flushed, API restarted", spread(first_s))


def test_p11_clients_that_do_not_read(run: Scenario, sizes: Sizes) -> None:
    job_id = run.submit_many(1, "long-running", {"duration_ms": 30_000, "steps": 300})[0]
    web = run.platform.web
    before_kb = web.memory_kb()
    stalled = [nemesis.open_and_never_read(web.url, run.token, job_id) for _ in range(sizes.stalled)]
    run.load.follow(job_id, limit_s=60)
    run.load.finish(60)
    grown_kb = max(0, web.memory_kb() - before_kb) / sizes.stalled
    for connection in stalled:
        connection.close()

    run.assert_sound()

    wait_for(web.is_ready, limit_s=5, what="the API answering")
    note("P11", f"{sizes.stalled} clients that do not read: memory each, kB", round(grown_kb))
    assert grown_kb <= 256
