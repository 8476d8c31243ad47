"""10,000 units of work of many tenants over two pooled connections; run by tests/security/test_tenant_attacks.py.

Prints one JSON line {units, leaks}. Some units fail half-way, some set no tenant, some never finish their generator.
"""

import json
import random
import sys
import threading
from collections.abc import Iterator
from uuid import UUID

import django

django.setup()

from django.db import DatabaseError, connections, transaction  # noqa: E402

from apps.jobs.models import Job  # noqa: E402
from kernel.tenant_context import current_tenant_id, tenant_scope  # noqa: E402

UNITS, THREADS = 10_000, 4
leaks: list[str] = []


def seen() -> set[UUID]:
    return set(Job.objects.values_list("tenant_id", flat=True)[:50])


def without_a_tenant() -> None:
    with transaction.atomic(using="default"):
        if seen() or current_tenant_id() is not None:
            leaks.append("rows without a tenant")


def of_a_tenant(tenant_id: UUID) -> None:
    with tenant_scope(tenant_id):
        if seen() != {tenant_id}:
            leaks.append("rows of another tenant")


def that_fails(tenant_id: UUID) -> None:
    try:
        with tenant_scope(tenant_id), connections["default"].cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
    except DatabaseError:
        return


def that_outlives_its_transaction(tenant_id: UUID) -> None:
    def rows() -> Iterator[UUID]:
        with tenant_scope(tenant_id):
            yield from seen()

    unfinished = rows()
    next(unfinished)
    unfinished.close()
    without_a_tenant()


def work(seed: int, tenants: list[UUID]) -> None:
    chance = random.Random(seed)
    for _ in range(UNITS // THREADS):
        tenant_id = chance.choice(tenants)
        kind = chance.random()
        if kind < 0.55:
            of_a_tenant(tenant_id)
        elif kind < 0.75:
            without_a_tenant()
        elif kind < 0.9:
            that_fails(tenant_id)
        else:
            that_outlives_its_transaction(tenant_id)
        connections.close_all()  # back to the pool, as at the end of a request


def main() -> None:
    tenants = [UUID(name) for name in sys.argv[1:]]
    threads = [threading.Thread(target=work, args=(seed, tenants)) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout.write(json.dumps({"units": UNITS, "leaks": sorted(set(leaks))}))


main()
