"""What an administrator does to another's job is written down, in the transaction that does it."""

from apps.audit import trail
from apps.identity.principal import Principal
from apps.jobs.models import Job


def record_act(principal: Principal, job: Job, action: str, **details: str) -> None:
    """An audit row, unless the job is the caller's own."""
    if job.owner_sub == principal.sub:
        return
    trail.record(
        tenant_id=principal.tenant_id,
        actor=principal.sub,
        action=action,
        resource_type="job",
        resource_id=str(job.id),
        details={"owner": job.owner_sub, "type": job.type, **details},
        actor_tenant_id=principal.home_tenant_id,
    )
