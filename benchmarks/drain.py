"""How fast the queue alone is: no-op jobs a second, and enqueueing, against a bare loop, stock Celery and Dramatiq.

Targets: at least 1.5 of stock Celery's best layout, at least 0.9 of Dramatiq.
"""

import os
import time
from pathlib import Path
from uuid import uuid4

import consumers
import redis
import report
from peers import tally
from setting import Setting, wait_for

CELERY = ("peers.stock_celery", "peer.noop")
CONSUMERS = [
    consumers.ours("ours: 2 workers, no SQL behind", "--include", "peers.noop_engine", weight=8),
    consumers.loop("(a) bare BRPOP loop, 2 processes", "peers.bare_loop", "bench:bare", weight=4),
    consumers.celery("(b) stock Celery, 2 solo, prefetch 64", *CELERY, "-P", "solo"),
    consumers.celery("(b) stock Celery, 2 x 4 threads, prefetch 64", *CELERY, "-P", "threads", "-c", "4"),
    consumers.dramatiq("(e) Dramatiq, 2 x 8 threads", "peers.stock_dramatiq", "noop"),
]


def _ids(count: int) -> list[str]:
    return [str(uuid4()) for _ in range(count)]


def drain(setting: Setting, client: redis.Redis, consumer: consumers.Consumer, jobs: int) -> tuple[float, float]:
    """(jobs a second, CPU milliseconds a job) of one consumer, started for this and stopped after it."""
    directory = consumers.empty(Path(os.environ[tally.DIRECTORY_VARIABLE]))

    def done() -> int:
        for process in processes:
            process.check()
        return sum(len(times) for times in tally.read(directory).values())

    processes = consumer.start(setting)
    try:
        warm_up = _ids(400)
        consumer.stage(client, warm_up)
        consumer.release(client)
        wait_for(lambda: done() >= len(warm_up), limit_s=60, what=f"{consumer.name}: the warm-up")
        time.sleep(1.0)
        consumer.stage(client, _ids(jobs))
        cpu_s, began = sum(process.cpu_s() for process in processes), time.monotonic()
        consumer.release(client)
        wait_for(lambda: done() >= len(warm_up) + jobs, limit_s=120, what=f"{consumer.name}: the drain", every_s=0.2)
        cpu_s = sum(process.cpu_s() for process in processes) - cpu_s
        return tally.window_rate(tally.read(directory), after=began), 1000 * cpu_s / jobs
    finally:
        setting.stop(processes)


def enqueue_rates(client: redis.Redis, jobs: int) -> dict[str, float]:
    """Jobs a second that one process puts on the queue, one at a time."""
    from peers.stock_celery import STAGED, app
    from peers.stock_celery import noop as celery_noop
    from peers.stock_dramatiq import noop as dramatiq_noop
    from peers.stock_dramatiq import staged

    from apps.jobs import mirror

    tenant_id, moment = uuid4(), report.utc_now()

    def row(job_id: str) -> dict[str, object]:
        return {
            "id": job_id,
            "tenant_id": tenant_id,
            "type": "test",
            "owner_sub": "bench",
            "status": "queued",
            "attempt": 0,
            "last_seq": 1,
            "lease_owner": None,
            "progress_percent": None,
            "priority": 0,
            "seq_id": 1,
            "event_type": "status",
            "event_json": {"job_id": job_id, "from": None, "to": "queued"},
            "created_at": moment,
        }

    ways = {
        "ours, as the API does it (state, ring, wake-up, id)": lambda job_id: mirror.enqueue(row(job_id)),
        "(a) bare LPUSH": lambda job_id: client.lpush("bench:bare", job_id),
        "(b) stock Celery apply_async": lambda job_id: celery_noop.apply_async((job_id,), queue=STAGED),
        "(e) Dramatiq send": lambda job_id: staged.enqueue(dramatiq_noop.message(job_id)),
    }
    assert app.conf.task_ignore_result
    rates = {}
    for name, put in ways.items():
        ids = _ids(jobs)
        put(ids[0])
        began = time.perf_counter()
        for job_id in ids[1:]:
            put(job_id)
        rates[name] = (jobs - 1) / (time.perf_counter() - began)
    client.flushdb()
    return rates


def main() -> None:
    options = report.arguments(__doc__, jobs=5000, rounds=3)
    with Setting() as setting:
        os.environ[tally.DIRECTORY_VARIABLE] = str(setting.home / "tally")
        client = redis.Redis.from_url(os.environ["REDIS_URL"])
        rates: dict[str, list[float]] = {consumer.name: [] for consumer in CONSUMERS}
        cpu_ms: dict[str, list[float]] = {consumer.name: [] for consumer in CONSUMERS}
        puts: dict[str, list[float]] = {}
        for number in range(1, options.rounds + 1):
            for consumer in CONSUMERS:
                rate, cpu = drain(setting, client, consumer, consumer.weight * options.jobs)
                rates[consumer.name].append(rate)
                cpu_ms[consumer.name].append(cpu)
                client.flushdb()
                report.say(f"round {number}: {consumer.name}: {rate:,.0f} jobs/s, {cpu:.2f} ms CPU a job")
            for name, rate in enqueue_rates(client, options.jobs).items():
                puts.setdefault(name, []).append(rate)
    show(rates, cpu_ms, puts)


def show(rates: dict[str, list[float]], cpu_ms: dict[str, list[float]], puts: dict[str, list[float]]) -> None:
    """The two tables and the two targets."""
    ours, bare, *peers = rates
    report.table(
        "No-op drain",
        ("consumer", "jobs/s", "ours / it", "it / bare loop", "CPU ms a job"),
        [
            (
                name,
                report.spread(values),
                f"{report.ratio(rates[ours], values):.2f}",
                f"{report.ratio(values, rates[bare]):.2f}",
                report.spread(cpu_ms[name], 2),
            )
            for name, values in rates.items()
        ],
    )
    celery = min(report.ratio(rates[ours], rates[name]) for name in peers if "Celery" in name)
    dramatiq = report.ratio(rates[ours], rates[peers[-1]])
    print("ours / stock Celery's best layout:", report.verdict(celery, 1.5))
    print("ours / Dramatiq:", report.verdict(dramatiq, 0.9))
    first = next(iter(puts))
    report.table(
        "Enqueueing, one process",
        ("way", "jobs/s", "ours / it"),
        [(name, report.spread(values), f"{report.ratio(puts[first], values):.2f}") for name, values in puts.items()],
    )


if __name__ == "__main__":
    main()
