"""security.*: who the caller is, what it may do, and its tenant's audit log."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from apps.audit import trail
from apps.audit.models import AuditLog
from apps.identity import rbac
from apps.identity.models import User
from apps.identity.principal import Principal
from apps.identity.services import create_account
from apps.tenancy.models import Tenant
from apps.tenancy.services import change_tenant
from apps.tools import pipeline, registry
from apps.tools.calls import Call
from apps.tools.models import ToolInvocation
from kernel.clock import now
from kernel.errors import ForbiddenError, ValidationError
from kernel.tenant_context import tenant_scope
from tests.clients import wait_for
from tests.factories import make_principal, make_tenant, platform_tenant
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:security")
ROLES = ("user", "operator", "admin", "auditor", "researcher", "guest")


def failed(principal: Principal, name: str, given: dict[str, Any]) -> tuple[str, int]:
    """(code, HTTP status) of a call that could not be done."""
    outcome = call(principal, name, given)
    assert outcome.error is not None
    return str(outcome.error["code"]), outcome.http_status


# -- who am I
@pytest.mark.parametrize("role", ROLES)
def test_a_caller_is_described_as_its_token_says(tenant: Tenant, role: str) -> None:
    caller = replace(make_principal(tenant, role), expires_at=1_900_000_000)

    said = result(caller, "security.describe_principal")

    assert (said["sub"], said["tenant_id"], said["tenant"], said["role"]) == (
        caller.sub, str(tenant.id), tenant.slug, role,
    )  # fmt: skip
    assert (said["roles"], said["scopes"]) == ([role], sorted(caller.scopes))
    assert said["permissions"] == sorted(rbac.permissions_of(caller))
    assert datetime.fromisoformat(said["expires_at"]) == datetime.fromtimestamp(1_900_000_000, UTC)
    assert (said["platform_admin"], said["acting_for"], said["door"]) == (False, None, "rest")


def test_who_acts_for_another_tenant_is_told_so(tenant: Tenant) -> None:
    home = platform_tenant()
    acting = replace(make_principal(home, "admin"), tenant_id=tenant.id, home_tenant_id=home.id)

    said = result(acting, "security.describe_principal")

    assert (said["tenant"], said["acting_for"], said["home_tenant_id"]) == (tenant.slug, tenant.slug, str(home.id))
    assert (said["platform_admin"], said["expires_at"]) == (True, None)


# -- what may I do
@pytest.mark.parametrize("role", ROLES)
def test_what_is_allowed_is_what_the_tables_of_rights_say(tenant: Tenant, role: str) -> None:
    caller = make_principal(tenant, role)

    said = result(caller, "security.allowed_operations", {"include_routes": True})
    tools = {one["name"]: one for one in said["tools"]}
    routes = {(one["method"], one["path"]) for one in said["routes"]}

    assert (said["sub"], said["roles"]) == (caller.sub, [role])
    assert said["permissions"] == sorted(rbac.permissions_of(caller))
    assert set(tools) == {one.spec.name for one in registry.callable_by(caller)}
    assert ("GET", "/v1/auth/me") in routes
    assert (("GET", "/v1/admin/audit") in routes) == (role in ("admin", "auditor"))
    assert (("DELETE", "/v1/tenants/<str:tenant_id>") in routes) == (role == "admin")
    if role == "auditor":
        assert tools["security.audit"] == {"name": "security.audit", "effect": "write", "reading_only": True}


def test_operations_can_be_narrowed(principal: Principal) -> None:
    said = result(principal, "security.allowed_operations", {"matching": "JOBS", "include_routes": True})

    assert said["permissions"] == ["jobs:create", "jobs:delete", "jobs:read"]
    assert all("jobs" in one["path"] for one in said["routes"])
    assert result(principal, "security.allowed_operations")["routes"] == []


def test_a_narrow_token_is_allowed_less(principal: Principal) -> None:
    narrow = Principal(principal.sub, principal.tenant_id, principal.roles, frozenset({"tools:invoke:basic"}))

    said = result(narrow, "security.allowed_operations", {"include_routes": True})

    assert said["permissions"] == ["tools:invoke"]
    assert ("GET", "/v1/jobs") not in {(one["method"], one["path"]) for one in said["routes"]}
    assert next(one for one in said["tools"] if one["name"] == "errors.report")["reading_only"] is True


# -- roles and rights
def test_the_table_of_rights_is_open(principal: Principal) -> None:
    table = result(principal, "security.permissions", {"action": "list"})["table"]
    one = result(principal, "security.permissions", {"action": "list", "role": "auditor"})["table"]

    assert {row["role"]: row["permissions"] for row in table} == {
        role: sorted(rbac.MATRIX[role]) for role in rbac.MATRIX
    }
    assert [row["role"] for row in one] == ["auditor"]


@pytest.mark.parametrize(
    ("given", "allowed"),
    [({"scope": "graph:read"}, True), ({"scope": "graph:update"}, False), ({"scope": "models:infer"}, True),
     ({"scope": "admin:all"}, False), ({"scope": "no:such:scope"}, False),
     ({"scope": "graph:update", "role": "curator"}, True), ({"scope": "audit:read", "role": "auditor"}, True)],
    ids=["permission", "not-mine", "scope", "all", "unknown", "curator", "auditor"],
)  # fmt: skip
def test_a_right_is_checked_with_its_reason(principal: Principal, given: dict[str, Any], *, allowed: bool) -> None:
    said = result(principal, "security.permissions", {"action": "check", **given})

    assert said["allowed"] is allowed
    assert said["reason"]


def test_others_rights_are_for_administrators_of_their_tenant(tenant: Tenant) -> None:
    name = f"ada-{tenant.slug}"
    user, _ = create_account(username=name, email="ada@x.example", tenant_id=tenant.id, roles=["curator"])
    admin, herself = make_principal(tenant, "admin"), make_principal(tenant, sub=str(user.id))
    asked = {"action": "resolve", "username": name}

    for caller in (admin, herself):
        said = result(caller, "security.permissions", asked)
        assert (said["roles"], "graph:update" in said["permissions"], said["is_active"]) == (["curator"], True, True)
    for role in ("user", "operator", "auditor"):
        other = make_principal(tenant, role)
        unknown = {**asked, "username": f"nobody-{tenant.slug}"}
        assert failed(other, "security.permissions", asked) == failed(other, "security.permissions", unknown)
        assert failed(other, "security.permissions", asked) == ("forbidden", 403)
    stranger = make_principal(make_tenant(), "admin")
    assert failed(stranger, "security.permissions", asked) == ("account_not_found", 404)


def test_a_disabled_account_may_nothing(tenant: Tenant) -> None:
    name = f"bob-{tenant.slug}"
    user, _ = create_account(username=name, email="bob@x.example", tenant_id=tenant.id, roles=["user"])
    User.objects.filter(id=user.id).update(is_active=False)
    asked = {"username": name}

    admin = make_principal(tenant, "admin")
    checked = result(admin, "security.permissions", {"action": "check", "scope": "jobs:read", **asked})
    resolved = result(admin, "security.permissions", {"action": "resolve", **asked})

    assert (checked["allowed"], resolved["permissions"], resolved["is_active"]) == (False, [], False)


# -- the audit log
def audited(principal: Principal, action: str, **given: Any) -> dict[str, Any]:
    return result(principal, "security.audit", {"action": action, **given})


@pytest.fixture
def auditor(tenant: Tenant) -> Principal:
    return make_principal(tenant, "auditor")


def test_the_tenants_log_is_read_in_pages(tenant: Tenant, auditor: Principal) -> None:
    for number in range(3):
        change_tenant(tenant.id, {"metadata": {"n": number}}, by=None)

    first = audited(auditor, "list", filter_action="tenant.updated", limit=2)
    second = audited(auditor, "list", filter_action="tenant.*", before_seq=first["next_before_seq"])

    seqs = [row["seq"] for row in first["rows"] + second["rows"]]
    assert seqs == sorted(seqs, reverse=True)
    assert [row["act"] for row in first["rows"] + second["rows"]] == ["tenant.updated"] * 3 + ["tenant.created"]
    assert second["next_before_seq"] is None
    assert first["rows"][0]["details"] == {"changes": {"metadata.n": [1, 2]}}


def test_another_tenants_log_is_not_reachable(auditor: Principal) -> None:
    other = make_tenant()
    change_tenant(other.id, {"metadata": {"secret": "theirs"}}, by=None)

    found = audited(auditor, "list", limit=100)["rows"]

    assert "theirs" not in str(found)
    assert {row["resource_id"] for row in found if row["act"] == "tenant.created"} == {str(auditor.tenant_id)}


def test_refusals_and_sign_ins_stand_under_access(tenant: Tenant, auditor: Principal) -> None:
    user = make_principal(tenant)
    with pytest.raises(ForbiddenError):
        call(user, "security.audit", {"action": "list"})

    def seen() -> list[dict[str, Any]]:
        return [row for row in audited(auditor, "access")["rows"] if row["actor"] == user.sub]

    wait_for(seen, what="the refusal in the log")
    assert seen()[0]["outcome"] == "denied"
    assert "tenant.created" not in {row["act"] for row in audited(auditor, "access")["rows"]}


def test_acts_and_actors_are_counted(tenant: Tenant, auditor: Principal) -> None:
    with tenant_scope(tenant.id):
        for _ in range(3):
            trail.record(tenant_id=tenant.id, actor="ada", action="probe.made")

    counted = audited(auditor, "stats")

    assert {"act": "probe.made", "outcome": "success", "count": 3} in counted["by_act"]
    assert {"actor": "ada", "count": 3} in counted["by_actor"]
    assert counted["total"] >= 4
    assert audited(auditor, "stats", actor="ada")["total"] == 3
    long_ago = (now() - timedelta(days=60)).isoformat()
    assert failed(auditor, "security.audit", {"action": "stats", "since": long_ago})[0] == "too_long"


def test_an_administrator_adds_a_row_in_its_own_name_once_for_each_call(tenant: Tenant) -> None:
    admin = make_principal(tenant, "admin")
    given = {
        "action": "custom",
        "event": "review.finished",
        "resource_id": "r-1",
        "details": {"password": "x", "ok": 1},
    }
    wanted = Call(admin, "security.audit", given, "rest", idempotency_key=f"k-{uuid4()}")

    first = pipeline.invoke(wanted)
    with tenant_scope(tenant.id):  # as if its process had died before it said so
        ToolInvocation.objects.filter(id=first.invocation_id).update(
            status="running", result=None, finished_at=None, lost_at=now() - timedelta(seconds=1)
        )
    second = pipeline.invoke(wanted)

    assert first.result is not None
    assert second.result is not None
    assert (first.result["is_new"], second.result["is_new"]) == (True, False)
    with tenant_scope(tenant.id):
        row = AuditLog.objects.get(action="custom.review.finished")
    assert (row.actor, row.resource_id, row.details["said"]) == (admin.sub, "r-1", {"password": "***", "ok": 1})


def test_nothing_is_ever_cleared(tenant: Tenant) -> None:
    admin = make_principal(tenant, "admin")
    with tenant_scope(tenant.id):
        before = AuditLog.objects.filter(tenant_id=tenant.id).count()

    assert failed(admin, "security.audit", {"action": "clear"}) == ("audit_append_only", 422)
    with tenant_scope(tenant.id):
        assert AuditLog.objects.filter(tenant_id=tenant.id).count() > before


@pytest.mark.parametrize(
    ("role", "action", "may"),
    [("user", "list", False), ("operator", "stats", False), ("viewer", "list", False), ("guest", "access", False),
     ("auditor", "list", True), ("auditor", "custom", False), ("admin", "list", True)],
)  # fmt: skip
def test_only_who_may_read_the_log_does(tenant: Tenant, role: str, action: str, *, may: bool) -> None:
    caller, given = make_principal(tenant, role), {"action": action}

    if may:
        assert call(caller, "security.audit", given).ok
    else:
        with pytest.raises(ForbiddenError):
            call(caller, "security.audit", given)


def test_large_rows_come_in_answers_that_fit(tenant: Tenant, auditor: Principal) -> None:
    with tenant_scope(tenant.id):
        for _ in range(30):
            trail.record(tenant_id=tenant.id, actor="ada", action="probe.large", details={"x": ["y" * 1500] * 5})

    first = audited(auditor, "list", actor="ada", limit=100)
    rest = audited(auditor, "list", actor="ada", limit=100, before_seq=first["next_before_seq"])

    assert 0 < len(first["rows"]) < 30
    assert len(first["rows"]) + len(rest["rows"]) == 30


# -- bad input, for all of them
@pytest.mark.parametrize(
    ("name", "given"),
    [("security.describe_principal", {"sub": "x"}), ("security.allowed_operations", {"include_tools": "yes"}),
     ("security.permissions", {"action": "grant"}), ("security.permissions", {"action": "list", "role": "a\nb"}),
     ("security.audit", {"action": "list", "filter_action": "a*b"}),
     ("security.audit", {"action": "custom", "event": "A b"}),
     ("security.audit", {"action": "list", "since": "yesterday"}),
     ("security.audit", {"action": "list", "limit": 101})],
    ids=["extra", "text-for-boolean", "action", "line", "star", "event", "time", "limit"],
)  # fmt: skip
def test_what_does_not_fit_is_refused(tenant: Tenant, name: str, given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(make_principal(tenant, "admin"), name, given)


@pytest.mark.parametrize(
    ("name", "given", "code"),
    [("security.permissions", {"action": "resolve", "role": "king"}, "unknown_role"),
     ("security.permissions", {"action": "check"}, "scope_missing"),
     ("security.audit", {"action": "custom"}, "event_missing")],
    ids=["role", "scope", "event"],
)  # fmt: skip
def test_what_cannot_be_done_is_said(tenant: Tenant, name: str, given: dict[str, Any], code: str) -> None:
    assert failed(make_principal(tenant, "admin"), name, given)[0] == code


@pytest.mark.parametrize("name", ["security.describe_principal", "security.allowed_operations", "security.permissions"])
def test_a_viewer_has_no_tools(tenant: Tenant, name: str) -> None:
    with pytest.raises(ForbiddenError):
        call(make_principal(tenant, "viewer"), name, {"action": "list"} if name.endswith("permissions") else {})
