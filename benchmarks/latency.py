"""How soon an idle platform reacts: from POST to the job's start, and from an event's commit to its client.

One job after another, on one stream server and two workers as `make run` starts them. Event times are the database's
and arrival times this machine's, which are the same clock here. Targets: both p99 under 50 ms.
"""

import http.client
import json
import time
from uuid import UUID

import report
import servers
from rows import Rows
from setting import Setting, wait_for
from sse import Stream

TARGET_MS = 50.0
WARM_UP_JOBS = 15
TIMES = "SELECT extract(epoch FROM created_at)::float, extract(epoch FROM started_at)::float FROM jobs WHERE id = %s"
ALIVE = "SELECT count(*) FROM worker_heartbeats"
EVENT_TIMES = "SELECT seq_id, extract(epoch FROM created_at)::float FROM job_events WHERE job_id = %s"


class Samples:
    """Milliseconds of every job, by what was measured."""

    def __init__(self) -> None:
        self.values_ms: dict[str, list[float]] = {}

    def add(self, name: str, value_s: float) -> None:
        self.values_ms.setdefault(name, []).append(1000 * value_s)

    def rows(self) -> list[tuple[str, int, str, str, str]]:
        return [
            (
                name,
                len(values),
                f"{report.percentile(values, 0.5):.1f}",
                f"{report.percentile(values, 0.99):.1f}",
                f"{max(values):.1f}",
            )
            for name, values in self.values_ms.items()
        ]


def one_job(port: int, token: str, rows: Rows, samples: Samples, duration_ms: int) -> None:
    """Post a demo job, follow its stream to the end, look up when things really happened."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    body = json.dumps({"type": "demo", "payload": {"duration_ms": duration_ms}})
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    began_s = time.time()
    connection.request("POST", "/v1/jobs", body, headers)
    answer = connection.getresponse()
    accepted = json.loads(answer.read())
    answered_s = time.time()
    connection.close()
    if answer.status != 202:
        raise RuntimeError(f"{answer.status}: {accepted}")
    job_id = UUID(accepted["id"])
    stream = Stream()
    stream.follow(port, f"/v1/jobs/{job_id}/events", token)
    row = rows.connection.execute(TIMES, [job_id]).fetchone()
    assert row is not None
    created_s, started_s = row
    samples.add("POST: request to answer", answered_s - began_s)
    samples.add("start: row created to handler claimed", started_s - created_s)
    samples.add("start: POST answered to handler claimed (0 if before)", max(0.0, started_s - answered_s))
    for seq, happened_s in rows.connection.execute(EVENT_TIMES, [job_id]).fetchall():
        if happened_s > stream.opened_at_s:  # the others were history when the stream began
            samples.add("event: written to received by its client", stream.arrivals_s[seq] - happened_s)


def check(samples: Samples, name: str) -> None:
    values = next(values for key, values in samples.values_ms.items() if key.startswith(name))
    print(f"{name} p99, ms:", report.verdict(report.percentile(values, 0.99), TARGET_MS, at_most=True))


def main() -> None:
    options = report.arguments(__doc__, jobs=200, duration_ms=150, pause_ms=50)
    with Setting() as setting:
        rows = Rows(setting.admin_url)
        token = setting.token(setting.tenant())
        server = servers.uvicorn(setting)
        setting.workers(2)
        wait_for(lambda: rows.scalar(ALIVE) == 2, limit_s=60, what="both workers' first heartbeat")
        samples = Samples()
        for number in range(WARM_UP_JOBS + options.jobs):
            if number == WARM_UP_JOBS:
                samples = Samples()
                report.say(f"warm; {options.jobs} jobs, one after another")
            one_job(server.port, token, rows, samples, options.duration_ms)
            time.sleep(options.pause_ms / 1000)
        report.table("Latency, idle machine, ms", ("what", "n", "p50", "p99", "max"), samples.rows())
        check(samples, "start: row created")
        check(samples, "event")


if __name__ == "__main__":
    main()
