"""What an idle event stream costs: memory of the server process per client, and the time one event takes to reach all.

Twice, each on a fresh `python -m config.serve`: all clients on one job, and every client on a job of its own. Kernel
socket buffers are not part of the figure. Target: at most 60 kB a client.
"""

import asyncio
import resource
import time
from uuid import UUID

import report
import servers
import uvloop
from rows import Rows
from servers import Server
from setting import Setting, rss_kb
from sse import IdleClient, request

TARGET_KB = 60.0
WARM_UP_CLIENTS = 50
CONNECTING = 64  # at once
HEARTBEAT_S = 15.0


def emit(ids: list[UUID]) -> float:
    """One event for each job (a claim, by nobody); returns the moment its wake-ups had been sent."""
    from apps.jobs import ledger, mirror
    from kernel import engine_db

    with engine_db.connect("bench emit") as connection:
        rows = ledger.claim(connection, ids, worker="bench", lease_s=3600.0)
    for begin in range(0, len(rows), 64):  # a worker's ledger commits at most so many together
        mirror.publish(rows[begin : begin + 64])
    return max(row["created_at"].timestamp() for row in rows)


async def connect(server: Server, token: str, ids: list[UUID], count: int) -> list[IdleClient]:
    """``count`` streams over ``ids``, all past their first event."""
    loop, gate = asyncio.get_running_loop(), asyncio.Semaphore(CONNECTING)

    async def one(number: int) -> IdleClient:
        path = f"/v1/jobs/{ids[number % len(ids)]}/events"
        client = IdleClient(request(path, port=server.port, token=token))
        async with gate:
            await loop.create_connection(lambda: client, "127.0.0.1", server.port)
            deadline = time.monotonic() + 60
            while not client.last_id:
                if client.refused or client.closed or time.monotonic() > deadline:
                    raise RuntimeError(f"a client was not served: {client.refused!r}")
                await asyncio.sleep(0.005)
        return client

    return list(await asyncio.gather(*(one(number) for number in range(count))))


async def measure(server: Server, token: str, ids: list[UUID], count: int, hold_s: float) -> dict[str, float]:
    """kB a client, seconds to connect, milliseconds until the first, the median and the last client had an event."""
    pids = server.process.pids
    for client in await connect(server, token, ids, WARM_UP_CLIENTS):
        client.transport.close()
    await asyncio.sleep(1.5)
    before_kb, began = rss_kb(pids), time.monotonic()
    clients = await connect(server, token, ids, count)
    connected_s = time.monotonic() - began
    await asyncio.sleep(hold_s)
    held_kb, cpu_s = rss_kb(pids), server.process.cpu_s()
    await asyncio.sleep(2.0)
    idle_cpu_share = (server.process.cpu_s() - cpu_s) / 2.0
    seen = clients[0].last_id
    emitted_s = await asyncio.to_thread(emit, ids)
    deadline = time.monotonic() + 60
    while any(client.last_id == seen for client in clients) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    arrivals_ms = sorted(1000 * (client.last_at_s - emitted_s) for client in clients if client.last_id > seen)
    dropped = sum(client.closed for client in clients)
    for client in clients:
        client.transport.close()
    if len(arrivals_ms) < count or dropped:
        raise RuntimeError(f"{count - len(arrivals_ms)} clients had no event, {dropped} were dropped")
    return {
        "kb": (held_kb - before_kb) / count,
        "before_mb": before_kb / 1024,
        "held_mb": held_kb / 1024,
        "connected_s": connected_s,
        "idle_cpu_percent": 100 * idle_cpu_share,
        "first_ms": arrivals_ms[0],
        "median_ms": arrivals_ms[len(arrivals_ms) // 2],
        "last_ms": arrivals_ms[-1],
    }


def main() -> None:
    options = report.arguments(__doc__, clients=1000, hold_s=HEARTBEAT_S + 2)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    if limit != resource.RLIM_INFINITY and limit < options.clients + 200:
        raise SystemExit(f"{options.clients} clients need more than {limit} open files (ulimit -Hn).")
    results = {}
    with Setting(AGENTIC_STREAMS_PER_PRINCIPAL=str(options.clients + WARM_UP_CLIENTS)) as setting:
        rows = Rows(setting.admin_url)
        for name, jobs in (("all on one job", 1), ("each on its own job", options.clients)):
            tenant = setting.tenant()
            ids, token = rows.queued(tenant, jobs), setting.token(tenant)
            rows.settle()
            server = servers.uvicorn(setting)
            results[name] = uvloop.run(measure(server, token, ids, options.clients, options.hold_s))
            setting.stop([server.process])
            report.say(f"{name}: {results[name]['kb']:.1f} kB a client")
    report.table(
        f"{options.clients:,} idle SSE clients on one process",
        ("clients", "kB each", "RSS MB before -> with", "connect s", "idle CPU %", "event: first/median/last ms"),
        [
            (
                name,
                f"{r['kb']:.1f}",
                f"{r['before_mb']:.0f} -> {r['held_mb']:.0f}",
                f"{r['connected_s']:.1f}",
                f"{r['idle_cpu_percent']:.1f}",
                f"{r['first_ms']:.0f} / {r['median_ms']:.0f} / {r['last_ms']:.0f}",
            )
            for name, r in results.items()
        ],
    )
    print("kB a client:", report.verdict(max(r["kb"] for r in results.values()), TARGET_KB, at_most=True))


if __name__ == "__main__":
    main()
