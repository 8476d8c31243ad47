"""tenancy.manage: one's own tenant for its people, all tenants for administrators of the platform, nothing else."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.identity.principal import Principal
from apps.jobs.selectors import get_job
from apps.tenancy.models import Tenant
from apps.tenancy.resolver import tenant_config
from apps.tenancy.selectors import find_tenant
from apps.tools import pipeline
from apps.tools.calls import Call
from apps.tools.errors import ApprovalRequired
from apps.tools.models import ToolInvocation
from kernel.clock import now
from kernel.errors import ForbiddenError, ValidationError
from kernel.tenant_context import tenant_scope
from tests.factories import make_principal, make_tenant, platform_tenant
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:tenancy")
TOOL = "tenancy.manage"


@pytest.fixture
def admin(tenant: Tenant) -> Principal:
    return make_principal(tenant, "admin")


@pytest.fixture
def platform_admin() -> Principal:
    return make_principal(platform_tenant(), "admin")


def manage(principal: Principal, action: str, **given: Any) -> dict[str, Any]:
    return result(principal, TOOL, {"action": action, **given})


def code(principal: Principal, action: str, **given: Any) -> str:
    """Why a call failed."""
    outcome = call(principal, TOOL, {"action": action, **given})
    assert outcome.error is not None
    return str(outcome.error["code"])


@pytest.mark.parametrize("role", ["user", "auditor", "researcher", "guest", "viewer"])
def test_who_has_no_right_to_tenants_has_not_this_tool(tenant: Tenant, role: str) -> None:
    with pytest.raises(ForbiddenError):
        call(make_principal(tenant, role), TOOL, {"action": "select"})


@pytest.mark.parametrize("role", ["operator", "admin"])
def test_people_see_their_own_tenant_and_no_other(tenant: Tenant, role: str) -> None:
    caller, other = make_principal(tenant, role), make_tenant()

    selected, listed = manage(caller, "select"), manage(caller, "list", prefix="")

    assert (selected["tenant"]["tenant_id"], selected["is_own"], selected["is_acted_for"]) == (
        str(tenant.id),
        True,
        True,
    )
    assert ([one["slug"] for one in listed["tenants"]], listed["total"]) == ([tenant.slug], 1)
    for action in ("select", "update", "preview_delete", "delete"):
        asked = {"tenant_id": str(other.id), "name": "mine now"}
        found, never_was = (
            call(make_principal(tenant, "admin"), TOOL, {"action": action, **asked, "tenant_id": one}).error
            for one in (str(other.id), str(uuid4()))
        )
        assert found == never_was
    assert find_tenant(other.id).name == other.name  # type: ignore[union-attr]


def test_an_administrator_of_the_platform_sees_all_and_is_told_how_to_act_for_one(
    tenant: Tenant, platform_admin: Principal
) -> None:
    selected = manage(platform_admin, "select", tenant_id=str(tenant.id))
    acting = Principal(
        platform_admin.sub, tenant.id, platform_admin.roles, platform_admin.scopes, home_tenant_id=platform_tenant().id
    )
    acted = manage(acting, "select")

    assert (selected["is_own"], selected["is_acted_for"]) == (False, False)
    assert f"X-Tenant-Id: {tenant.slug}" in selected["advice"]
    assert (acted["tenant"]["slug"], acted["is_own"], acted["is_acted_for"]) == (tenant.slug, False, True)
    assert [one["slug"] for one in manage(platform_admin, "list", prefix=tenant.slug)["tenants"]] == [tenant.slug]
    assert manage(platform_admin, "list", prefix=tenant.slug, status="suspended")["total"] == 0


def test_an_administrator_changes_its_own_tenant_within_what_the_platform_allows(
    tenant: Tenant, admin: Principal
) -> None:
    changed = manage(
        admin, "update", metadata={"room": 4}, settings={"features": {"beta": True}}, expected_version=1
    )["tenant"]  # fmt: skip

    assert (changed["metadata"], changed["settings"]["features"], changed["version"]) == (
        {"room": 4},
        {"beta": True},
        2,
    )
    config = tenant_config(tenant.id)
    assert config is not None
    assert config.settings.features == {"beta": True}
    assert code(admin, "update", name="other", expected_version=1) == "precondition_failed"
    assert code(admin, "update", settings={"quotas": {"concurrent_jobs": 9}}) == "platform_admin_required"
    assert code(admin, "update", settings={"rate_limits": {"tenant_per_minute": 9}}) == "platform_admin_required"
    assert code(admin, "update") == "nothing_to_change"


def test_an_operator_looks_and_changes_nothing(tenant: Tenant) -> None:
    operator = make_principal(tenant, "operator")

    assert code(operator, "update", name="other") == "forbidden"
    assert code(operator, "create", name="another") == "forbidden"
    assert code(operator, "preview_delete") == "forbidden"
    assert code(operator, "delete", tenant_id=str(tenant.id)) == "forbidden"


def test_only_the_platforms_administrators_make_tenants(admin: Principal, platform_admin: Principal) -> None:
    name, key = f"Lab {uuid4().hex[:8]}", f"k-{uuid4()}"
    given = {"action": "create", "name": name, "admin_email": "", "settings": {"pii_mode": "hash"}}

    refused = code(admin, "create", name=name)
    made = result(platform_admin, TOOL, given, idempotency_key=key)["tenant"]
    again = code(platform_admin, "create", name=name)

    assert (refused, again) == ("platform_admin_required", "tenant_exists")
    found = find_tenant(UUID(made["tenant_id"]))
    assert found is not None
    assert (found.name, found.settings["pii_mode"], found.slug) == (name, "hash", made["slug"])
    assert code(platform_admin, "create") == "name_missing"


def test_a_tenant_is_made_once_for_a_call_that_is_carried_out_again(platform_admin: Principal) -> None:
    given = {"action": "create", "name": f"Lab {uuid4().hex[:8]}"}
    wanted = Call(platform_admin, TOOL, given, "job", idempotency_key=f"k-{uuid4()}")
    first = pipeline.invoke(wanted)
    with tenant_scope(platform_admin.tenant_id):  # as if its process had died before it said so
        row = ToolInvocation.objects.filter(id=first.invocation_id)
        row.update(status="running", result=None, finished_at=None, lost_at=now() - timedelta(seconds=1))

    second = pipeline.invoke(wanted)

    assert (second.replayed, second.result) == (False, first.result)


def test_deleting_takes_two_steps_and_starts_the_offboarding(platform_admin: Principal) -> None:
    tenant = make_tenant()
    of_it = {"tenant_id": str(tenant.id)}

    too_early = code(platform_admin, "delete", **of_it)
    preview = manage(platform_admin, "preview_delete", **of_it)
    wrong = code(platform_admin, "delete", **of_it, confirmation=preview["confirmation"] + "x")
    untouched = find_tenant(tenant.id)
    done = manage(platform_admin, "delete", **of_it, confirmation=preview["confirmation"])

    assert (too_early, wrong) == ("confirmation_required", "confirmation_required")
    assert preview["counts"]["error_reports"] == 0
    assert untouched is not None
    assert untouched.status == "active"
    assert done["tenant"]["status"] == "deleting"
    job = get_job(platform_admin, UUID(done["job_id"]))
    assert (job.type, job.payload_json["tenant_id"]) == ("tenant.offboard", str(tenant.id))


def test_the_platforms_own_tenant_is_not_deleted_and_deleting_names_its_tenant(platform_admin: Principal) -> None:
    assert code(platform_admin, "preview_delete") == "platform_tenant"
    assert (
        code(platform_admin, "delete", tenant_id=str(platform_admin.tenant_id), confirmation="x") == "platform_tenant"
    )
    assert code(platform_admin, "delete", confirmation="x") == "tenant_id_missing"


def test_a_tenants_administrator_deletes_nothing(tenant: Tenant, admin: Principal) -> None:
    for action in ("preview_delete", "delete"):
        assert code(admin, action, tenant_id=str(tenant.id), confirmation="x") == "platform_admin_required"


def test_over_mcp_a_change_waits_for_a_person_and_a_look_does_not(admin: Principal) -> None:
    with pytest.raises(ApprovalRequired):
        call(admin, TOOL, {"action": "update", "metadata": {"a": 1}}, door="mcp")
    assert call(admin, TOOL, {"action": "select"}, door="mcp").ok


@pytest.mark.parametrize(
    "given",
    [{"action": "drop"}, {"action": "select", "tenant_id": "1"}, {"action": "create", "name": "\x07"},
     {"action": "create", "name": "x", "slug": "Has Spaces"}, {"action": "update", "settings": {"unknown": 1}},
     {"action": "update", "settings": {"rate_limits": {"users": {"ada": 0}}}}, {"action": "list", "limit": 51},
     {"action": "update", "settings": {"features": {"a b": True}}}, {"action": "update", "admin_email": "nobody"}],
    ids=["action", "id", "bell", "slug", "setting", "zero", "limit", "flag", "email"],
)  # fmt: skip
def test_what_does_not_fit_is_refused(admin: Principal, given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(admin, TOOL, given)
