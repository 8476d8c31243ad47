"""What each layer costs: CPU milliseconds and latency of POST /v1/jobs with the layers switched on in turn.

The API runs on granian with one worker and one thread; one client, so that latency is not queueing. The last line has
everything on, as it ships. Targets: all together at most 3 ms of CPU, and POST at least 0.6 of the bare FastAPI twin.
"""

import statistics

import report
import servers
from api import Bench
from servers import Server
from setting import Setting, free_port

# In the order in which a request meets them; the error handler and the output guard act on the way back.
LAYERS = (
    ("CORS", "Cors"),
    ("trace", "TraceContext"),
    ("auth", "BearerAuth"),
    ("rate limit", "RateLimit"),
    ("tenant", "TenantResolver"),
    ("input guard", "InputGuard"),
    ("output guard", "OutputGuard"),
    ("errors", "ErrorHandler"),
)
REST = ("SecurityMiddleware", "StaticFiles", "Measure", "OidcAudit")  # no layers of SPEC's, but they ship
ONE_THREAD = "--workers 1 --blocking-threads 1"


def with_layers(setting: Setting, bench: Bench, names: list[str], title: str) -> Server:
    """The API with these middleware classes only."""
    port = free_port()
    process = setting.spawn(
        *("granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"),
        *("--no-ws", *ONE_THREAD.split(), "config.wsgi:application"),
        name="layers",
        DJANGO_SETTINGS_MODULE="peers.layers_settings",
        BENCH_LAYERS=",".join(names),
        BENCH_TENANT=str(bench.tenant.id),
    )
    setting.wait_for_http(f"http://127.0.0.1:{port}/v1/health/live", process)
    return Server(title, port, process)


def main() -> None:
    options = report.arguments(__doc__, seconds=2.0, rounds=3)
    with Setting() as setting:
        bench = Bench(setting, options.seconds)
        stands = [("none", [])]
        for number in range(1, len(LAYERS) + 1):
            stands.append((f"+ {LAYERS[number - 1][0]}", [name for _, name in LAYERS[:number]]))
        stands.append(("+ what else ships", [name for _, name in LAYERS] + list(REST)))
        peers = [with_layers(setting, bench, names, title) for title, names in stands]
        whole = servers.granian(setting)
        twin = servers.twin(setting)
        cpu: dict[str, list[float]] = {}
        p50: dict[str, list[float]] = {}
        rates: dict[str, list[float]] = {}
        for peer in (*peers, whole, twin):
            bench.measure(peer, "POST", 2)  # warm
        for number in range(1, options.rounds + 1):
            for peer in peers:
                result = bench.measure(peer, "POST", 1)
                cpu.setdefault(peer.name, []).append(result["cpu_ms"])
                p50.setdefault(peer.name, []).append(result["p50_ms"])
            for peer in (whole, twin):
                rates.setdefault(peer.name, []).append(bench.measure(peer, "POST", 32)["per_s"])
            report.say(f"round {number} done")
        rows, before = [], (0.0, 0.0)
        for peer in peers:
            now = (statistics.median(cpu[peer.name]), statistics.median(p50[peer.name]))
            added = ("", "") if peer is peers[0] else (f"{now[0] - before[0]:+.2f}", f"{now[1] - before[1]:+.2f}")
            rows.append((peer.name, report.spread(cpu[peer.name], 2), added[0], f"{now[1]:.2f}", added[1]))
            before = now
        report.table(
            "POST /v1/jobs, one client, layers on in turn",
            ("layers", "CPU ms a request", "added", "p50 ms", "added ms"),
            rows,
        )
        eight = statistics.median(cpu[peers[len(LAYERS)].name]) - statistics.median(cpu[peers[0].name])
        print("All eight layers, CPU ms a request:", report.verdict(eight, 3.0, at_most=True))
        for name, values in rates.items():
            print(f"32 clients, {name}: {report.spread(values)}/s")
        print("All layers on / FastAPI twin:", report.verdict(report.ratio(*rates.values()), 0.6))


if __name__ == "__main__":
    main()
