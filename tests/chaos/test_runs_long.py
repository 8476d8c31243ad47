"""The long run for agent runs: every boundary of every phase, and faults at random for minutes, with production's
timings. ``pytest tests/chaos --chaos-long``."""

import random
import time

import pytest

from tests.chaos import figures
from tests.chaos.cluster import PRODUCTION
from tests.chaos.nemesis import pause
from tests.chaos.run_scenario import RunScenario
from tests.clients import wait_for

PHASES = ("classify", "plan", "step", "finalize")
BOUNDARIES = [f"{line}_{phase}" for phase in PHASES for line in ("after_claim", "before_commit", "after_commit")]
GOES_ON_S = 20.0
FAULTS = ("kill_worker", "kill_worker", "freeze", "stop", "kill_web", "kill_redis", "empty_redis", "kill_postgres")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("point", BOUNDARIES)
def test_a_worker_dies_at_this_boundary_again_and_again(runs: RunScenario, point: str) -> None:
    for number in range(4):
        dying = runs.platform.start_worker(
            f"dying-{point}-{number}", AGENTIC_FAILPOINT=f"{point}:exit", supervised=False
        )
        deadline_s = time.monotonic() + 60
        while (dying.is_running() or not dying.deaths) and time.monotonic() < deadline_s:
            runs.start(3, ms=50, follow_every=3)
            pause(0.3)
        assert dying.deaths == [-9]

    after = runs.assert_sound(limit_s=120)

    assert all(run["status"] == "succeeded" for run in after.runs.values())


@pytest.mark.timeout(600)
def test_a_killed_worker_is_replaced_within_twenty_seconds(runs: RunScenario) -> None:
    runs.platform.dismiss_workers()
    runs.platform.stand_up(**PRODUCTION)
    waits: list[float] = []
    for _ in range(5):
        runs.start(16, ms=1500, nap=[1, 3])
        killed = runs.busy_worker()
        had = runs.in_hand(killed)
        killed_at_s = runs.fault("kill worker")
        killed.kill()
        wait_for(lambda had=had: not _stuck(runs, had), limit_s=60, what="all of them going on")
        waits += runs.seconds_to_go_on(killed_at_s, had)
        runs.platform.wait_ready(*runs.platform.nodes)

    runs.assert_sound(limit_s=120)

    runs.platform.dismiss_workers()
    figures.note("runs", "from kill -9 to the step going on elsewhere, s", figures.spread(waits))
    assert waits and max(waits) < GOES_ON_S, sorted(waits)


def _stuck(runs: RunScenario, ids: list[str]) -> bool:
    sql = "SELECT 1 FROM agent_runs WHERE id = ANY(%s::uuid[]) AND crashes > 0"
    return bool(runs.platform.query(sql, [ids])) or bool(runs.open_runs())


@pytest.mark.timeout(1800)
def test_faults_at_random(runs: RunScenario, pytestconfig: pytest.Config) -> None:
    platform, faults = runs.platform, int(60 * pytestconfig.getoption("--chaos-scale"))
    for _ in range(faults):
        runs.start(
            random.randrange(1, 6), ms=random.choice((0, 100, 400, 900)), nap=[random.randrange(6)], follow_every=2
        )
        fault = random.choice(FAULTS)
        runs.fault(fault)
        node = random.choice(platform.workers)
        match fault:
            case "kill_worker":
                node.kill()
            case "freeze":
                node.freeze()
                pause(random.uniform(1.0, 5.0))
                node.thaw()
            case "stop":
                node.ask_to_stop()
            case "kill_web":
                platform.web.kill()
                platform.wait_ready(platform.web)
            case "kill_redis" | "empty_redis":
                platform.kill_redis()
                pause(random.uniform(0.0, 1.5))
                platform.start_redis(empty=fault == "empty_redis")
            case "kill_postgres":
                platform.kill_postgres()
                pause(random.uniform(0.0, 1.5))
                platform.start_postgres()
        pause(random.uniform(0.2, 2.0))
    wait_for(lambda: all(node.is_running() for node in platform.nodes), limit_s=20, what="all nodes running")

    after = runs.assert_sound(limit_s=180)

    figures.note("runs", f"with the undisturbed answer after {faults} faults", len(after.runs))
    assert all(run["status"] == "succeeded" for run in after.runs.values())
