"""A checker that never complains proves nothing: without fencing it sees doubled work, without a sweeper lost jobs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos import verdict
from tests.chaos.cluster import Platform
from tests.chaos.history import History
from tests.chaos.scenario import Scenario
from tests.clients import wait_for


@pytest.fixture
def weakened(platform: Platform, home: Path, request: pytest.FixtureRequest) -> Iterator[Scenario]:
    """Two workers that start with the setting the test is marked with; the standing ones are away meanwhile."""
    platform.dismiss_workers()
    platform.stand_up(**dict([request.param]))
    for node in platform.workers:
        node.supervised = False
    scenario = Scenario(platform, History(home / f"history-{request.node.originalname}.jsonl"))
    yield scenario
    scenario.end()
    platform.dismiss_workers()


def rules(run: Scenario) -> set[str]:
    """Which rules are violated now."""
    violations, _ = verdict.judge(run.platform, run.history, run.tenant.id)
    return {violation.rule for violation in violations}


@pytest.mark.parametrize("weakened", [("AGENTIC_FENCING_ENABLED", "false")], indirect=True)
def test_without_fencing_a_thawed_worker_doubles_effects_and_ends_what_is_not_its_own(weakened: Scenario) -> None:
    run = weakened
    run.submit_many(16, "test", {"chaos": "nap", "duration_ms": 1500})
    frozen = run.busy_worker()
    frozen.freeze()
    mine = run.running_on(frozen)
    wait_for(lambda: not run.running_on(frozen), what="its leases being taken away")
    wait_for(lambda: set(mine) & run.running_ids(), what="another attempt running")
    frozen.thaw()
    wait_for(run.is_at_rest, what="all jobs ending")

    wait_for(lambda: "effects_happened_once" in rules(run), what="the checker seeing doubled effects")
    assert "attempts_only_grow" in rules(run)


@pytest.mark.parametrize("weakened", [("AGENTIC_SWEEPER_ENABLED", "false")], indirect=True)
def test_without_a_sweeper_jobs_are_lost(weakened: Scenario) -> None:
    run, platform = weakened, weakened.platform
    run.submit_many(16, "test", {"duration_ms": 1500})
    killed = run.busy_worker()
    lost_with_worker = set(run.running_on(killed))
    killed.kill()
    spared = next(node for node in platform.workers if node is not killed)
    spared.freeze()
    lost_with_list = set(run.submit_many(16, "test", {}))
    with platform.redis_client() as redis:
        redis.flushall()
    spared.thaw()
    with pytest.raises(AssertionError):
        verdict.settle(platform, run.tenant.id, limit_s=8)

    violations, after = verdict.judge(platform, run.history, run.tenant.id)

    lost = {violation.about for violation in violations if violation.rule == "accepted_jobs_ended"}
    assert lost_with_worker <= lost
    assert lost & lost_with_list
    assert {after.jobs[job_id]["status"] for job_id in lost} == {"queued", "running"}
    run.platform.query(
        "UPDATE jobs SET status = 'failed', lease_until = NULL WHERE id = ANY(%s::uuid[]) RETURNING 1", [list(lost)]
    )
