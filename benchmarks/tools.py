"""What a call of a tool costs: the pipeline's own share, and tools/list and tools/call over MCP at 1 and 32 clients,
beside a bare server of the same SDK with the same tools.

Two tools are called: one that says the time, where nothing but the frame is measured, and one that asks the graph. The
bare server asks the same server the same Cypher by the plain driver, and gives the rows as they come.

Each client is a caller of its own. Targets: the pipeline adds less than 3 ms to a call, its row and its audit line
written; over MCP p50 and p99 at most 1.5 of the bare server's, which knows no caller, no limit and no store.
"""

import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import report
from load import Plan, write_plan
from servers import Server
from setting import ROOT, Setting, free_port

CLIENTS = (1, 32)
NOW, BEFORE = "2026-07-28", "2025-11-25"
TIME, CACHE, QUERY = "system.time", "cache.set", "graph.query"
CYPHER = "MATCH (u:User)-[:RUNS]->(t:Task) RETURN u.user_name AS name, count(t) AS tasks ORDER BY tasks DESC LIMIT 5"
GIVEN: dict[str, dict[str, Any]] = {TIME: {}, CACHE: {"key": "bench", "value": "x"}, QUERY: {"cypher": CYPHER}}
LIST = "tools/list"
ASKED = (LIST, TIME, QUERY)  # over MCP: the list, or a call of the tool
PIPELINE_MS, OF_BARE = 3.0, 1.5


def message(port: int, token: str, asked: str, version: str) -> str:
    """One request of what is ASKED."""
    method = LIST if asked == LIST else "tools/call"
    params: dict[str, Any] = {} if asked == LIST else {"name": asked, "arguments": GIVEN[asked]}
    names = [f"Mcp-Protocol-Version: {version}", "Accept: application/json, text/event-stream"]
    if version == NOW:
        params["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        names += [f"Mcp-Method: {method}", *([f"Mcp-Name: {asked}"] if asked != LIST else [])]
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    head = [
        "POST /mcp HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Authorization: Bearer {token}",
        "Content-Type: application/json", f"Content-Length: {len(body)}", *names,
    ]  # fmt: skip
    return "\r\n".join(head) + "\r\n\r\n" + body


class Bench:
    """Thirty-two callers of one tenant, and the two servers."""

    def __init__(self, setting: Setting, seconds: float) -> None:
        from apps.graph.seeding.generator import DEFAULT_SEED
        from apps.graph.seeding.sowing import sow

        self.setting, self.seconds = setting, seconds
        self.tenant = setting.tenant()
        sow(self.tenant.id, users=40, seed=DEFAULT_SEED)
        self.tokens = [setting.token(self.tenant, sub=f"caller-{number}") for number in range(max(CLIENTS))]

    def ours(self) -> Server:
        port = free_port()
        process = self.setting.spawn("python", "-m", "config.serve", "--port", str(port), name="uvicorn")
        self.setting.wait_for_http(f"http://127.0.0.1:{port}/v1/health/live", process)
        return Server("ours", port, process)

    def bare(self) -> Server:
        from apps.mcp.listing import described
        from apps.tools.registry import callable_by
        from tests.factories import make_principal

        listed = [described(tool.spec, underscores=False) for tool in callable_by(make_principal(self.tenant))]
        path = self.setting.home / "tools.json"
        path.write_text(json.dumps(listed))
        port = free_port()
        process = self.setting.spawn(
            *("uvicorn", "peers.bare_mcp:app", "--loop", "uvloop", "--http", "httptools", "--no-access-log"),
            *("--log-level", "warning", "--port", str(port)),
            name="bare", BENCH_TOOLS=str(path),
        )  # fmt: skip
        self.setting.wait_for_http(f"http://127.0.0.1:{port}/live", process)
        return Server(f"bare SDK, {len(listed)} tools", port, process)

    def measure(
        self, server: Server, asked: str, version: str, clients: int, seconds: float | None = None
    ) -> dict[str, float]:
        """What one load did; RuntimeError when an answer was not the expected one."""
        seconds = seconds or self.seconds
        requests = [message(server.port, token, asked, version) for token in self.tokens]
        plan = Plan("127.0.0.1", server.port, requests, clients, seconds, 200)
        path = write_plan(self.setting.home / "plan.json", plan)
        cpu_s = server.process.cpu_s()
        command = [sys.executable, str(ROOT / "benchmarks" / "load.py"), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 60)
        if done.returncode:
            raise RuntimeError(f"the load generator failed: {done.stderr[-2000:]}")
        result: dict[str, float] = json.loads(done.stdout)
        if result.pop("failures") or not result["answers"]:
            raise RuntimeError(f"{server.name}, {asked}, {clients} clients: {done.stdout}")
        counted_share = seconds / (seconds + plan.lead_s)
        result["cpu_ms"] = 1000 * (server.process.cpu_s() - cpu_s) / result["answers"] * counted_share
        return result


def pipeline(bench: Bench, calls: int) -> None:
    """The pipeline in this process, beside the tool's function alone."""
    from apps.tools import pipeline, registry
    from apps.tools.calls import Call
    from apps.tools.context import ToolContext
    from tests.factories import make_principal

    principal = make_principal(bench.tenant)

    def piped(name: str, arguments: dict[str, Any]) -> Callable[[int], object]:
        def call(number: int) -> object:
            outcome = pipeline.invoke(Call(principal, name, arguments, "mcp"))
            if not outcome.ok:
                raise RuntimeError(str(outcome.error))
            return outcome

        return call

    def alone(name: str, arguments: dict[str, Any]) -> Callable[[int], object]:
        spec = registry.spec_of(name)
        given = spec.input_model.model_validate(arguments)

        def call(number: int) -> object:
            deadline = time.monotonic() + 30
            return spec.function(ToolContext(principal, "mcp", deadline, bench.tenant.id, f"k{number}"), given)

        return call

    rows = []
    for name, arguments in GIVEN.items():
        took = {}
        for what, call in (("function", alone(name, arguments)), ("pipeline", piped(name, arguments))):
            for number in range(50):
                call(number)
            took[what] = []
            for number in range(calls):
                began = time.perf_counter()
                call(number)
                took[what].append(1000 * (time.perf_counter() - began))
        added = statistics.median(took["pipeline"]) - statistics.median(took["function"])
        rows.append(
            (
                f"{name} ({registry.spec_of(name).effect})",
                f"{statistics.median(took['function']):.2f}",
                f"{statistics.median(took['pipeline']):.2f}",
                f"{report.percentile(took['pipeline'], 0.99):.2f}",
                report.verdict(added, PIPELINE_MS, at_most=True),
            )
        )
    head = ("tool", "function p50 ms", "pipeline p50 ms", "p99 ms", "added ms")
    report.table(f"The pipeline, {calls} calls in a row, stored and audited", head, rows)


def over_mcp(bench: Bench, rounds: int) -> None:
    """Both servers in turn, round by round."""
    ours, bare = bench.ours(), bench.bare()
    kinds = [(asked, version) for version in (NOW, BEFORE) for asked in ASKED]
    results: dict[tuple[str, str, int, str], list[dict[str, float]]] = {}
    for server in (ours, bare):
        for asked, version in kinds:
            bench.measure(server, asked, version, 2, seconds=3)  # warm: schemas made, pools open
    for number in range(1, rounds + 1):
        for asked, version in kinds:
            for clients in CLIENTS:
                for server in (ours, bare):
                    result = bench.measure(server, asked, version, clients)
                    results.setdefault((asked, version, clients, server.name), []).append(result)
        report.say(f"round {number} done")
    check_store(bench)
    rows, verdicts = [], []
    for asked, version in kinds:
        for clients in CLIENTS:
            mine, theirs = (results[asked, version, clients, server.name] for server in (ours, bare))
            for server, values in ((ours, mine), (bare, theirs)):
                rows.append(
                    (
                        asked, version, clients, server.name,
                        *(report.spread([value[name] for value in values], 2) for name in ("p50_ms", "p99_ms")),
                        report.spread([value["cpu_ms"] for value in values], 2),
                        report.spread([value["per_s"] for value in values]),
                    )
                )  # fmt: skip
            for name in ("p50_ms", "p99_ms"):
                found = report.ratio([value[name] for value in mine], [value[name] for value in theirs])
                what = f"{asked} {version}, {clients} clients, {name[:3]}"
                verdicts.append(f"{what}: ours / bare {report.verdict(found, OF_BARE, at_most=True)}")
    head = ("asked", "revision", "clients", "server", "p50 ms", "p99 ms", "CPU ms", "a second")
    report.table("Over MCP", head, rows)
    print("\n".join(verdicts))


def check_store(bench: Bench) -> None:
    """RuntimeError unless every call that was answered was carried out. Whoever hangs up when a load ends cancels."""
    from apps.tools.models import ToolInvocation
    from kernel.tenant_context import tenant_scope

    with tenant_scope(bench.tenant.id):
        ended_otherwise = ToolInvocation.objects.exclude(status__in=("succeeded", "cancelled"))
        failed = dict(Counter(ended_otherwise.values_list("error__code", flat=True)))
        stored = {name: ToolInvocation.objects.filter(door="mcp", tool=name).count() for name in (TIME, QUERY)}
    if failed or not all(stored.values()):
        raise RuntimeError(f"calls failed: {failed}; stored: {stored}")
    report.say(f"{stored} calls stored, none failed")


def main() -> None:
    options = report.arguments(__doc__, seconds=2.0, rounds=3, calls=500)
    with Setting(AGENTIC_RATE_LIMIT_FACTOR="10000") as setting:
        bench = Bench(setting, options.seconds)
        pipeline(bench, options.calls)
        over_mcp(bench, options.rounds)


if __name__ == "__main__":
    main()
