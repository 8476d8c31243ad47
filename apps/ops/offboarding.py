"""The second step of deleting a tenant: it is closed at once, and a job exports and erases it (workers/handlers)."""

from dataclasses import replace
from uuid import UUID

from apps.identity.principal import Principal
from apps.jobs.services import create_job
from apps.tenancy import deletion, rights
from apps.tenancy.models import Tenant
from apps.tenancy.services import set_tenant_status

JOB_TYPE = "tenant.offboard"


def begin_offboarding(principal: Principal, tenant: Tenant, *, confirm: str | None, request_id: str = "") -> UUID:
    """Close the tenant and start the job, in the administrator's own tenant. Returns the job's id.

    PreconditionRequiredError without a confirmation, ConflictError with one for an older version. Safe to call again,
    with a new confirmation, when an earlier job failed: the next one goes on where it stopped.
    """
    rights.require_platform_admin(principal)
    deletion.refuse_the_platforms_own(tenant)
    if confirm is None:
        raise deletion.not_confirmed(tenant.id)
    deletion.check_confirmation(tenant, confirm)
    closed = set_tenant_status(tenant.id, Tenant.Status.DELETING, by=principal, expected_version=tenant.version)
    at_home = replace(principal, tenant_id=principal.own_tenant_id, home_tenant_id=None)
    payload = {"tenant_id": str(tenant.id), "confirmation": deletion.confirmation(closed)}
    return create_job(at_home, type_name=JOB_TYPE, payload=payload, request_id=request_id).job_id
