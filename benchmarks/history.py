"""What a job costs with 1,000, 100,000 and 1,000,000 ended jobs of the same owner in the tables. It should not matter.

For each size: draining 1,000 jobs with two workers, and POST, GET and list requests of one client, on the production
layout. Flatness is a cost at the largest size over the same cost at the smallest; 1 is flat.
"""

import http.client
import os
import statistics
import time

import redis
import report
import servers
from rows import Rows
from servers import Server
from setting import Setting, wait_for

BODY = b'{"type":"test","payload":{}}'
SIZES = (1_000, 100_000, 1_000_000)
QUEUE = "jobs:queue:test"


def request_ms(server: Server, token: str, method: str, paths: list[str], body: bytes | None = None) -> float:
    """Milliseconds of these requests on one connection: the lowest of five stretches' medians, so that a moment's
    noise does not pass for a cost of history."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    taken_ms = []
    for path in paths:
        began = time.perf_counter()
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        taken_ms.append(1000 * (time.perf_counter() - began))
        if answer.status not in (200, 202):
            raise RuntimeError(f"{method} {path}: {answer.status}")
    connection.close()
    stretch = max(1, len(taken_ms) // 5)
    return min(statistics.median(taken_ms[begin : begin + stretch]) for begin in range(0, 5 * stretch, stretch))


def drain_ms(setting: Setting, rows: Rows, client: redis.Redis, tenant, jobs: int, rounds: int) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """Milliseconds a job (the best of some rounds), and CPU milliseconds a job of workers and servers."""
    workers = setting.workers(2)
    best_ms, best_cpu_ms = float("inf"), float("inf")
    try:
        for number in range(rounds + 1):
            cpu_s = sum(worker.cpu_s() for worker in workers) + sum(setting.server_cpu_s().values())
            ids = rows.queued(tenant, jobs if number else 100)
            client.lpush(QUEUE, *map(str, ids))
            wait_for(lambda: rows.unfinished() == 0, limit_s=120, what=f"{len(ids)} jobs", every_s=0.1)
            cpu_s = sum(worker.cpu_s() for worker in workers) + sum(setting.server_cpu_s().values()) - cpu_s
            if number:
                best_ms = min(best_ms, 1000 / rows.drain_rate(ids))
                best_cpu_ms = min(best_cpu_ms, 1000 * cpu_s / jobs)
    finally:
        setting.stop(workers)
    return best_ms, best_cpu_ms


def main() -> None:
    options = report.arguments(__doc__, largest=SIZES[-1], jobs=1000, requests=200, rounds=3)
    sizes = [size for size in SIZES if size < options.largest] + [options.largest]
    costs: dict[str, list[float]] = {}
    with Setting() as setting:
        rows, client = Rows(setting.admin_url), redis.Redis.from_url(os.environ["REDIS_URL"])
        tenant = setting.tenant()
        token = setting.token(tenant)
        server = servers.granian(setting)
        present = 0
        for size in sizes:
            rows.history(tenant, size - present)
            present = size
            report.say(f"{size:,} ended jobs in the table")
            some = [f"/v1/jobs/{job_id}" for job_id in rows.some_ended(options.requests)]
            page, count = ["/v1/jobs?limit=25"] * options.requests, options.requests
            drain, cpu = drain_ms(setting, rows, client, tenant, options.jobs, options.rounds)
            found = {
                "drain, ms a job": drain,
                "drain, CPU ms a job": cpu,
                "POST /v1/jobs, ms": request_ms(server, token, "POST", ["/v1/jobs"] * count, BODY),
                "GET /v1/jobs/{id}, ms": request_ms(server, token, "GET", some),
                "GET /v1/jobs, ms": request_ms(server, token, "GET", page),
                "GET /v1/jobs?status=failed, ms": request_ms(server, token, "GET", ["/v1/jobs?status=failed"] * count),
                "GET /v1/jobs/stats, ms": request_ms(server, token, "GET", ["/v1/jobs/stats"] * (count // 4)),
            }
            for name, value in found.items():
                costs.setdefault(name, []).append(value)
            rows.connection.execute("DELETE FROM jobs WHERE status <> 'finished'")
            client.flushdb()
    report.table(
        "Cost by rows of history",
        ("what", *(f"{size:,} rows" for size in sizes), "flatness"),
        [
            (name, *(f"{value:.2f}" for value in values), f"{values[-1] / values[0]:.2f}")
            for name, values in costs.items()
        ],
    )
    for name in ("drain, CPU ms a job", "POST /v1/jobs, ms", "GET /v1/jobs/{id}, ms"):
        print(f"{name}, flatness:", report.verdict(costs[name][-1] / costs[name][0], 1.3, at_most=True))


if __name__ == "__main__":
    main()
