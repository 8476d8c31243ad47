import time
from tests.clients import wait_for
from tests.chaos import nemesis
def test_scratch(run):
    for i in range(4):
        for n in run.platform.workers: print(n.name, n.log_since(n.log_began_at).count("rehinted"), n.deaths)
        run.submit_many(32, "test", {"chaos": "nap", "duration_ms": 1000})
        wait_for(run.is_at_rest, limit_s=20, what="x")
        st = run.starts()
        by = {}
        for s in st.values():
            by[s[0][1]] = by.get(s[0][1],0)+1
        print(i, by)
        for n in run.platform.workers: print(n.name, n.log_since(n.log_began_at).count("rehinted"))
        if i == 1:
            run.platform.workers[0].kill()
            nemesis.pause(1)
            wait_for(lambda: run.platform.workers[0].is_running(), limit_s=5, what="y")
            run.platform.wait_ready(*run.platform.workers)
    print(run.platform.query("select queue_latency_ms, lease_owner from jobs order by created_at"))
