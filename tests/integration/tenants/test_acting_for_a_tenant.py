"""X-Tenant-Id: only administrators of the platform act for another tenant, and both chains say so."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.audit.models import AuditLog
from apps.jobs.models import Job
from apps.tenancy.models import Tenant
from apps.tenancy.services import set_tenant_status
from kernel import engine_db
from kernel.tenant_context import tenant_scope
from tests.clients import Api, wait_for
from tests.factories import make_tenant, make_token, platform_tenant


def lines(tenant_id: UUID, action: str) -> list[Any]:
    return list(AuditLog.objects.using(engine_db.ALIAS).filter(tenant_id=tenant_id, action=action).order_by("seq"))


@pytest.mark.requirement("tenants:acting")
@pytest.mark.parametrize("by", ["id", "slug"])
def test_an_administrator_of_the_platform_acts_for_another_tenant(platform_admin: Api, by: str) -> None:
    tenant = make_tenant()
    header = str(getattr(tenant, by))

    me = platform_admin.get("/v1/auth/me", X_Tenant_Id=header).json
    job_id = platform_admin.submit("test", X_Tenant_Id=header)

    assert me["tenant_id"] == str(tenant.id)
    with tenant_scope(tenant.id):
        job = Job.objects.get(id=job_id)
    assert job.principal_json["tenant_id"] == str(tenant.id)
    assert job.principal_json["home_tenant_id"] == str(platform_tenant().id)
    assert platform_admin.get(f"/v1/jobs/{job_id}").status == 404
    assert platform_admin.get(f"/v1/jobs/{job_id}", X_Tenant_Id=header).status == 200


@pytest.mark.requirement("tenants:acting")
def test_both_tenants_logs_say_who_acted_for_whom(api_url: str) -> None:
    tenant, sub = make_tenant(), f"root-{uuid4().hex[:8]}"
    root = Api(api_url, make_token(platform_tenant(), role="admin", sub=sub))

    root.get("/v1/jobs", X_Tenant_Id=str(tenant.id))

    (there,) = wait_for(lambda: lines(tenant.id, "tenant.acted_for"), what="the line in the other chain")
    here = wait_for(
        lambda: [line for line in lines(platform_tenant().id, "tenant.acted_for") if line.actor == sub],
        what="the line in the own chain",
    )
    assert there.actor == sub
    assert there.details["method"] == "GET" and there.details["route"] == "/v1/jobs"
    assert [line.resource_id for line in here] == [str(tenant.id)]


@pytest.mark.requirement("tenants:acting")
def test_an_unknown_tenant_is_a_404_for_them(platform_admin: Api) -> None:
    for header in (str(uuid4()), "no-such-tenant", "x" * 5000, "' OR true --"):
        answer = platform_admin.get("/v1/jobs", X_Tenant_Id=header)
        assert (answer.status, answer.json["code"]) == (404, "tenant_not_found")


@pytest.mark.requirement("tenants:acting")
@pytest.mark.requirement("security:25")
@pytest.mark.parametrize("role", ["admin", "operator", "user", "viewer"])
def test_nobody_else_leaves_the_own_tenant(api_url: str, tenant: Tenant, role: str) -> None:
    api, other = Api(api_url, make_token(tenant, role=role)), make_tenant()

    foreign = [api.get("/v1/jobs", X_Tenant_Id=header) for header in (str(other.id), other.slug, "*", str(uuid4()))]
    own = [api.get("/v1/jobs", X_Tenant_Id=header) for header in (str(tenant.id), tenant.slug, "global", "default", "")]

    assert {(answer.status, answer.json["code"]) for answer in foreign} == {(403, "cross_tenant_refused")}
    assert {answer.status for answer in own} == {200}
    refused = wait_for(lambda: lines(tenant.id, "access.refused"), what="the refusals on record")
    assert {line.outcome for line in refused} == {"denied"}


@pytest.mark.requirement("tenants:acting")
@pytest.mark.parametrize("role", ["operator", "user", "viewer"])
def test_other_roles_of_the_platforms_tenant_cannot_either(api_url: str, role: str) -> None:
    api = Api(api_url, make_token(platform_tenant(), role=role))

    assert api.get("/v1/jobs", X_Tenant_Id=str(make_tenant().id)).json["code"] == "cross_tenant_refused"


@pytest.mark.requirement("tenants:suspended")
def test_callers_of_a_suspended_tenant_are_told_so(api: Api, tenant: Tenant, platform_admin: Api) -> None:
    job_id = api.submit("demo", {"duration_ms": 1})

    set_tenant_status(tenant.id, Tenant.Status.SUSPENDED)
    refused = wait_for(
        lambda: (answer := api.get(f"/v1/jobs/{job_id}")).status != 200 and answer, what="the suspension"
    )

    assert (refused.status, refused.json["code"]) == (403, "tenant_suspended")
    assert api.post("/v1/jobs", {"type": "test"}).status == 403
    assert platform_admin.get("/v1/jobs", X_Tenant_Id=str(tenant.id)).json["code"] == "tenant_suspended"
    assert platform_admin.get(f"/v1/tenants/{tenant.id}").json["status"] == "suspended"
