"""Requests a second of POST /v1/jobs and GET /v1/jobs/{id} at 1, 32 and 100 clients, against the FastAPI twin.

No workers run. Target: POST on the production layout (granian WSGI) at least 0.8 of the twin. ``--layouts 1`` compares
granian's flags instead.
"""

import json
import os
import statistics
import subprocess
import sys

import redis
import report
import servers
from load import Plan, request, write_plan
from rows import Rows
from servers import Server
from setting import ROOT, Setting

CLIENTS = (1, 32, 100)
BODY = b'{"type":"test","payload":{}}'
READ_IDS = 500


class Bench:
    """One tenant, one token, tables emptied before each measurement."""

    def __init__(self, setting: Setting, seconds: float) -> None:
        self.setting, self.seconds = setting, seconds
        self.rows = Rows(setting.admin_url)
        self.redis = redis.Redis.from_url(os.environ["REDIS_URL"])
        self.tenant = setting.tenant()
        self.token = setting.token(self.tenant)

    def measure(self, server: Server, method: str, clients: int) -> dict[str, float]:
        """What one load did; RuntimeError when an answer was not the expected one."""
        self.rows.connection.execute("TRUNCATE jobs, job_events")
        self.redis.flushdb()
        if method == "POST":
            requests, expect = [request("POST", "/v1/jobs", port=server.port, token=self.token, body=BODY)], 202
        else:
            ids, expect = self.rows.queued(self.tenant, READ_IDS), 200
            requests = [request("GET", f"/v1/jobs/{job_id}", port=server.port, token=self.token) for job_id in ids]
        self.rows.settle()
        plan = Plan("127.0.0.1", server.port, requests, clients, self.seconds, expect)
        path = write_plan(self.setting.home / "plan.json", plan)
        cpu_s = server.process.cpu_s()
        command = [sys.executable, str(ROOT / "benchmarks" / "load.py"), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=self.seconds + 60)
        if done.returncode:
            raise RuntimeError(f"the load generator failed: {done.stderr[-2000:]}")
        result: dict[str, float] = json.loads(done.stdout)
        if result.pop("failures") or not result["answers"]:
            raise RuntimeError(f"{server.name}, {method}, {clients} clients: {done.stdout}")
        counted_share = self.seconds / (self.seconds + plan.lead_s)
        result["cpu_ms"] = 1000 * (server.process.cpu_s() - cpu_s) / result["answers"] * counted_share
        return result


def compare(bench: Bench, peers: list[Server], rounds: int, clients: tuple[int, ...], methods: tuple[str, ...]) -> dict:  # type: ignore[type-arg]
    """(method, clients, server) -> one result a round."""
    results: dict[tuple[str, int, str], list[dict[str, float]]] = {}
    for server in peers:  # warm: pools open, modules loaded
        bench.measure(server, methods[0], 8)
    for number in range(1, rounds + 1):
        for method in methods:
            for count in clients:
                for server in peers:
                    result = bench.measure(server, method, count)
                    results.setdefault((method, count, server.name), []).append(result)
                    report.say(
                        f"round {number}: {method}, {count} clients, {server.name}: {result['per_s']:,.0f}/s, "
                        f"p99 {result['p99_ms']:.1f} ms"
                    )
    return results


def show(results: dict, reference: str) -> None:  # type: ignore[type-arg]
    """One table a method."""
    for method in dict.fromkeys(key[0] for key in results):
        rows = []
        for (kind, clients, name), values in results.items():
            if kind != method:
                continue
            rates = [value["per_s"] for value in values]
            theirs = [value["per_s"] for value in results[method, clients, reference]]
            rows.append(
                (
                    clients,
                    name,
                    report.spread(rates),
                    f"{report.ratio(rates, theirs):.2f}",
                    f"{statistics.median(value['p50_ms'] for value in values):.1f}",
                    f"{statistics.median(value['p99_ms'] for value in values):.1f}",
                    f"{statistics.median(value['cpu_ms'] for value in values):.2f}",
                )
            )
        head = ("clients", "server", "requests/s", f"it / {reference}", "p50 ms", "p99 ms", "CPU ms a request")
        report.table(f"{method} /v1/jobs", head, rows)


def main() -> None:
    options = report.arguments(__doc__, seconds=3.0, rounds=3, layouts=0)
    with Setting() as setting:
        bench = Bench(setting, options.seconds)
        if options.layouts:
            peers = [servers.granian(setting, flags, name) for name, flags in servers.LAYOUTS.items()]
            show(compare(bench, peers, options.rounds, (1, 32, 100), ("POST",)), peers[0].name)
            return
        peers = [servers.granian(setting), servers.uvicorn(setting), servers.twin(setting)]
        results = compare(bench, peers, options.rounds, CLIENTS, ("POST", "GET"))
        show(results, peers[-1].name)
        for clients in CLIENTS:
            ours, theirs = (
                [value["per_s"] for value in results["POST", clients, peer.name]] for peer in (peers[0], peers[-1])
            )
            print(f"POST, {clients} clients, granian / twin:", report.verdict(report.ratio(ours, theirs), 0.8))


if __name__ == "__main__":
    main()
