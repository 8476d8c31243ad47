"""Tenants, their limits, accounts, who is signed in, and the audit log, as the administration pages handle them."""

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from oauth2_provider.models import get_access_token_model, get_application_model

from apps.agents.models import Session
from apps.agents.sessions.services import add_step, create_session
from apps.audit import trail
from apps.audit.models import AuditLog
from apps.identity.models import User
from apps.tenancy.models import Tenant
from apps.tenancy.resolver import tenant_config
from apps.tenancy.services import change_tenant
from kernel import engine_db
from kernel.clock import now
from kernel.tenant_context import tenant_scope
from tests.clients import wait_for
from tests.factories import make_principal
from tests.integration.backoffice.browser import Browser
from tests.integration.backoffice.conftest import MakeUser, SignIn

FORM = {
    "name": "", "admin_email": "", "pii_mode": "hash", "default_model": "", "features": "{}", "requests_per_day": "",
    "concurrent_jobs": "", "tokens_per_day": "", "cost_usd_per_day": "",
}  # fmt: skip


def fresh(tenant: Tenant) -> Tenant:
    return Tenant.objects.using(engine_db.ALIAS).get(id=tenant.id)


def page_of(tenant: Tenant) -> str:
    return f"/admin/tenancy/tenant/{tenant.id}/change/"


@pytest.mark.requirement("admin:tenants")
def test_a_platform_administrator_changes_a_tenants_settings(
    platform_admin: Browser, tenant: Tenant, audited: Callable[..., AuditLog]
) -> None:
    name = f"Laboratory {uuid4().hex[:6]}"
    fields = {**FORM, "version": tenant.version, "name": name, "concurrent_jobs": "7", "features": '{"beta": true}'}

    page = platform_admin.submit(page_of(tenant), fields)

    after = fresh(tenant)
    assert page.status_code == 200 and "was changed" in page.text
    assert (after.name, after.settings["pii_mode"], after.settings["features"]) == (name, "hash", {"beta": True})
    assert after.settings["quotas"]["concurrent_jobs"] == 7
    assert audited("tenant.updated", tenant.id).details["changes"]["settings.pii_mode"] == ["mask", "hash"]


@pytest.mark.requirement("admin:tenants")
def test_a_tenants_administrator_changes_what_is_its_own_and_not_its_quotas(
    tenant_admin: Browser, tenant: Tenant
) -> None:
    fields = {**FORM, "version": tenant.version, "name": tenant.name, "pii_mode": "remove", "concurrent_jobs": "10000"}

    page = tenant_admin.submit(page_of(tenant), fields)
    suspended = tenant_admin.submit("/admin/", {"action": "suspend"}, to=f"/admin/tenancy/tenant/{tenant.id}/act")

    after = fresh(tenant)
    assert page.status_code == 200 and 'name="concurrent_jobs"' not in page.text
    assert after.settings["pii_mode"] == "remove"
    assert after.settings.get("quotas", {}).get("concurrent_jobs") is None
    assert after.status == "active" and "administrator of the platform" in suspended.text


@pytest.mark.requirement("admin:tenants")
def test_a_change_of_what_has_changed_meanwhile_is_refused(platform_admin: Browser, tenant: Tenant) -> None:
    change_tenant(tenant.id, {"metadata": {"room": 4}}, by=None)

    page = platform_admin.submit(page_of(tenant), {**FORM, "version": tenant.version, "name": "Mine"})

    assert "changed since you read it" in page.text
    assert fresh(tenant).name == tenant.name


@pytest.mark.requirement("admin:tenants")
def test_the_platform_suspends_and_resumes(platform_admin: Browser, tenant: Tenant) -> None:
    statuses = []

    for action in ("suspend", "resume"):
        platform_admin.submit(page_of(tenant), {"action": action}, to=f"/admin/tenancy/tenant/{tenant.id}/act")
        statuses.append(fresh(tenant).status)

    assert statuses == ["suspended", "active"]


@pytest.mark.requirement("admin:scope")
def test_other_tenants_look_like_missing_ones(tenant_admin: Browser, other_tenant: Tenant, make_user: MakeUser) -> None:
    stranger = make_user("user", other_tenant)
    trail.note(tenant_id=other_tenant.id, actor="eve", action="test.secret", resource_id=str(other_tenant.id))
    theirs = AuditLog.objects.using(engine_db.ALIAS).filter(tenant_id=other_tenant.id)
    row = wait_for(theirs.first, what="the audit row")

    for path in (
        page_of(other_tenant),
        f"/admin/limits/{other_tenant.id}/",
        f"/admin/identity/user/{stranger.pk}/change/",
        f"/admin/audit/auditlog/{row.pk}/change/",
        f"/admin/audit/auditlog/{uuid4()}/change/",
        "/admin/audit/auditlog/nonsense/change/",
    ):
        assert tenant_admin.get(path).status_code == 404, path
    for path in ("tenancy/tenant/", "limits/", "identity/user/", "signed-in/", "audit/auditlog/", "agents/session/"):
        text = tenant_admin.get(f"/admin/{path}").text
        assert other_tenant.slug not in text and stranger.username not in text and "test.secret" not in text, path
    for path in (f"/admin/identity/user/{stranger.pk}/act", f"/admin/signed-in/{stranger.pk}/end"):
        assert tenant_admin.submit("/admin/", {"action": "reset"}, to=path).status_code == 404, path
    limits = tenant_admin.submit("/admin/", {"version": 1, "users": "a = 1"}, to=f"/admin/limits/{other_tenant.id}/")
    assert limits.status_code == 404


@pytest.mark.requirement("admin:limits")
def test_single_callers_get_and_lose_a_limit_of_their_own(tenant_admin: Browser, tenant: Tenant) -> None:
    address = f"/admin/limits/{tenant.id}/"

    tenant_admin.submit(address, {"version": tenant.version, "user_per_minute": "50", "users": "ada = 5\nbob=7\n"})
    config = tenant_config(tenant.id)
    assert config is not None
    first = config.settings.rate_limits
    tenant_admin.submit(address, {"version": fresh(tenant).version, "user_per_minute": "", "users": "bob = 7"})
    second = fresh(tenant).settings["rate_limits"]

    assert fresh(tenant).version == tenant.version + 2
    assert second == {"tenant_per_minute": None, "user_per_minute": None, "users": {"bob": 7}}
    assert first.users in ({}, {"ada": 5, "bob": 7}), "this process may see the change up to a second later"


@pytest.mark.requirement("admin:limits")
def test_a_tenants_administrator_cannot_go_beyond_the_platforms_ceiling(tenant_admin: Browser, tenant: Tenant) -> None:
    address = f"/admin/limits/{tenant.id}/"

    above = tenant_admin.submit(address, {"version": tenant.version, "users": "ada = 99999999"})
    smuggled = tenant_admin.submit(address, {"version": tenant.version, "users": "", "tenant_per_minute": "99999999"})
    unreadable = tenant_admin.submit(address, {"version": tenant.version, "users": "ada: lots"})

    assert "cannot have more requests a minute" in above.text
    assert 'name="tenant_per_minute"' not in smuggled.text
    assert "write subject = number" in unreadable.text
    assert fresh(tenant).settings.get("rate_limits", {}).get("tenant_per_minute") is None


@pytest.mark.requirement("admin:users")
def test_an_account_is_made_with_a_password_shown_once_and_can_sign_in(
    office_url: str, tenant_admin: Browser, tenant: Tenant, audited: Callable[..., AuditLog]
) -> None:
    name = f"new-{uuid4().hex[:8]}"

    page = tenant_admin.submit("/admin/identity/user/add/", {"username": name, "email": "", "roles": "operator"})

    user = User.objects.get(username=name)
    shown = re.search(r"shown this once</dt><dd>([^<]+)</dd>", page.text)
    assert shown is not None
    assert (user.tenant_id, user.roles) == (tenant.id, ["operator"])
    assert Browser(office_url).sign_in(user, password=shown[1]).status_code == 200
    assert shown[1] not in str(audited("admin.account_created", user.pk).details)
    assert shown[1] not in tenant_admin.get(f"/admin/identity/user/{user.pk}/change/").text


@pytest.mark.requirement("admin:users")
def test_changed_roles_and_a_disabled_account_end_what_was_open(
    tenant_admin: Browser, make_user: MakeUser, sign_in: SignIn, audited: Callable[..., AuditLog]
) -> None:
    operator = make_user("operator")
    theirs = sign_in(operator)
    address = f"/admin/identity/user/{operator.pk}/change/"

    tenant_admin.submit(address, [("roles", "auditor"), ("roles", "viewer"), ("is_active", "on")])
    after_roles = User.objects.get(pk=operator.pk).roles
    out = theirs.get("/admin/jobs/job/", allow_redirects=False)
    tenant_admin.submit(address, [("roles", "auditor")])

    assert after_roles == ["auditor", "viewer"]
    assert out.status_code == 302
    assert not User.objects.get(pk=operator.pk).is_active
    assert audited("admin.account_changed", operator.pk).details["changes"]


@pytest.mark.requirement("admin:users")
def test_nobody_changes_the_own_account_or_grants_what_does_not_exist(
    make_user: MakeUser, sign_in: SignIn, tenant: Tenant
) -> None:
    admin, colleague = make_user("admin"), make_user("user")
    browser = sign_in(admin)

    own = browser.submit("/admin/", {"roles": "viewer"}, to=f"/admin/identity/user/{admin.pk}/change/")
    reset = browser.submit("/admin/", {"action": "reset"}, to=f"/admin/identity/user/{admin.pk}/act")
    unknown = browser.submit(f"/admin/identity/user/{colleague.pk}/change/", {"roles": "superuser", "is_active": "on"})
    elsewhere = browser.submit(
        "/admin/identity/user/add/", {"username": f"x{uuid4().hex}", "roles": "admin", "tenant": "demo"}
    )

    assert own.status_code == 200 and reset.status_code == 403
    assert "superuser" in unknown.text
    assert User.objects.get(pk=admin.pk).roles == ["admin"]
    assert User.objects.get(pk=colleague.pk).roles == ["user"]
    made = re.search(r"User name</dt><dd>([^<]+)</dd>", elsewhere.text)
    assert made and User.objects.get(username=made[1]).tenant_id == tenant.id, "the own tenant, whatever the form says"


@pytest.mark.requirement("admin:users")
def test_signed_in_people_are_listed_and_signed_out_of_everything(
    tenant_admin: Browser, make_user: MakeUser, sign_in: SignIn, audited: Callable[..., AuditLog]
) -> None:
    operator = make_user("operator")
    theirs = sign_in(operator)
    get_access_token_model().objects.create(
        user=operator,
        token="t",
        token_checksum=uuid4().hex * 2,
        application=get_application_model().objects.first(),
        expires=now().replace(year=now().year + 1),
    )
    assert operator.username in tenant_admin.get("/admin/signed-in/").text

    page = tenant_admin.submit("/admin/signed-in/", {}, to=f"/admin/signed-in/{operator.pk}/end")

    assert "signed out everywhere" in page.text
    assert "/oidc/login" in theirs.get("/admin/").url
    assert not get_access_token_model().objects.filter(user=operator).exists()
    assert audited("admin.signed_out_everywhere", operator.pk).details["browser_sessions"] == 2


@pytest.mark.requirement("admin:sessions")
def test_a_conversation_with_an_agent_is_looked_at_and_ended(
    tenant: Tenant, tenant_admin: Browser, other_tenant: Tenant, audited: Callable[..., AuditLog]
) -> None:
    ada = make_principal(tenant, sub="ada")
    session, _ = create_session(ada, fields={"title": "<b>Proteins</b>"})
    add_step(ada, session.pk, fields={"type": "user", "message": "<i>hello</i>"})
    foreign, _ = create_session(make_principal(other_tenant), fields={"title": "theirs"})
    address = f"/admin/agents/session/{session.pk}"

    page = tenant_admin.get(f"{address}/change/")
    listed = tenant_admin.get("/admin/agents/session/").text
    tenant_admin.submit(f"{address}/change/", {"action": "cancel"}, to=f"{address}/act")
    refused = tenant_admin.submit("/admin/", {"action": "cancel"}, to=f"/admin/agents/session/{foreign.pk}/act")

    assert "&lt;i&gt;hello" in page.text and "<i>hello" not in page.text
    assert str(session.pk) in listed and "theirs" not in listed
    with tenant_scope(tenant.id):
        assert Session.objects.get(pk=session.pk).status == "cancelled"
    with tenant_scope(other_tenant.id):
        assert Session.objects.get(pk=foreign.pk).status == "active"
    assert refused.status_code == 404
    assert audited("admin.session_cancel", session.pk).details["owner"] == "ada"


@pytest.mark.requirement("admin:audit-log")
def test_the_audit_log_is_read_filtered_and_never_changed(tenant: Tenant, make_user: MakeUser, sign_in: SignIn) -> None:
    auditor = sign_in(make_user("auditor"))
    details = {"note": "<b>bold</b>"}
    trail.note(tenant_id=tenant.id, actor="ada", action="test.denied", resource_id="r-1", details=details)
    trail.note(tenant_id=tenant.id, actor="bob", action="test.fine", outcome="success", resource_id="r-2")
    rows = AuditLog.objects.using(engine_db.ALIAS).filter(tenant_id=tenant.id, action__startswith="test.")
    wait_for(lambda: rows.count() == 2, what="two audit rows")
    row = rows.get(action="test.denied")
    address = f"/admin/audit/auditlog/{row.pk}/change/"

    def shown(query: str) -> set[str]:
        text = auditor.get(f"/admin/audit/auditlog/?{query}").text
        return {action for action in ("test.denied", "test.fine") if f">{action}<" in text}

    assert shown("") == {"test.denied", "test.fine"}
    assert shown("outcome=denied") == {"test.denied"}
    assert shown("actor=bob") == {"test.fine"}
    assert shown("resource=r-1&action=test.") == {"test.denied"}
    page = auditor.get(address)
    assert bytes(row.hash).hex() in page.text and "&lt;b&gt;bold" in page.text and "<b>bold" not in page.text
    for path in (address, f"/admin/audit/auditlog/{row.pk}/delete/", "/admin/audit/auditlog/add/"):
        assert auditor.submit("/admin/", {"action": "x", "post": "yes"}, to=path).status_code in (403, 404), path
    assert rows.count() == 2


@pytest.mark.requirement("security:45")
def test_no_page_shows_a_password_a_hash_of_one_or_a_key(
    platform_admin: Browser, make_user: MakeUser, settings: Any
) -> None:
    user = make_user("user")
    secrets = [
        user.password,
        settings.SECRET_KEY,
        *(database["PASSWORD"] for database in settings.DATABASES.values()),
        get_application_model().objects.get(client_id=settings.ADMIN_CLIENT_ID).client_secret,
    ]

    pages = [
        platform_admin.get(f"/admin/{path}").text
        for path in ("", "identity/user/", f"identity/user/?q={user.username}", f"identity/user/{user.pk}/change/",
                     "signed-in/", "settings/", "tenancy/tenant/", "audit/auditlog/")
    ]  # fmt: skip

    assert all(secret and secret not in page for secret in secrets for page in pages)
    for lookup in ("password__startswith=md5", "password=x", "oauth2_provider_accesstoken__token=x"):
        assert platform_admin.get(f"/admin/identity/user/?{lookup}").status_code == 400, lookup
