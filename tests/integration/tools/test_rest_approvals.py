"""A call that waits for a person, over REST: read whole, decided once, used once (R31, attack 113)."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from apps.tools import retention, syncing
from apps.tools.context import ToolContext
from apps.tools.models import ToolApproval, ToolInvocation
from apps.tools.spec import DECLARED, ToolInput, ToolOutput, tool
from kernel import engine_db
from kernel.clock import now
from kernel.tenant_context import tenant_scope
from tests.factories import make_tenant, make_token

pytestmark = pytest.mark.requirement("tools:approvals")
PATH = "/v1/tools/careful.write/invocations"
BODY = {"args": {"text": "mail to ada@example.org", "note": "b"}}


class In(ToolInput):
    text: str = "x"
    note: str = ""


class Out(ToolOutput):
    text: str


@pytest.fixture(scope="module", autouse=True)
def declared() -> Iterator[None]:
    @tool("careful.write", effect="write", approval="always")
    def write(context: ToolContext, given: In) -> Out:
        """Write with care. Each call is looked at by a person."""
        return Out(text="written")

    @tool("careful.breaks", effect="read")
    def breaks(context: ToolContext, given: In) -> Out:
        """Have a bug."""
        raise ZeroDivisionError("secret detail")

    syncing.sync(approve=True, by="tests")
    yield
    for name in [name for name in DECLARED if name.startswith("careful.")]:
        del DECLARED[name]
    syncing.sync(approve=True, by="tests")


@pytest.fixture
def caller_of(tenant: Any) -> Callable[..., Client]:
    """A caller in this process, where the test's tools are."""

    def make(role: str = "user", of: Any = tenant) -> Client:
        return Client(SERVER_NAME="127.0.0.1", headers={"Authorization": f"Bearer {make_token(of, role)}"})

    return make


def post(client: Client, path: str, body: Any) -> Any:
    return client.post(path, body, "application/json")


def test_a_call_waits_is_approved_is_made_once(caller_of: Callable[..., Client]) -> None:
    user = caller_of()
    refused = post(user, PATH, BODY)
    said = refused.json()["extensions"]
    where = f"/v1/tools/approvals/{said['approval_id']}"
    seen = user.get(where)

    decided = post(user, where, {"decision": "approve", "arguments_sha256": seen.json()["arguments_sha256"]})
    made, again = post(user, PATH, BODY), post(user, PATH, BODY)

    assert (refused.status_code, refused.json()["code"]) == (409, "approval_required")
    assert seen.json()["arguments"] == BODY["args"]
    assert (seen.json()["status"], seen.json()["effect"]) == ("pending", "write")
    assert seen.json()["description"].startswith("Write with care.")
    text = seen.json()["arguments_text"]
    assert text == '{"note":"b","text":"mail to ada@example.org"}'
    assert hashlib.sha256(text.encode()).hexdigest() == seen.json()["arguments_sha256"] == said["arguments_sha256"]
    assert (decided.status_code, decided.json()["status"]) == (200, "approved")
    assert (made.status_code, again.status_code) == (201, 409)
    kept = user.get(f"{PATH}/{made.json()['id']}").json()
    assert kept["approval_id"] == said["approval_id"]
    assert "ada@" not in str(kept["arguments"])
    assert user.get(where).json()["status"] == "used"


def test_who_waits_is_seen_by_itself_and_by_who_manages_tools(caller_of: Callable[..., Client]) -> None:
    user, other, admin, stranger = caller_of(), caller_of(), caller_of("admin"), caller_of("admin", make_tenant())
    approval_id = post(user, PATH, BODY).json()["extensions"]["approval_id"]
    where = f"/v1/tools/approvals/{approval_id}"

    assert [client.get(where).status_code for client in (user, other, admin, stranger)] == [200, 404, 200, 404]
    lists = [client.get("/v1/tools/approvals?status=pending").json() for client in (user, other, admin, stranger)]
    assert [page["total"] for page in lists] == [1, 0, 1, 0]
    assert "ada@example.org" not in str(lists)
    assert user.get("/v1/tools/approvals?status=approved,expired").json()["total"] == 0
    assert user.get("/v1/tools/approvals?status=odd").status_code == 400


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [({"arguments_sha256": "0" * 64}, 422, "approval_mismatch"), ({"decision": "perhaps"}, 422, "validation_error"),
     ({"arguments_sha256": "short"}, 422, "validation_error"), ({"more": 1}, 422, "validation_error")],
    ids=["other-arguments", "no-decision", "no-hash", "more"],
)  # fmt: skip
def test_a_word_about_another_call_decides_nothing(
    caller_of: Callable[..., Client], change: dict[str, Any], status: int, code: str
) -> None:
    user = caller_of()
    said = post(user, PATH, BODY).json()["extensions"]
    where = f"/v1/tools/approvals/{said['approval_id']}"

    answer = post(user, where, {"decision": "approve", "arguments_sha256": said["arguments_sha256"], **change})

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert user.get(where).json()["status"] == "pending"


def test_what_was_denied_stays_denied(caller_of: Callable[..., Client]) -> None:
    user, admin = caller_of(), caller_of("admin")
    said = post(user, PATH, BODY).json()["extensions"]
    where = f"/v1/tools/approvals/{said['approval_id']}"
    word = {"arguments_sha256": said["arguments_sha256"]}
    first = user.get(where)

    denied = post(admin, where, {"decision": "deny", **word})
    again, call = post(user, where, {"decision": "approve", **word}), post(user, PATH, BODY)

    assert (denied.status_code, denied.json()["status"]) == (200, "denied")
    assert (again.status_code, again.json()["code"]) == (409, "approval_closed")
    assert (call.status_code, call.json()["code"]) == (409, "approval_denied")
    assert user.get(where, headers={"If-None-Match": first["ETag"]}).status_code == 200
    assert user.get(where, headers={"If-None-Match": user.get(where)["ETag"]}).status_code == 304


def test_a_tool_with_a_bug_is_an_error_without_its_detail(caller_of: Callable[..., Client]) -> None:
    user = caller_of()

    broken = post(user, "/v1/tools/careful.breaks/invocations", {})
    batch = post(user, "/v1/tools/invocations", {"invocations": [{"name": "careful.breaks"}]}).json()

    assert (broken.status_code, broken.json()["code"]) == (500, "tool_broken")
    assert "secret" not in broken.content.decode()
    kept = user.get(f"/v1/tools/careful.breaks/invocations/{broken.json()['extensions']['invocation_id']}").json()
    assert (kept["status"], kept["error"]["code"], kept["result"]["code"]) == ("failed", "tool_broken", "E_INTERNAL")
    assert (batch["failed"], batch["items"][0]["http_status"]) == (1, 500)


def test_old_calls_and_approvals_are_forgotten_and_what_runs_is_not(
    tenant: Any, caller_of: Callable[..., Client], settings: Any
) -> None:
    long_ago = now() - timedelta(days=settings.JOB_RETENTION_DAYS + 1)
    with tenant_scope(tenant.id):
        for status, lost_at in (("failed", None), ("running", long_ago), ("running", now() + timedelta(minutes=5))):
            ToolInvocation.objects.create(
                tenant_id=tenant.id, owner_sub="x", tool="careful.write", version="1", effect="write", door="rest",
                status=status, arguments={}, request_hash="h", created_at=long_ago, lost_at=lost_at,
            )  # fmt: skip
        post_of = {"tenant_id": tenant.id, "owner_sub": "x", "tool": "t", "effect": "write", "arguments": {}}
        ToolApproval.objects.create(**post_of, arguments_sha256="h", door="rest", expires_at=long_ago)
        ToolApproval.objects.create(**post_of, arguments_sha256="h2", door="rest", expires_at=now())

    done = retention.clean()

    assert done["tool_invocations"] >= 2 and done["tool_approvals"] >= 1
    with tenant_scope(tenant.id):
        assert [row.status for row in ToolInvocation.objects.all()] == ["running"]
        assert ToolApproval.objects.count() == 1
    with engine_db.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM tool_approvals WHERE tenant_id = %s", [tenant.id])
        assert cursor.fetchone() == (1,)


def test_a_call_whose_process_died_is_shown_as_lost(tenant: Any, caller_of: Callable[..., Client]) -> None:
    with tenant_scope(tenant.id):
        row = ToolInvocation.objects.create(
            tenant_id=tenant.id, owner_sub="x", tool="careful.write", version="1", effect="write", door="rest",
            status="running", arguments={}, request_hash="h", lost_at=now() - timedelta(minutes=1),
        )  # fmt: skip
    admin = caller_of("admin")

    shown = admin.get(f"{PATH}/{row.id}").json()

    assert (shown["status"], shown["result"], shown["ok"]) == ("lost", None, False)
    assert [admin.get(f"{PATH}?owner=*&status={status}").json()["total"] for status in ("lost", "running")] == [1, 0]
