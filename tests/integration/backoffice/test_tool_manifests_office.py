"""Tools and tenants' policies in the administration pages: who sees and sets what, and approving what has changed."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from apps.audit.models import AuditLog
from apps.tenancy.models import Tenant
from apps.tools import registry, syncing
from apps.tools.models import ToolPolicy
from apps.tools.policies import set_policy
from kernel import engine_db
from tests.factories import make_principal
from tests.integration.backoffice.browser import Browser
from tests.integration.backoffice.conftest import MakeUser, SignIn
from tests.integration.backoffice.test_office_jobs import NASTY
from tests.tool_calls import call
from tests.tool_registry import declare, manifest, only_here, redeclare

TOOLS = "/admin/tools/toolmanifest/"
POLICIES = "/admin/tools/toolpolicy/"
FORM = {
    "enabled": "on", "rate_requests": "100", "rate_window_s": "60", "timeout_s": "30", "approval": "",
    "extra_scopes": "",
}  # fmt: skip
POLICY = {"enabled": "", "rate_requests": "", "rate_window_s": "", "approval": "", "extra_scopes": ""}


@pytest.fixture
def tool() -> Iterator[str]:
    """A tool of this test's own, whose name needs quoting in Django's addresses."""
    with only_here("office."):
        name = f"office.top_10_{uuid4().hex[:6]}"
        declare(name, "write", permissions=("graph:read",))
        syncing.sync(approve=True, by="tests")
        yield name


def address(name: str, then: str = "change/") -> str:
    return f"{TOOLS}{name.replace('_', '_5F')}/{then}"


def policies(tenant: Tenant) -> list[ToolPolicy]:
    return list(ToolPolicy.objects.using(engine_db.ALIAS).filter(tenant=tenant))


@pytest.mark.requirement("admin:tools")
def test_the_list_shows_each_tool_how_it_stands_and_how_often_it_was_called(
    tenant: Tenant, tenant_admin: Browser, tool: str
) -> None:
    caller = make_principal(tenant)
    for _ in range(3):
        call(caller, tool)

    page = tenant_admin.get(f"{TOOLS}?q={tool}").text
    queries = ("state=on", "state=off", "state=waiting", "state=gone", "effect=write", "effect=read",
               "category=office", "category=system")  # fmt: skip
    shown = [query for query in queries if address(tool) in tenant_admin.get(f"{TOOLS}?q={tool}&{query}").text]

    assert tool in page and "graph:read, tools:invoke, write" in page and "100 a minute" in page
    assert '<span class="badge is-ok">on</span>' in page and '<span class="badge is-write">write</span>' in page
    assert ">3<" in page.replace("\n", "").replace(" ", "")
    assert shown == ["state=on", "effect=write", "category=office"]


@pytest.mark.requirement("admin:tools")
def test_the_platforms_administrators_set_what_holds_for_all(
    platform_admin: Browser, tool: str, audited: Callable[..., AuditLog], tenant: Tenant
) -> None:
    seen = manifest(tool).updated_at.isoformat()
    wanted = {**FORM, "expected": seen, "rate_requests": "5", "timeout_s": "12.5", "approval": "always",
              "extra_scopes": "models:infer\n tools:basic"}  # fmt: skip

    changed = platform_admin.submit(address(tool), wanted)
    stale = platform_admin.submit(address(tool), {**FORM, "expected": seen})
    wrong = [
        platform_admin.submit(address(tool), {**wanted, "expected": "", **fields}).text
        for fields in ({"extra_scopes": "no:such"}, {"timeout_s": "31"}, {"approval": "never"}, {"rate_window_s": "0"})
    ]

    row = manifest(tool)
    registry.current.reload()
    assert "holds everywhere within three seconds" in changed.text
    assert (row.rate_requests, row.timeout_s, row.approval) == (5, 12.5, "always")
    assert row.extra_scopes == ["models:infer", "tools:invoke:basic"]
    assert "changed since you read it" in stale.text
    assert ["There is no scope" in wrong[0], "no longer than its code" in wrong[1]] == [True, True]
    assert all("errorlist" in page for page in wrong)
    assert "rate_requests: 100 -&gt; 5" in changed.text, "the history"
    assert audited("tool.changed", tool).details["changes"]["approval"] == ["", "always"]
    assert registry.find(tenant.id, tool).timeout_s == 12.5


@pytest.mark.requirement("admin:tools")
def test_a_tool_is_switched_off_for_everybody_and_on_again(platform_admin: Browser, tenant: Tenant, tool: str) -> None:
    states = []
    for action in ("disable", "enable"):
        platform_admin.submit(address(tool), {"action": action}, to=address(tool, "act"))
        states.append(manifest(tool).enabled)

    assert states == [False, True]


@pytest.mark.requirement("admin:tools")
@pytest.mark.requirement("security:105")
def test_what_a_tool_has_become_is_shown_word_for_word_and_approved(
    platform_admin: Browser, principal: Any, tool: str, audited: Callable[..., AuditLog]
) -> None:
    redeclare(tool, description=f"Say it again.\neffect:\n    read\u200b\n{NASTY}", effect="destructive")
    syncing.sync(approve=False, by="tests")

    overview = platform_admin.get("/admin/").text
    listed, page = platform_admin.get(f"{TOOLS}?state=waiting"), platform_admin.get(address(tool))
    shown = platform_admin.get(address(tool, "approve"))
    slip = platform_admin.submit(address(tool, "approve"), {"seen": manifest(tool).fingerprint})
    other = platform_admin.submit(address(tool, "approve"), {"seen": "0" * 64, "has_read": "on"})
    still = manifest(tool)
    done = platform_admin.submit(address(tool, "approve"), {"seen": still.fingerprint, "has_read": "on"})

    assert "<small>new or changed tools</small><b>1</b>" in overview
    assert tool in listed.text and "waits for approval" in page.text and "Approve what it has become" in page.text
    for line in ("<span class=\"removed\">-    write</span>", "<span class=\"added\">+    destructive</span>",
                 "<span class=\"added\">+    effect:</span>", "read\\u200b"):  # fmt: skip
        assert line in shown.text, line
    assert "<script>alert" not in shown.text and "&lt;script&gt;alert" in shown.text
    assert "This field is required" in slip.text and "changed again since you read it" in other.text
    assert still.approved_fingerprint != still.fingerprint
    assert "is approved as it is now" in done.text
    assert audited("tool.approved", tool).details["fingerprint"][1] == manifest(tool).approved_fingerprint


@pytest.mark.requirement("admin:tools")
def test_who_does_not_administer_the_platform_sees_tools_and_changes_none(
    tenant_admin: Browser, make_user: MakeUser, sign_in: SignIn, tool: str
) -> None:
    operator, auditor = sign_in(make_user("operator")), sign_in(make_user("auditor"))
    redeclare(tool, description="Something else.")
    syncing.sync(approve=False, by="tests")
    fingerprint = manifest(tool).fingerprint

    for browser in (tenant_admin, operator):
        page = browser.get(address(tool))
        assert "Something else." in page.text and 'name="rate_requests"' not in page.text
        refused = [
            browser.submit("/admin/", FORM, to=address(tool)),
            browser.submit("/admin/", {"action": "disable"}, to=address(tool, "act")),
            browser.submit("/admin/", {"seen": fingerprint, "has_read": "on"}, to=address(tool, "approve")),
        ]
        assert [answer.status_code for answer in refused] == [404, 404, 404]
    assert [auditor.get(path).status_code for path in (TOOLS, address(tool))] == [403, 403]
    assert operator.get(POLICIES).status_code == 403
    assert (manifest(tool).enabled, manifest(tool).approved_fingerprint == fingerprint) == (True, False)


@pytest.mark.requirement("admin:tool-policies")
def test_a_tenants_administrator_sets_what_its_own_tenant_may(
    tenant_admin: Browser, tenant: Tenant, other_tenant: Tenant, tool: str, audited: Callable[..., AuditLog]
) -> None:
    made = tenant_admin.submit(f"{POLICIES}add/?tool={tool}", {**POLICY, "tool": tool, "enabled": "false"})
    (row,) = policies(tenant)
    there = f"{POLICIES}{row.pk}/change/"
    page = tenant_admin.get(address(tool)).text
    registry.current.reload()

    assert "holds everywhere" in made.text and row.enabled is False
    assert "off for the tenant" in page and f"{POLICIES}{row.pk}/change/" in page
    assert registry.find(tenant.id, tool).off and not registry.find(other_tenant.id, tool).off
    assert audited("tool.policy_set", tool).tenant_id == tenant.id

    seen = row.updated_at.isoformat()
    fields = {**POLICY, "expected": seen, "rate_requests": "3", "rate_window_s": "3600", "approval": "always"}
    changed = tenant_admin.submit(there, fields)
    stale = tenant_admin.submit(there, fields)
    half = tenant_admin.submit(there, {**POLICY, "rate_requests": "3"})
    (row,) = policies(tenant)

    assert (row.enabled, row.rate_requests, row.rate_window_s, row.approval) == (None, 3, 3600, "always")
    assert "approval: nothing of its own -&gt; always" in changed.text
    assert "changed since you read it" in stale.text and "give both" in half.text
    assert "3 a hour" not in changed.text and "3 an hour" in tenant_admin.get(POLICIES).text

    gone = tenant_admin.submit(there, {"action": "remove"}, to=f"{POLICIES}{row.pk}/act")

    assert "as it is for all tenants" in gone.text and policies(tenant) == []


@pytest.mark.requirement("admin:tool-policies")
@pytest.mark.requirement("admin:scope")
def test_another_tenants_policy_is_as_missing_as_none(
    tenant_admin: Browser, platform_admin: Browser, other_tenant: Tenant, tool: str
) -> None:
    theirs = set_policy(tool, {"enabled": False}, by=make_principal(other_tenant, "admin"))
    there = f"{POLICIES}{theirs.pk}/change/"

    assert str(theirs.pk) not in tenant_admin.get(POLICIES).text
    assert [tenant_admin.get(path).status_code for path in (there, f"{POLICIES}{uuid4()}/change/")] == [404, 404]
    removed = tenant_admin.submit("/admin/", {"action": "remove"}, to=f"{POLICIES}{theirs.pk}/act")
    tenant_admin.submit(f"{POLICIES}add/", {**POLICY, "tool": tool, "tenant": other_tenant.slug})
    assert removed.status_code == 404 and [row.enabled for row in policies(other_tenant)] == [False]

    platform_admin.submit(there, {**POLICY, "enabled": ""})
    added = platform_admin.submit(f"{POLICIES}add/", {**POLICY, "tool": "system.time", "tenant": other_tenant.slug})
    nobody = platform_admin.submit(f"{POLICIES}add/", {**POLICY, "tool": "system.time", "tenant": "no-such"})

    assert str(theirs.pk) in platform_admin.get(f"{POLICIES}?tenant={other_tenant.slug}").text
    assert "holds everywhere" in added.text and "There is no such tenant." in nobody.text
    assert {row.tool for row in policies(other_tenant)} == {tool, "system.time"}
    assert [row.enabled for row in policies(other_tenant)] == [None, None]


@pytest.mark.requirement("admin:tools")
@pytest.mark.parametrize("query", ["state=other", "effect=x", "category=%00", "enabled=1", "name__contains=a", "q=%00"])
def test_no_query_string_breaks_the_list_or_reaches_a_column(tenant_admin: Browser, query: str) -> None:
    assert tenant_admin.get(f"{TOOLS}?{query}", allow_redirects=False).status_code in (200, 302, 400)


@pytest.mark.requirement("admin:tools")
def test_a_tool_that_is_gone_can_be_looked_at_and_not_set(platform_admin: Browser, tool: str, admin_url: str) -> None:
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("UPDATE tool_manifests SET is_declared = false WHERE name = %s", [tool])

    page = platform_admin.get(address(tool))

    assert page.status_code == 200 and "gone" in page.text and 'name="rate_requests"' not in page.text
    assert tool not in platform_admin.get(f"{TOOLS}?q=zzz").text
    assert tool in platform_admin.get(f"{TOOLS}?state=gone").text
