"""How many jobs of a tenant may be open (queued or running) at once. Costs nothing where no quota is set."""

import psycopg

from apps.identity.principal import Principal
from apps.tenancy.resolver import tenant_config
from kernel.errors import RateLimitedError
from kernel.tenant_context import prepared_cursor

LOCK_CLASS = 20_803  # this module's own part of PostgreSQL's advisory locks
RETRY_AFTER_S = 5

# At most as many rows are looked at as the quota allows (index jobs_open).
OPEN_JOBS = """
SELECT count(*) AS open FROM (
    SELECT 1 FROM jobs WHERE tenant_id = %s AND status IN ('queued', 'running') LIMIT %s
) AS open_jobs
"""
ANSWERED_BEFORE = """
SELECT 1 AS found FROM idempotency_keys
WHERE tenant_id = %s AND owner_sub = %s AND method = 'POST' AND route = %s AND key = %s AND expires_at >= now()
"""


def concurrent_jobs_quota(principal: Principal) -> int | None:
    """The caller's tenant's quota, or None. Asked before the transaction begins: it may need another connection."""
    config = tenant_config(principal.tenant_id)
    return config.settings.quotas.concurrent_jobs if config else None


def claim_room(principal: Principal, quota: int, *, route: str, idempotency_key: str | None) -> None:
    """Inside the transaction that will insert the job: RateLimitedError unless the tenant has room for one more.

    Creations of one tenant queue up here until the one before has committed, so that no two see the same free place.
    A repeat of an answered request passes, because it makes no job.
    """
    with prepared_cursor() as cursor:
        try:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK_CLASS, str(principal.tenant_id)])
        except psycopg.errors.LockNotAvailable as error:
            raise RateLimitedError(
                "Too many jobs are being created in your tenant at this moment. Try again in a second.",
                code="quota_busy",
                retry_after_s=1,
            ) from error
        if idempotency_key is not None:
            cursor.execute(ANSWERED_BEFORE, [principal.tenant_id, principal.sub, route, idempotency_key])
            if cursor.fetchone() is not None:
                return
        cursor.execute(OPEN_JOBS, [principal.tenant_id, quota])
        row = cursor.fetchone()
    if row is None or row["open"] >= quota:
        raise RateLimitedError(
            f"Your tenant may have {quota} jobs queued or running at once, and has. Wait for one to end or cancel one.",
            code="quota_exceeded",
            retry_after_s=RETRY_AFTER_S,
            quota="concurrent_jobs",
            limit=quota,
            retry_after=RETRY_AFTER_S,
        )
