"""Calls of tools, and calls that wait for a person, in the administration pages."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from apps.audit.models import AuditLog
from apps.backoffice.documents import pretty
from apps.identity.principal import Principal
from apps.tenancy.models import Tenant
from apps.tenancy.services import change_tenant
from apps.tools import syncing
from apps.tools.context import ToolContext
from apps.tools.errors import ApprovalRequired, ToolFailed
from apps.tools.models import ToolApproval, ToolInvocation
from apps.tools.spec import ToolInput, ToolOutput, tool
from kernel.tenant_context import tenant_scope
from tests.factories import make_principal
from tests.integration.backoffice.browser import Browser
from tests.integration.backoffice.conftest import MakeUser, SignIn
from tests.integration.backoffice.test_office_jobs import NASTY
from tests.tool_calls import call
from tests.tool_registry import declare, only_here

CALLS = "/admin/tools/toolinvocation/"
APPROVALS = "/admin/tools/toolapproval/"
GENTLE, GRAVE, FAILS = "desk.gentle", "desk.grave", "desk.fails"


class Given(ToolInput):
    text: str = "x"
    number: float = 1
    more: dict[str, Any] = {}


class Gives(ToolOutput):
    text: str


@pytest.fixture(scope="module", autouse=True)
def declared() -> Iterator[None]:
    with only_here("desk."):
        declare(GENTLE)

        @tool(GRAVE, effect="destructive", approval="always")
        def grave(context: ToolContext, given: Given) -> Gives:
            """Take something away."""
            return Gives(text=given.text)

        @tool(FAILS, effect="read")
        def fails(context: ToolContext, given: Given) -> Gives:
            """Fail with a sentence."""
            raise ToolFailed("There is nothing of that name.")

        syncing.sync(approve=True, by="tests")
        yield


def ask(caller: Principal, **arguments: Any) -> ToolApproval:
    with pytest.raises(ApprovalRequired) as waiting:
        call(caller, GRAVE, arguments)
    with tenant_scope(caller.tenant_id):
        return ToolApproval.objects.get(id=waiting.value.extra["approval_id"])


def status_of(row: ToolApproval) -> str:
    with tenant_scope(row.tenant_id):
        return ToolApproval.objects.get(id=row.pk).status


@pytest.mark.requirement("admin:tool-approvals")
@pytest.mark.parametrize(
    "hidden", ["\u200b", "\u202e", "\U000e0041", "\u00a0", "\u3164", "\ufeff", "\x7f", "\u2028", "\ufe0f"]
)
def test_a_document_shows_every_character_and_stays_the_same_document(hidden: str) -> None:
    document = {f"key{hidden}": [f"a{hidden}b", "\\u200b", "caf\u00e9 \u65e5\u672c", 1, None]}

    shown = pretty(document)

    assert hidden not in shown and "caf\u00e9 \u65e5\u672c" in shown
    assert json.loads(shown) == document


# -- calls
@pytest.mark.requirement("admin:tool-calls")
def test_calls_are_found_by_tool_status_door_and_owner(tenant: Tenant, tenant_admin: Browser) -> None:
    ada, bob = make_principal(tenant, sub="ada"), make_principal(tenant, sub="bob")
    well, ill = call(ada, GENTLE).invocation_id, call(bob, FAILS, door="agent").invocation_id

    def shown(query: str) -> set[UUID]:
        page = tenant_admin.get(f"{CALLS}?{query}")
        assert page.status_code == 200, page.text[:300]
        return {call_id for call_id in (well, ill) if f'data-job="{call_id}"' in page.text}

    assert shown("") == shown(f"tool={GENTLE}") | shown(f"tool={FAILS}") == {well, ill}
    assert shown("status=failed") == shown("door=agent") == shown("owner=bob") == shown(f"q={ill}") == {ill}
    assert shown("status=running") == shown(f"run={uuid4()}") == set()
    assert "tool_failed" in tenant_admin.get(CALLS).text
    assert tenant_admin.get(f"{CALLS}live?ids={well},{ill}").json() == {str(well): "succeeded", str(ill): "failed"}


@pytest.mark.requirement("admin:tool-calls")
def test_a_call_shows_what_it_was_given_and_what_came_of_it_as_text_and_masked(
    tenant: Tenant, tenant_admin: Browser
) -> None:
    change_tenant(tenant.id, {"settings": {"pii_mode": "off"}}, by=None)
    done = call(make_principal(tenant), GENTLE, {"text": f"{NASTY} of ada@example.org \u202e"})
    with tenant_scope(tenant.id):
        kept = ToolInvocation.objects.get(id=done.invocation_id)

    page = tenant_admin.get(f"{CALLS}{done.invocation_id}/change/")
    part = tenant_admin.get(f"{CALLS}{done.invocation_id}/live")

    assert "ada@example.org" in str(kept.arguments), "this tenant hides nothing in its own store"
    for shown in (page.text, part.text):
        assert "ada@example.org" not in shown and "<script>alert" not in shown and "\u202e" not in shown
        assert "&lt;script&gt;alert(1)" in shown and "\\u202e" in shown
    assert (page.status_code, part.status_code) == (200, 286)
    assert "hx-get" not in page.text.split('class="bo-page"')[1].split(">")[0]


@pytest.mark.requirement("admin:tool-calls")
def test_nothing_changes_a_call_and_nobody_sees_anothers(
    tenant_admin: Browser, platform_admin: Browser, other_tenant: Tenant, make_user: MakeUser, sign_in: SignIn,
    audited: Callable[..., AuditLog],
) -> None:  # fmt: skip
    theirs = call(make_principal(other_tenant), GENTLE).invocation_id

    assert f'data-job="{theirs}"' not in tenant_admin.get(f"{CALLS}?q={theirs}").text
    assert tenant_admin.get(f"{CALLS}live?ids={theirs}").json() == {}
    for path in (f"{CALLS}{theirs}/change/", f"{CALLS}{theirs}/live", f"{CALLS}{uuid4()}/change/"):
        assert tenant_admin.get(path).status_code == 404
    acted = platform_admin.submit("/admin/", {"action": "cancel"}, to=f"{CALLS}{theirs}/act")
    listed = platform_admin.submit("/admin/", {"action": "cancel", "_selected_action": str(theirs)}, to=CALLS)
    assert (acted.status_code, listed.status_code) == (404, 404)
    assert platform_admin.get(f"{CALLS}{theirs}/change/").status_code == 200
    assert audited("admin.viewed", theirs).tenant_id == other_tenant.id
    assert sign_in(make_user("auditor")).get(CALLS).status_code == 403


# -- approvals
@pytest.mark.requirement("admin:tool-approvals")
def test_what_waits_comes_first_and_is_approved_with_all_of_its_arguments_in_sight(
    tenant: Tenant, tenant_admin: Browser, audited: Callable[..., AuditLog]
) -> None:
    caller = make_principal(tenant)
    text = "first line\n" * 200 + f"{NASTY} \u200b\u202eend"
    row = ask(caller, text=text, number=1e22, more={"b": [1, 2], "a": None})
    for other in ("denied", "used"):
        with tenant_scope(tenant.id):
            ToolApproval.objects.filter(id=ask(caller, text=other).pk).update(status=other)
    there = f"{APPROVALS}{row.pk}/change/"

    overview = tenant_admin.get("/admin/").text
    listed, page = tenant_admin.get(APPROVALS).text, tenant_admin.get(there).text
    body = listed.split("<tbody", 1)[1]
    slip = tenant_admin.submit(there, {"seen": row.arguments_sha256, "action": "approve"})
    done = tenant_admin.submit(there, {"seen": row.arguments_sha256, "has_read": "on", "action": "approve"})

    assert body.index(str(row.pk)) == min(body.index(f"{APPROVALS}{other}") for other in _ids(tenant)) + len(APPROVALS)
    assert "<small>calls of tools</small><b>1</b>" in overview and "changed tools" not in overview
    shown = page.split('<pre class="bo-json whole">')[1].split("</pre>")[0]
    assert shown.count("first line") == 200 and "\\u200b\\u202eend" in shown and "&lt;script&gt;" in shown
    assert "10000000000000000000000" in shown and "&quot;a&quot;: null" in shown
    assert f'value="{row.arguments_sha256}"' in page
    assert "This field is required" in slip.text and status_of(row) == "approved"
    assert "its caller can make it now, once" in done.text
    assert call(caller, GRAVE, {"text": text, "number": 1e22, "more": {"a": None, "b": [1, 2]}}).ok
    assert status_of(row) == "used"
    assert audited("admin.tool_call_approve", row.pk).details["arguments_sha256"] == row.arguments_sha256
    assert audited("tools.approval.approve", row.pk).tenant_id == tenant.id


@pytest.mark.requirement("admin:tool-approvals")
def test_a_call_that_was_denied_stays_denied(tenant: Tenant, tenant_admin: Browser) -> None:
    caller = make_principal(tenant)
    row = ask(caller)
    there = f"{APPROVALS}{row.pk}/change/"

    denied = tenant_admin.submit(there, {"seen": row.arguments_sha256, "has_read": "on", "action": "deny"})
    closed = tenant_admin.get(there)
    late = tenant_admin.submit("/admin/", {"seen": row.arguments_sha256, "has_read": "on", "action": "approve"},
                               to=there)  # fmt: skip

    assert "is denied" in denied.text and status_of(row) == "denied"
    assert "Approve this call" not in closed.text
    assert "This approval is denied" in late.text
    with pytest.raises(ApprovalRequired) as again:
        call(caller, GRAVE)
    assert again.value.code == "approval_denied"


@pytest.mark.requirement("admin:tool-approvals")
def test_what_is_decided_is_what_was_seen(tenant: Tenant, tenant_admin: Browser, admin_url: str) -> None:
    row = ask(make_principal(tenant), text="harmless")
    there = f"{APPROVALS}{row.pk}/change/"
    seen = {"seen": row.arguments_sha256, "has_read": "on", "action": "approve"}

    wrong = tenant_admin.submit(there, {**seen, "seen": "0" * 64})
    unknown = tenant_admin.submit(there, {**seen, "action": "maybe"})
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE tool_approvals SET arguments = %s WHERE id = %s", [json.dumps({"text": "x"}), row.pk]
        )
    changed = tenant_admin.get(there)

    assert "approval" in wrong.text and "arguments_sha256 is not that" in wrong.text
    assert unknown.status_code == 404
    assert "the row was changed since" in changed.text and "Approve this call" not in changed.text
    assert status_of(row) == "pending"


@pytest.mark.requirement("admin:tool-approvals")
def test_one_that_nobody_decided_in_time_has_expired(tenant: Tenant, tenant_admin: Browser, admin_url: str) -> None:
    row = ask(make_principal(tenant))
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("UPDATE tool_approvals SET expires_at = now() WHERE id = %s", [row.pk])

    page = tenant_admin.get(f"{APPROVALS}{row.pk}/change/").text

    assert "expired" in page and "Approve this call" not in page
    listed = {state: str(row.pk) in tenant_admin.get(f"{APPROVALS}?state={state}").text
              for state in ("pending", "expired", "approved")}  # fmt: skip
    assert listed == {"pending": False, "expired": True, "approved": False}


@pytest.mark.requirement("admin:tool-approvals")
def test_approvals_are_the_administrators_of_the_tenant_and_the_platform(
    tenant: Tenant, other_tenant: Tenant, tenant_admin: Browser, platform_admin: Browser, make_user: MakeUser,
    sign_in: SignIn,
) -> None:  # fmt: skip
    theirs = ask(make_principal(other_tenant))
    there = f"{APPROVALS}{theirs.pk}/change/"
    fields = {"seen": theirs.arguments_sha256, "has_read": "on", "action": "approve"}

    assert tenant_admin.get(there).status_code == 404
    assert tenant_admin.submit("/admin/", fields, to=there).status_code == 404
    assert str(theirs.pk) not in tenant_admin.get(APPROVALS).text
    assert sign_in(make_user("operator")).get(APPROVALS).status_code == 403
    assert tenant_admin.post(there, fields).status_code == 403, "without the page's own form"
    assert status_of(theirs) == "pending"

    platform_admin.submit(there, fields)

    assert status_of(theirs) == "approved"


def _ids(tenant: Tenant) -> list[str]:
    with tenant_scope(tenant.id):
        return [str(row_id) for row_id in ToolApproval.objects.values_list("id", flat=True)]
