"""Agent runs of six steps while workers and servers die: every run ends once, no finished step is done again, and the
answer is that of an undisturbed run."""

import time
from pathlib import Path

import pytest

from tests.chaos.cluster import Platform
from tests.chaos.history import History
from tests.chaos.nemesis import pause
from tests.chaos.run_scenario import RunScenario
from tests.clients import wait_for

LEASE_S = 3.0
BACK_AT_WORK_S = LEASE_S + 30.0  # else never; a sweep, a queue, and a machine with other things to do
BOUNDARIES = ("after_claim_classify", "before_commit_plan", "after_commit_step", "before_commit_finalize")


@pytest.mark.requirement("runs:survival")
def test_workers_die_at_the_boundaries_of_phases(runs: RunScenario) -> None:
    """Each dying worker is killed at its own line: after a claim, before a commit, after one."""
    dying = [
        runs.platform.start_worker(f"dying-{point}", AGENTIC_FAILPOINT=f"{point}:exit", supervised=False)
        for point in BOUNDARIES
    ]
    runs.start(4, follow_every=2, ms=100)
    deadline_s = time.monotonic() + 75
    while any(node.is_running() for node in dying) and time.monotonic() < deadline_s:
        runs.start(1, ms=20)
        pause(0.5)

    after = runs.assert_sound()

    assert [node.deaths for node in dying] == [[-9]] * len(BOUNDARIES)
    assert all(run["status"] == "succeeded" for run in after.runs.values())
    assert any(run["crashes"] for run in after.runs.values()) or len(after.runs) > 4


@pytest.mark.requirement("runs:survival")
def test_workers_and_servers_die_inside_steps(runs: RunScenario) -> None:
    """One after the other, with runs in hand: kill -9, SIGSTOP past the lease, SIGTERM, Valkey killed, Valkey emptied,
    PostgreSQL killed."""
    platform = runs.platform
    ids = runs.start(12, follow_every=3, ms=600, nap=[2, 4])

    killed = runs.busy_worker()
    had = runs.in_hand(killed)
    killed_at_s = runs.fault("kill worker")
    killed.kill()
    wait_for(lambda: runs.seconds_to_go_on(killed_at_s, had), what="others going on")

    ids += runs.start(6, follow_every=3, ms=600, nap=[1, 3])
    frozen = runs.busy_worker()
    runs.fault("freeze worker")
    frozen.freeze()
    pause(LEASE_S + 1.0)
    frozen.thaw()

    leaving = runs.busy_worker()
    runs.fault("warm shutdown")
    leaving.ask_to_stop()

    runs.fault("kill valkey")
    platform.kill_redis()
    without = runs.start(2, ms=50)
    wait_for(lambda: runs.have_ended(without), what="runs ending without Valkey")
    platform.start_redis()
    ids += without + runs.start(4, ms=200)
    runs.fault("empty valkey")
    platform.kill_redis()
    platform.start_redis(empty=True)

    ids += runs.start(4, ms=200)
    runs.fault("kill postgres")
    platform.kill_postgres()
    pause(1.0)
    platform.start_postgres()
    ids += runs.start(4, ms=100)

    after = runs.assert_sound()

    assert len(after.runs) == len(ids)
    assert all(run["status"] == "succeeded" for run in after.runs.values())
    late = runs.seconds_to_go_on(killed_at_s, had)
    assert late and late[-1] < BACK_AT_WORK_S, late


def test_the_checker_sees_what_fencing_prevents(platform: Platform, home: Path) -> None:
    """Without fencing a frozen worker that wakes up writes over what others have done meanwhile."""
    platform.stand_up()
    platform.dismiss_workers()
    platform.stand_up(AGENTIC_FENCING_ENABLED="false")
    for node in platform.workers:
        node.supervised = False
    runs = RunScenario(platform, History(home / "history-runs-unfenced.jsonl"))
    try:
        runs.start(8, ms=1500, nap=[0, 1, 2, 3, 4, 5])
        frozen = runs.busy_worker()
        frozen.freeze()
        mine = runs.in_hand(frozen)
        wait_for(lambda: not runs.in_hand(frozen), what="its leases being taken away")
        wait_for(lambda: _passed(runs, mine), what="others going on with its runs")
        frozen.thaw()
        seen = wait_for(lambda: _broken(runs), what="the checker complaining")
    finally:
        platform.query("UPDATE agent_runs SET status = 'failed', lease_until = NULL WHERE tenant_id = %s "
                       "AND status IN ('queued', 'running') RETURNING 1", [runs.tenant.id])  # fmt: skip
        runs.end()
        platform.dismiss_workers()

    assert seen & {"logs_are_whole", "no_finished_step_ran_again", "answers_are_the_undisturbed_ones"}


def _broken(runs: RunScenario) -> set[str]:
    """Rules that are violated now, and not because the runs go on yet."""
    return {violation.rule for violation in runs.judge()} - {"accepted_runs_ended", "nothing_is_left"}


def _passed(runs: RunScenario, ids: list[str]) -> bool:
    """Whether somebody else has ended what was in hand: that sets the count of crashes back."""
    told = "SELECT 1 FROM run_events e WHERE e.run_id = r.id AND e.event_json ->> 'reason' = 'lease_expired'"
    sql = f"SELECT 1 FROM agent_runs r WHERE id = ANY(%s::uuid[]) AND crashes = 0 AND EXISTS ({told})"
    return bool(runs.platform.query(sql, [ids]))
