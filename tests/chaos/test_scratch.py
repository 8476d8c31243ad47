
from tests.chaos import nemesis, verdict
from tests.clients import wait_for
def test_scratch_outages_count_as_crashes(run):
    run.submit_many(4, "test", {"duration_ms": 14000})
    run.wait_running(4)
    deaths = [len(n.deaths) for n in run.platform.workers]
    for _ in range(3):
        wait_for(lambda: run.running_ids(), limit_s=20, what="running")
        run.platform.kill_postgres(); nemesis.pause(4.5); run.platform.start_postgres()
        nemesis.pause(3)
    wait_for(run.is_at_rest, limit_s=60, what="rest")
    s = verdict.snapshot(run.platform, run.tenant.id)
    print("OUT", [(j["status"], j["reason"], j["crashes"], j["attempt"]) for j in s.jobs.values()], [len(n.deaths) for n in run.platform.workers], deaths)
def test_scratch_long_pg_outage(run):
    import time
    nemesis.steady_load(run, per_s=10)
    nemesis.pause(2)
    run.platform.kill_postgres(); nemesis.pause(25); run.platform.start_postgres()
    t=time.monotonic(); assert run.caller().submit("test", {}, limit_s=40); print("OUT back after", time.monotonic()-t)
    since=time.time()
    wait_for(lambda: run.ended_since(since), limit_s=40, what="ending"); print("OUT job ended after", time.monotonic()-t)
    run.assert_sound()
    slow=[r for r in run.history.of("answer") if r.get("took_s") and r["took_s"]>1.5]
    print("OUT slow", len(slow), [ (r["of"], r["status"], r["took_s"]) for r in slow[:8]])
