"""How many jobs, and how many runs, of a tenant may be open (queued or running) at once. Costs nothing where no quota
is set."""

from dataclasses import dataclass

import psycopg

from apps.identity.principal import Principal
from apps.tenancy.resolver import tenant_config
from kernel.errors import RateLimitedError
from kernel.tenant_context import prepared_cursor

RETRY_AFTER_S = 5


@dataclass(frozen=True, slots=True)
class Counted:
    """What a quota counts. ``lock_class``: its own part of PostgreSQL's advisory locks. ``open_rows``: takes the tenant
    and the quota, and looks at no more rows than the quota allows."""

    quota: str
    plural: str
    lock_class: int
    open_rows: str


JOBS = Counted(
    "concurrent_jobs",
    "jobs",
    20_803,
    """
SELECT count(*) AS open FROM (
    SELECT 1 FROM jobs WHERE tenant_id = %s AND status IN ('queued', 'running') LIMIT %s
) AS open_jobs
""",
)
RUNS = Counted(
    "concurrent_runs",
    "runs",
    20_804,
    """
SELECT count(*) AS open FROM (
    SELECT 1 FROM agent_runs WHERE tenant_id = %s AND status IN ('queued', 'running') LIMIT %s
) AS open_runs
""",
)
ANSWERED_BEFORE = """
SELECT 1 AS found FROM idempotency_keys
WHERE tenant_id = %s AND owner_sub = %s AND method = 'POST' AND route = %s AND key = %s AND expires_at >= now()
"""


def quota_of(principal: Principal, counted: Counted) -> int | None:
    """The caller's tenant's quota, or None. Asked before the transaction begins: it may need another connection."""
    config = tenant_config(principal.tenant_id)
    if config is None:
        return None
    quota: int | None = getattr(config.settings.quotas, counted.quota)
    return quota


def claim_room(principal: Principal, counted: Counted, quota: int, *, route: str, idempotency_key: str | None) -> None:
    """Inside the transaction that will insert the row: RateLimitedError unless the tenant has room for one more.

    Creations of one tenant queue up here until the one before has committed, so that no two see the same free place.
    A repeat of an answered request passes, because it makes no job.
    """
    with prepared_cursor() as cursor:
        try:
            lock = [counted.lock_class, str(principal.tenant_id)]
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", lock)
        except psycopg.errors.LockNotAvailable as error:
            raise RateLimitedError(
                f"Too many {counted.plural} are being created in your tenant at this moment. Try again in a second.",
                code="quota_busy",
                retry_after_s=1,
            ) from error
        if idempotency_key is not None:
            cursor.execute(ANSWERED_BEFORE, [principal.tenant_id, principal.sub, route, idempotency_key])
            if cursor.fetchone() is not None:
                return
        cursor.execute(counted.open_rows, [principal.tenant_id, quota])
        row = cursor.fetchone()
    if row is None or row["open"] >= quota:
        raise RateLimitedError(
            f"Your tenant may have {quota} {counted.plural} queued or running at once, and has. Wait for one to end or "
            "cancel one.",
            code="quota_exceeded",
            retry_after_s=RETRY_AFTER_S,
            quota=counted.quota,
            limit=quota,
            retry_after=RETRY_AFTER_S,
        )
