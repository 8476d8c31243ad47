"""How fast jobs of type test end with all they leave behind: rows, events, Redis mirror; against peers doing the same.

Each peer runs the product's own claim and finish statements and mirror writes, one job a commit. Targets: at least 1.2
of stock Celery with the same SQL (its best layout), at least 0.6 of a plain loop with the same SQL.
"""

import os

import consumers
import redis
import report
from rows import Rows
from setting import Setting, wait_for

CELERY = ("peers.sql_celery", "peer.sql")
CONSUMERS = [
    consumers.ours("ours: 2 workers"),
    consumers.loop("(c) plain loop, same SQL, 2 processes", "peers.sql_loop", "bench:sql"),
    consumers.celery("(d) stock Celery, same SQL, 2 solo", *CELERY, "-P", "solo"),
    consumers.celery("(d) stock Celery, same SQL, 2 x 4 threads", *CELERY, "-P", "threads", "-c", "4"),
    consumers.celery("(d) stock Celery, same SQL, prefork of 2", *CELERY, "-P", "prefork", "-c", "2", processes=1),
    consumers.dramatiq("(e) Dramatiq, same SQL, 2 x 8 threads", "peers.sql_dramatiq", "run"),
]
WARM_UP_JOBS = 200


def drain(
    setting: Setting, client: redis.Redis, rows: Rows, consumer: consumers.Consumer, jobs: int
) -> tuple[float, float, float]:
    """(jobs a second, CPU milliseconds a job of the consumer, of PostgreSQL and Valkey)."""
    tenant = setting.tenant()

    def run(count: int, limit_s: float) -> list:  # type: ignore[type-arg]
        def ended() -> bool:
            for process in processes:
                process.check()
            return rows.unfinished() == 0

        ids = rows.queued(tenant, count)
        consumer.stage(client, [str(job_id) for job_id in ids])
        consumer.release(client)
        wait_for(ended, limit_s=limit_s, what=f"{consumer.name}: {count} jobs", every_s=0.1)
        return ids

    processes = consumer.start(setting)
    try:
        run(WARM_UP_JOBS, limit_s=90)
        rows.settle()
        cpu_s, servers_s = sum(process.cpu_s() for process in processes), sum(setting.server_cpu_s().values())
        ids = run(jobs, limit_s=300)
        cpu_s = sum(process.cpu_s() for process in processes) - cpu_s
        servers_s = sum(setting.server_cpu_s().values()) - servers_s
        rate = rows.drain_rate(ids)
    finally:
        setting.stop(processes)
        rows.connection.execute("TRUNCATE jobs, job_events")
        client.flushdb()
    return rate, 1000 * cpu_s / jobs, 1000 * servers_s / jobs


def main() -> None:
    options = report.arguments(__doc__, jobs=3000, rounds=3)
    with Setting() as setting:
        os.environ["BENCH_TALLY_DIR"] = str(setting.home)
        client = redis.Redis.from_url(os.environ["REDIS_URL"])
        rows = Rows(setting.admin_url)
        figures: dict[str, list[tuple[float, float, float]]] = {consumer.name: [] for consumer in CONSUMERS}
        for number in range(1, options.rounds + 1):
            for consumer in CONSUMERS:
                figure = drain(setting, client, rows, consumer, options.jobs)
                figures[consumer.name].append(figure)
                report.say(
                    f"round {number}: {consumer.name}: {figure[0]:,.0f} jobs/s, "
                    f"{figure[1]:.2f} + {figure[2]:.2f} ms CPU a job"
                )
    show({name: [list(column) for column in zip(*values, strict=True)] for name, values in figures.items()})


def show(figures: dict[str, list[list[float]]]) -> None:
    """The table and the targets."""
    ours = next(iter(figures))
    ratios = {name: report.ratio(figures[ours][0], columns[0]) for name, columns in figures.items()}
    report.table(
        "Drain with full persistence",
        ("consumer", "jobs/s", "ours / it", "CPU ms a job: consumer", "PostgreSQL + Valkey"),
        [
            (
                name,
                report.spread(columns[0]),
                f"{ratios[name]:.2f}",
                report.spread(columns[1], 2),
                report.spread(columns[2], 2),
            )
            for name, columns in figures.items()
        ],
    )
    celery = min(value for name, value in ratios.items() if name.startswith("(d)"))
    loop = min(value for name, value in ratios.items() if name.startswith("(c)"))
    print("ours / stock Celery with the same SQL, its best layout:", report.verdict(celery, 1.2))
    print("ours / plain loop with the same SQL:", report.verdict(loop, 0.6))


if __name__ == "__main__":
    main()
