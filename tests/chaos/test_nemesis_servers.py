"""PostgreSQL and Valkey are killed, come back, come back empty, or stay away for a while; jobs in flight."""

import time

from tests.chaos import nemesis
from tests.chaos.proxy import AnswerEater
from tests.chaos.scenario import Scenario
from tests.clients import wait_for

AWAY_S = 3.0
BACK_S = 30.0  # P28 says 5; what does not come back by itself never does


def test_postgres_is_killed_and_stays_away_for_a_while(run: Scenario) -> None:
    """F15, P28: 503 with Retry-After soon and not when it is back, back by itself; jobs in hand are not lost."""
    nemesis.steady_load(run, per_s=20.0)
    run.wait_running(2)
    killed_at = len(run.history.records)
    run.fault("kill postgres")
    run.platform.kill_postgres()
    nemesis.pause(AWAY_S)
    run.platform.start_postgres()
    back_at_s = run.fault("postgres is back")
    caller = run.caller()
    assert caller.submit("test", {}, limit_s=BACK_S)
    assert time.time() - back_at_s < BACK_S
    wait_for(lambda: run.ended_since(back_at_s), what="jobs ending again")
    nemesis.pause(1.0)

    run.assert_sound()

    answers = [r for r in run.history.records[killed_at:] if r["kind"] == "answer" and r.get("took_s") is not None]
    took_s = sorted(answer["took_s"] for answer in answers if answer["status"] == 503)
    assert took_s and took_s[len(took_s) // 2] < AWAY_S, took_s


def test_valkey_is_killed_and_comes_back_with_its_data_and_then_empty(run: Scenario) -> None:
    """F10: nothing is decided from what it holds."""
    nemesis.steady_load(run, per_s=25.0)
    for empty in (False, True):
        run.submit_many(60, "test", {"duration_ms": 300})
        run.fault("kill valkey", empty=empty)
        run.platform.kill_redis()
        run.platform.start_redis(empty=empty)
        nemesis.pause(1.5)

    after = run.assert_sound()

    assert all(job["status"] == "finished" for job in after.jobs.values())


def test_the_platform_works_without_valkey(run: Scenario) -> None:
    """P27, P4: every answer is 2xx, and jobs start, while it is away and after it is back; a worker that is asked to
    stop meanwhile does."""
    leaving = run.platform.workers[1]
    deaths = len(leaving.deaths)
    run.fault("kill valkey")
    run.platform.kill_redis()
    ids = nemesis.submit_and_read_for(run, seconds=2.0, per_s=8.0)
    leaving.ask_to_stop()
    ids += nemesis.submit_and_read_for(run, seconds=4.0, per_s=8.0)
    wait_for(lambda: len(leaving.deaths) > deaths, what="the warm shutdown without Valkey")
    assert leaving.deaths[-1] == 0
    wait_for(lambda: not run.platform.status_counts(run.tenant.id).get("queued"), what="all starting without Valkey")
    run.platform.start_redis()
    run.fault("valkey is back")
    later = nemesis.submit_and_read_for(run, seconds=3.0, per_s=8.0)

    after = run.assert_sound()

    refused = [r for r in run.history.of("answer") if r["of"] in ("submit", "read") and not 200 <= r["status"] < 300]
    assert not refused, refused[:3]
    assert len(after.jobs) == len(ids) + len(later)


def test_answers_to_commits_are_lost(run: Scenario) -> None:
    """A worker that does not know whether its last statement was committed says nothing twice and loses nothing."""
    run.platform.dismiss_workers()
    eater = AnswerEater(run.platform.postgres.port, victim=b"ledger ", share=0.1)
    worker = run.platform.start_worker("worker-unsure", AGENTIC_DATABASE_ENGINE_URL=run.platform.engine_url(eater.port))
    run.platform.workers = [worker]
    try:
        run.platform.wait_ready(worker)
        for _ in range(4):
            run.submit_many(10, "demo", {"duration_ms": 1200}, follow_every=5)
            run.submit_many(10, "test", {"duration_ms": 100})
        wait_for(lambda: eater.eaten >= 10, what="answers being lost")
        eater.share = 0.0
        after = run.assert_sound()
        assert all(job["status"] == "finished" for job in after.jobs.values())
    finally:
        run.platform.dismiss_workers()
        eater.stop()
