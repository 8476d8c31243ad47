"""One fault a test, jobs in flight: processes of the platform are killed, frozen and stopped."""

import time

from tests.chaos import nemesis
from tests.chaos.cluster import PRODUCTION
from tests.chaos.scenario import Scenario
from tests.clients import wait_for

LEASE_S = 3.0
MIXED_S = 15.0
RESCUE_LIMIT_S = LEASE_S + 20.0  # a sweep, a round trip, and a machine with other things to do; else never


def test_kill_9_of_a_worker(run: Scenario) -> None:
    """F1: its jobs run elsewhere, from attempt 2."""
    run.submit_many(40, "test", {"duration_ms": 1200}, follow_every=8)
    run.submit_many(8, "demo", {"duration_ms": 1200}, follow_every=2)
    killed = run.busy_worker()
    killed_at_s = run.fault("kill worker")
    killed.kill()

    after = run.assert_sound()

    assert all(job["status"] == "finished" for job in after.jobs.values())
    rescues = run.seconds_to_rescue(killed_at_s)
    assert rescues and rescues[-1] < RESCUE_LIMIT_S, rescues


def test_a_worker_frozen_past_its_lease_writes_nothing_late(run: Scenario) -> None:
    """F2: what it had in hand is done by others; when it wakes up, its writes match no row."""
    run.submit_many(32, "test", {"chaos": "nap", "duration_ms": 1000}, follow_every=8)
    frozen = run.busy_worker()
    frozen_at_s = run.fault("freeze worker")
    frozen.freeze()
    in_hand = run.running_on(frozen)
    wait_for(lambda: not run.running_on(frozen), what="its leases being taken away")
    wait_for(run.is_at_rest, what="others doing its work")
    run.fault("thaw worker")
    frozen.thaw()
    wait_for(lambda: run.refused_effects() >= 1, what="the frozen worker's late writes")

    after = run.assert_sound()

    assert all(after.jobs[job_id]["crashes"] == 1 for job_id in in_hand)
    assert run.seconds_to_rescue(frozen_at_s, in_hand)[-1] < RESCUE_LIMIT_S
    assert frozen.is_running()


def test_a_warm_shutdown_loses_and_blames_nothing(run: Scenario) -> None:
    """SIGTERM: short jobs finish, long ones go back to the queue; nobody's crash is counted."""
    leaving = run.platform.start_worker("worker-leaving", supervised=False, AGENTIC_SHUTDOWN_GRACE_S="1")
    run.platform.wait_ready(leaving)
    run.submit_many(30, "demo", {"duration_ms": 2500}, follow_every=8)
    run.submit_many(40, "test", {"duration_ms": 600}, follow_every=10)
    wait_for(lambda: run.running_on(leaving), what="the worker having jobs in hand")
    run.fault("warm shutdown")
    leaving.ask_to_stop()
    wait_for(lambda: not leaving.is_running(), what="the warm shutdown")

    after = run.assert_sound()

    assert leaving.deaths == [0]
    assert all(job["status"] == "finished" and job["crashes"] == 0 for job in after.jobs.values())
    assert not run.platform.query("SELECT 1 FROM worker_heartbeats WHERE pid = %s", [leaving.pid])


def test_the_api_dies_between_commit_and_push(run: Scenario) -> None:
    """F4: the same key gives the same job, and the job runs although nobody ever pushed its id."""
    dying = run.platform.start_web("web-dying", AGENTIC_FAILPOINT="after_commit_before_push:exit")
    run.platform.wait_ready(dying)
    run.urls = [dying.url]
    pushed_by_nobody = run.caller().ask("submit", "POST", "/v1/jobs", {"type": "test", "payload": {}}, key="first")
    assert pushed_by_nobody[0] == 0, "the failpoint did not fire"
    run.urls = [dying.url, run.platform.web.url]
    run.submit_many(40, "test", {}, follow_every=5)
    run.urls = [run.platform.web.url]
    status, headers, body = run.caller().ask("submit", "POST", "/v1/jobs", {"type": "test", "payload": {}}, key="first")

    after = run.assert_sound()

    assert dying.deaths
    assert (status, headers["idempotency-replayed"]) == (200, "true"), body
    assert len(after.jobs) == 41
    assert all(job["status"] == "finished" for job in after.jobs.values())


def test_workers_die_before_and_after_a_commit(run: Scenario) -> None:
    """A claim that was not committed frees the job; one that was is rescued."""
    slots = 16 * len(run.platform.workers)
    run.submit_many(slots, "test", {"duration_ms": 8000})
    run.wait_running(slots)  # so that only the dying ones have room, for longer than they take to start
    dying = [
        run.platform.start_worker(f"worker-dying-{number}", AGENTIC_FAILPOINT=point, supervised=False)
        for number, point in enumerate(("before_ledger_commit:exit", "after_ledger_commit:exit"))
    ]
    wait_for(lambda: all(map(run.platform.beats, dying)), what="the dying workers beating")
    deadline_s = time.monotonic() + 60
    while any(node.is_running() for node in dying) and time.monotonic() < deadline_s:
        run.submit_many(4, "test", {"duration_ms": 200}, follow_every=4)
        nemesis.pause(0.3)

    after = run.assert_sound()

    assert [node.deaths for node in dying] == [[-9], [-9]]
    assert all(job["status"] == "finished" for job in after.jobs.values())
    assert any(job["crashes"] for job in after.jobs.values())


def test_a_poison_job_is_set_aside_and_the_others_finish(run: Scenario) -> None:
    """P7: it takes three workers with it and no fourth; no job beside it is blamed."""
    run.submit_many(2, "test", {"duration_ms": 3500})
    poison = run.submit_many(1, "test", {"chaos": "kill"})[0]
    run.submit_many(20, "test", {"duration_ms": 200}, follow_every=5)

    after = run.assert_sound()

    job = after.jobs.pop(poison)
    assert (job["status"], job["reason"], job["crashes"], job["dead"]) == ("failed", "poison", 3, True)
    dead = run.api("admin").get("/v1/admin/jobs?dead_letter=true").json["items"]
    assert [line["id"] for line in dead] == [poison]
    ends = {job_id: (job["status"], job["crashes"]) for job_id, job in after.jobs.items()}
    assert all(status == "finished" for status, _ in ends.values()), ends


def test_cancelling(run: Scenario) -> None:
    """P6: queued ones never start, races have one end, and code that never looks up is stopped all the same."""
    stubborn = [run.submit_many(1, "test", {"chaos": chaos})[0] for chaos in ("spin", "block")]
    run.wait_running(2)
    asked_at_s = time.time()
    for job_id in stubborn:
        run.caller().cancel(job_id)
    nemesis.cancel_races(run, count=300, threads=24, duration_ms=400)
    nemesis.cancel_queued(run, count=60)

    after = run.assert_sound()

    for job_id in stubborn:
        assert after.jobs[job_id]["status"] == "cancelled"
        assert run.ended_at_s(job_id) - asked_at_s < 30.0  # of a minute, or of ever
    statuses = [job["status"] for job in after.jobs.values()]
    assert set(statuses) == {"finished", "cancelled"}, statuses
    assert all(job["crashes"] == 0 for job in after.jobs.values())


def test_mixed_faults_at_random(run: Scenario) -> None:
    """F34: whatever comes, for a while, and then the checker."""
    nemesis.mixed(run, enough=lambda _, seconds: seconds > MIXED_S, pause_s=1.5, jobs_per_s=25.0)

    after = run.assert_sound()

    assert len(after.jobs) > 20


def test_rescue_with_production_timings(run: Scenario) -> None:
    """P3: the lease and a sweep from the kill to the next attempt, which is 12 s at most where nobody is in the way."""
    run.platform.dismiss_workers()
    run.platform.stand_up(**PRODUCTION)
    run.submit_many(24, "test", {"duration_ms": 3000})
    killed = run.busy_worker()
    killed_at_s = run.fault("kill worker")
    killed.kill()

    run.assert_sound()

    rescues = run.seconds_to_rescue(killed_at_s)
    assert sum(float(PRODUCTION[name]) for name in ("AGENTIC_LEASE_S", "AGENTIC_SWEEP_S")) < 12
    assert rescues and rescues[-1] <= 30.0, rescues
    run.platform.dismiss_workers()
