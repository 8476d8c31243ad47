"""What does an audit row cost? A transaction with and without `record`, the time of a `note`, and proving a chain.

python benchmarks/audit.py [--transactions 2000] [--rounds 5] [--rows 100000] [--writers 4]
"""

import statistics
import threading
import time
from typing import Any
from uuid import UUID, uuid4

from report import arguments, percentile, ratio, say, spread, table, verdict
from setting import Setting

DETAILS = {"changes": {"settings.rate_limits.user_per_minute": [60, 120], "settings.pii_mode": ["mask", "hash"]}}
CHUNK = 20


def transactions(tenant_id: UUID, count: int, *, audited: bool) -> list[float]:
    """Milliseconds of each of ``count`` transactions that write one small row of the tenant."""
    from django.db import connections

    from apps.audit import trail
    from kernel.tenant_context import tenant_scope

    took = []
    sql = (
        "INSERT INTO idempotency_keys (tenant_id, owner_sub, method, route, key, request_hash, resource_id, "
        "response_body, expires_at) VALUES (%s, 'bench', 'POST', '/', %s, '', %s, '', now())"
    )
    for _ in range(count):
        began = time.perf_counter()
        with tenant_scope(tenant_id):
            with connections["default"].cursor() as cursor:
                cursor.execute(sql, [tenant_id, uuid4().hex, uuid4()])
            if audited:
                trail.record(
                    tenant_id=tenant_id, actor="bench", action="tenant.updated", resource_type="tenant",
                    resource_id=str(tenant_id), details=DETAILS,
                )  # fmt: skip
        took.append((time.perf_counter() - began) * 1000)
    return took


def cpu_s(setting: Setting) -> float:
    """CPU seconds of this thread and of PostgreSQL."""
    return time.thread_time() + setting.server_cpu_s()["postgres"]


def notes(tenant_id: UUID, count: int) -> list[float]:
    """Microseconds of each of ``count`` notes."""
    from apps.audit import trail

    took = []
    for _ in range(count):
        began = time.perf_counter()
        trail.note(tenant_id=tenant_id, actor="bench", action="access.refused", details={"route": "/v1/jobs"})
        took.append((time.perf_counter() - began) * 1e6)
    return took


def together(tenant_ids: list[UUID], count: int) -> float:
    """Audited transactions a second of as many threads as there are chains named, which may be the same one."""
    from django.db import connections

    def run(tenant_id: UUID) -> None:
        try:
            transactions(tenant_id, count, audited=True)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(tenant_id,)) for tenant_id in tenant_ids]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(tenant_ids) * count / (time.perf_counter() - began)


def fill(admin_url: str, tenant_id: UUID, rows: int) -> None:
    """A long chain, by the trigger. In batches: within one transaction each row finds the head more slowly."""
    import psycopg

    batch = 500
    with psycopg.connect(admin_url, autocommit=True) as superuser:
        for done in range(0, rows, batch):
            superuser.execute(
                "INSERT INTO audit_logs (tenant_id, actor, action, outcome, details, correlation_id) "
                "SELECT %s, 'bench', 'access.refused', 'denied', jsonb_build_object('route', '/v1/jobs', 'n', n), "
                "md5(n::text) FROM generate_series(1, %s) AS n",
                [tenant_id, min(batch, rows - done)],
            )
        superuser.execute("VACUUM ANALYZE audit_logs")


def measure(setting: Setting, options: Any) -> None:
    from apps.audit.verification import verify_chain
    from apps.audit.writer import writer

    tenant_id = setting.tenant().id
    transactions(tenant_id, 200, audited=True)
    transactions(tenant_id, 200, audited=False)
    plain: list[list[float]] = []
    audited: list[list[float]] = []
    cpu = [0.0, 0.0]
    for round_number in range(1, options.rounds + 1):
        plain.append([])
        audited.append([])
        for _ in range(options.transactions // CHUNK):  # in turn, so that a busy machine is busy for both
            for number, (took, is_audited) in enumerate(((plain, False), (audited, True))):
                before = cpu_s(setting)
                took[-1] += transactions(tenant_id, CHUNK, audited=is_audited)
                cpu[number] += (cpu_s(setting) - before) * 1000
        say(f"round {round_number}")
    medians = [[statistics.median(took) for took in rounds] for rounds in (plain, audited)]
    added = [after - before for before, after in zip(*medians, strict=True)]
    table(
        "One transaction, ms",
        ["transaction", "p50", "p99"],
        [
            [
                name,
                spread([percentile(took, 0.5) for took in rounds], 3),
                spread([percentile(took, 0.99) for took in rounds], 3),
            ]
            for name, rounds in (("without", plain), ("with record()", audited))
        ],
    )
    print(f"added: {spread(added, 3)} ms; {verdict(statistics.median(added), 1.0, at_most=True)}")
    count = options.rounds * options.transactions
    print(f"CPU (ours and PostgreSQL's) without {cpu[0] / count:.3f} ms, with {cpu[1] / count:.3f} ms a transaction")
    print(f"ratio: {ratio(medians[1], medians[0]):.2f}")

    taken = notes(tenant_id, 5000)
    began = time.perf_counter()
    assert writer.flush(30)
    table(
        "note()",
        ["p50, us", "p99, us", "5,000 notes committed after, s"],
        [[f"{percentile(taken, 0.5):.1f}", f"{percentile(taken, 0.99):.1f}", f"{time.perf_counter() - began:.2f}"]],
    )

    one = together([tenant_id] * options.writers, options.transactions // 2)
    many = together([setting.tenant().id for _ in range(options.writers)], options.transactions // 2)
    table(
        f"Audited transactions a second, {options.writers} threads",
        ["one chain", "a chain each"],
        [[f"{one:,.0f}", f"{many:,.0f}"]],
    )

    chain_id = uuid4()
    fill(setting.admin_url, chain_id, options.rows)
    began = time.perf_counter()
    report = verify_chain(chain_id)
    took_s = time.perf_counter() - began
    assert report.ok and report.checked == options.rows
    table(
        "Proving a chain",
        ["rows", "s", "rows/s"],
        [[f"{options.rows:,}", f"{took_s:.2f}", f"{options.rows / took_s:,.0f}"]],
    )


if __name__ == "__main__":
    options = arguments(__doc__, transactions=2000, rounds=5, rows=100_000, writers=4)
    with Setting() as setting:
        measure(setting, options)
