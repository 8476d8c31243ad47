"""Job type tenant.offboard: close a tenant, export everything of it, then erase it.

Each step is safe to repeat, and nothing is erased before the export is on disk and the tenant's row says so. So an
attempt that dies at any point is finished by the next one, or by a new deletion.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import redis

from apps.agents.runs import selectors as run_selectors
from apps.agents.runs.services import cancel_run
from apps.files import services as files
from apps.graph import erasure
from apps.identity import services as accounts
from apps.identity.principal import ADMIN_SCOPE, Principal
from apps.jobs import selectors as job_selectors
from apps.jobs.payloads import TenantOffboardPayload
from apps.jobs.services import cancel_job
from apps.tenancy import exports, ownership, rights, services, tool_cache
from apps.tenancy.deletion import confirmed_tenant_id
from apps.tenancy.models import Tenant
from apps.tenancy.selectors import find_tenant
from kernel.errors import ConflictError, ForbiddenError, PlatformError, UnavailableError
from kernel.redis_client import client
from kernel.redis_keys import JOBS_CANCEL, JOBS_EVENTS, JOBS_STATE, RUNS_EVENTS, SESSION
from workers.execution import Execution

ROUND_S = 0.5
CONFIG_SPREADS_IN_S = 2.0  # until every process refuses the tenant's callers, and those it let in are answered
JOBS_END_WITHIN_S = 180.0
ERASE_ROUNDS = 3
# Keys named after a row; other keys of a tenant hold counters and names, and expire by themselves.
KEYS_OF_ROWS = {
    "jobs": (JOBS_STATE, JOBS_EVENTS, JOBS_CANCEL),
    "sessions": (SESSION,),
    "agent_runs": (RUNS_EVENTS,),
}


class JobsStillRunning(PlatformError):
    """A job of the tenant did not end although it was asked to."""

    code = "jobs_still_running"


def run(job: Execution) -> dict[str, Any]:
    """Result: {status, tenant_id, export, sha256, counts, erased, accounts_erased}."""
    payload = TenantOffboardPayload.model_validate(job.payload)
    actor = _actor_of(job)
    if confirmed_tenant_id(payload.confirmation) != payload.tenant_id:
        raise ForbiddenError("The confirmation is not one of this tenant's deletion.", code="confirmation_required")
    tenant = find_tenant(payload.tenant_id)
    if tenant is None:
        return {"status": "gone already", "tenant_id": str(payload.tenant_id)}
    tenant = services.set_tenant_status(tenant.id, Tenant.Status.DELETING, by=actor)
    job.report("closing", "callers are refused, jobs and runs are cancelled", percent=0)
    job.wait(CONFIG_SPREADS_IN_S)
    _end_work(job, actor, tenant.id)
    job.report("exporting", "everything is written to a file", percent=20)
    export = _export_once(job, actor, tenant)
    job.report("erasing", "rows, keys and accounts are deleted", percent=60)
    erased, accounts_erased = _erase(job, actor, tenant.id, export)
    return {
        "status": "deleted",
        "tenant_id": str(tenant.id),
        **export,
        "erased": erased,
        "accounts_erased": accounts_erased,
    }


def _actor_of(job: Execution) -> Principal:
    """The submitter, whose rights are asked for again now."""
    said = job.principal
    actor = Principal(said["sub"], UUID(said["tenant_id"]), frozenset(said["roles"]), frozenset(said["scopes"]))
    rights.require_platform_admin(actor)
    return actor


def _end_work(job: Execution, actor: Principal, tenant_id: UUID) -> None:
    """Cancel jobs and runs that are open until none is."""
    inside = Principal(
        actor.sub, tenant_id, frozenset({"admin"}), frozenset({ADMIN_SCOPE}), home_tenant_id=actor.tenant_id
    )
    deadline = time.monotonic() + JOBS_END_WITHIN_S
    asked: set[UUID] = set()
    while open_work := _open_work(tenant_id):
        if time.monotonic() > deadline:
            raise JobsStillRunning(
                "Jobs or runs of the tenant are still under way. Delete the tenant again when they have ended."
            )
        for cancel, work_id in open_work:
            job.checkpoint()
            try:
                cancel(inside, work_id)
                asked.add(work_id)
            except ConflictError:
                continue  # changing hands: the next round asks again
        job.wait(ROUND_S)
    job.log(f"{len(asked)} open jobs and runs cancelled")


def _open_work(tenant_id: UUID) -> list[tuple[Callable[[Principal, UUID], Any], UUID]]:
    """What is open, with how it is cancelled; jobs first, for an agent.run job takes its run along."""
    jobs, runs = job_selectors.open_job_ids(tenant_id), run_selectors.open_run_ids(tenant_id)
    return [*((cancel_job, job_id) for job_id in jobs), *((cancel_run, run_id) for run_id in runs)]


def _export_once(job: Execution, actor: Principal, tenant: Tenant) -> dict[str, Any]:
    """What the tenant's row says of its export; makes it first if there is none. Erasing begins only after that."""
    if tenant.offboarding is None:
        others = {"graph": erasure.lines(tenant.id)}
        export = exports.export_tenant(tenant, job.checkpoint, others, files.contents(tenant.id)).as_json()
        services.note_export(tenant.id, export, by=actor)
        return export
    known: dict[str, Any] = tenant.offboarding
    return known


def _erase(job: Execution, actor: Principal, tenant_id: UUID, export: dict[str, Any]) -> tuple[dict[str, int], int]:
    erased = {"graph": erasure.erase(tenant_id, job.checkpoint)}
    tool_cache.forget(tenant_id, checkpoint=job.checkpoint)
    files.erase(tenant_id, job.checkpoint)
    accounts_erased = 0
    for last in (False,) * (ERASE_ROUNDS - 1) + (True,):
        for table in ownership.owned_tables(tenant_id):
            if table.name in KEYS_OF_ROWS:
                _forget_keys(job, tenant_id, table)
            if not table.is_kept:
                erased[table.name] = erased.get(table.name, 0) + ownership.erase_rows(tenant_id, table, job.checkpoint)
        accounts_erased += accounts.erase_accounts(tenant_id)
        details = {**export, "erased": erased, "accounts_erased": accounts_erased}
        try:
            services.remove_tenant(tenant_id, by=actor, details=details)
            break
        except ConflictError:
            if last:  # somebody writes faster than we delete
                raise
            job.wait(ROUND_S)
    return erased, accounts_erased


def _forget_keys(job: Execution, tenant_id: UUID, table: ownership.OwnedTable) -> None:
    """Redis holds copies of rows under their ids."""
    for ids in _batches(ownership.ids_of(tenant_id, table), 500):
        job.checkpoint()
        keys = [key(id=row_id) for row_id in ids for key in KEYS_OF_ROWS[table.name]]
        try:
            client().delete(*keys)
        except redis.RedisError as error:
            raise UnavailableError(
                "Redis does not answer, and holds copies of the tenant's data. Delete the tenant again when it does.",
                code="redis_unavailable",
            ) from error


def _batches(ids: Iterator[str], size: int) -> Iterator[list[str]]:
    batch: list[str] = []
    for row_id in ids:
        batch.append(row_id)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
