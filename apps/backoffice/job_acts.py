"""Cancel, retry and requeue as an administrator or operator does them: through the jobs' own services, one by one."""

from collections.abc import Callable

from apps.backoffice.rights import Staff
from apps.backoffice.told import tell
from apps.jobs import mirror, services
from apps.jobs.models import Job
from apps.jobs.states import QUEUED
from kernel.errors import ConflictError, PlatformError

Act = Callable[[Staff, Job], str]


def cancel(staff: Staff, job: Job) -> str:
    """A queued job ends at once, a running one is told."""
    status, already_ended = services.cancel_job(staff.overseeing(job.tenant_id), job.id)
    if already_ended:
        raise ConflictError(f"Job {job.id} is {status} already.")
    return f"Job {job.id} was cancelled." if status == "cancelled" else f"Job {job.id} was asked to stop."


def retry(staff: Staff, job: Job) -> str:
    """An ended job runs again as a new one, in the name and with the rights of who asks."""
    accepted = services.retry_job(staff.overseeing(job.tenant_id), job.id, as_principal=staff.acting_in(job.tenant_id))
    return f"Job {job.id} runs again as {accepted.job_id}."


def requeue(staff: Staff, job: Job) -> str:
    """A queued job's id is put in front of its queue. Harmless when it is there already: only the row decides."""
    if job.status != QUEUED:
        raise ConflictError(f"Job {job.id} is {job.status}: only a queued one can be put in front of its queue.")
    if not mirror.rehint(job.type, job.priority > 0, [job.id]):
        raise ConflictError("Redis does not answer: the workers find the job by themselves.")
    return f"Job {job.id} is next in its queue."


ACTS: dict[str, Act] = {"cancel": cancel, "retry": retry, "requeue": requeue}


def perform(staff: Staff, name: str, job: Job) -> tuple[bool, str]:
    """Do it and tell the audit log. Whether it worked, and a sentence for the person."""
    try:
        said = ACTS[name](staff, job)
    except PlatformError as error:
        tell(staff, f"job_{name}", tenant_id=job.tenant_id, resource_type="job", resource_id=job.id,
             outcome="failed", owner=job.owner_sub, code=error.code)  # fmt: skip
        return False, error.detail
    tell(staff, f"job_{name}", tenant_id=job.tenant_id, resource_type="job", resource_id=job.id, owner=job.owner_sub)
    return True, said


def offered(job: Job) -> list[tuple[str, str]]:
    """The acts that make sense for the job as it is, with their names for people."""
    if job.status == QUEUED:
        return [("cancel", "Cancel"), ("requeue", "Put in front of its queue")]
    return [("cancel", "Cancel")] if job.status == "running" else [("retry", "Run again")]
