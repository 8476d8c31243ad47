"""What an attacker found in how tools are called and written down: each of it stays closed."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.test import Client

from apps.graph.loading import load
from apps.graph.records import Node
from apps.graph.uids import uid_for
from apps.identity.issuer import sign_access_token
from apps.identity.principal import Principal
from apps.jobs import mirror
from apps.jobs.models import Job
from apps.jobs.services import create_job
from apps.mcp import resources
from apps.tenancy.models import Tenant
from apps.tools import approvals, pipeline, registry, syncing, under_way
from apps.tools.approvals import Asked
from apps.tools.calls import Call
from apps.tools.context import ToolContext
from apps.tools.errors import ApprovalRequired
from apps.tools.models import ToolApproval, ToolInvocation
from apps.tools.spec import DECLARED, ToolInput, ToolOutput, tool
from kernel.clock import now
from kernel.errors import ConflictError, ForbiddenError, RateLimitedError, ValidationError
from kernel.tenant_context import tenant_scope
from tests.clients import PATIENCE_S
from tests.factories import make_principal, make_token
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:found-in-review")
CARDS = "4111 " * 190_000
RELEASE, ARRIVED = Event(), Event()


class In(ToolInput):
    text: str = ""
    number: int = 0


class Out(ToolOutput):
    text: str


@pytest.fixture(scope="module", autouse=True)
def declared() -> Iterator[None]:
    @tool("reviewed.waits", effect="read")
    def waits(context: ToolContext, given: In) -> Out:
        """Wait until it may go on."""
        ARRIVED.set()
        RELEASE.wait(context.left_s)
        return Out(text="done")

    @tool("reviewed.calls", effect="read")
    def calls(context: ToolContext, given: In) -> Out:
        """Call another tool on its way."""
        inner = pipeline.invoke(Call(context.principal, "system.time", {}, context.door))
        return Out(text=str(inner.ok))

    @tool("reviewed.careful", effect="write", approval="always")
    def careful(context: ToolContext, given: In) -> Out:
        """Write with care."""
        return Out(text="written")

    syncing.sync(approve=True, by="tests")
    yield
    for name in [name for name in DECLARED if name.startswith("reviewed.")]:
        del DECLARED[name]
    syncing.sync(approve=True, by="tests")


@pytest.fixture
def curator(tenant: Tenant) -> Principal:
    return make_principal(tenant, "curator")


def asked(principal: Principal, **arguments: Any) -> Asked:
    return Asked(principal, DECLARED["reviewed.careful"], arguments, "rest")


def narrowed(principal: Principal, *scopes: str) -> Principal:
    return replace(principal, scopes=frozenset(scopes))


def browser(principal: Principal, *scopes: str) -> Client:
    token = sign_access_token(
        sub=principal.sub,
        tenant_id=principal.tenant_id,
        roles=list(principal.roles),
        scopes=sorted(scopes or principal.scopes),
        client_id="tests",
        ttl_s=600,
    )
    return Client(SERVER_NAME="127.0.0.1", headers={"Authorization": f"Bearer {token}"})


# -- 3: processor time
@pytest.mark.parametrize(
    ("template", "more"),
    [("{{#l}}{{" + ".".join("a" * 24_000) + "}}{{/l}}", {}),
     ("{{#l}}{{" + ".".join("a" * 16) + "}}{{/l}}", {}),
     ("{{#l}}{{#m}}{{#m}}{{#m}}{{#m}}{{x}}{{/m}}{{/m}}{{/m}}{{/m}}{{/l}}", {"m": [1] * 1000})],
    ids=["long-name", "longest-name", "lists-in-lists"],
)  # fmt: skip
def test_no_template_takes_long(principal: Principal, template: str, more: dict[str, Any]) -> None:
    deep: Any = 1
    for _ in range(20):
        deep = {"a": deep}
    values = {"l": [1] * 49_000, **deep, **more}

    started = time.thread_time()
    outcome = call(principal, "output.format", {"template": template, "variables": values, "when_missing": "empty"})

    assert time.thread_time() - started < 10
    assert outcome.error is not None and outcome.error["code"] == "template_fault"


def test_a_caller_has_only_so_many_calls_under_way_by_every_door(
    principal: Principal, curator: Principal, settings: Any
) -> None:
    settings.TOOLS_CALLS_PER_CALLER = 1
    RELEASE.clear()
    ARRIVED.clear()

    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(call, principal, "reviewed.waits")
        try:
            assert ARRIVED.wait(PATIENCE_S)
            for door in ("rest", "mcp"):
                with pytest.raises(RateLimitedError) as refused:
                    call(principal, "system.time", door=door)
                assert (refused.value.code, refused.value.retry_after_s) == ("too_many_calls", 1)
            others = [call(curator, "system.time"), call(principal, "system.time", door="agent")]
        finally:
            RELEASE.set()
        outcome = first.result(PATIENCE_S)

    assert outcome.ok and all(other.ok for other in others)
    assert call(principal, "system.time").ok
    assert not under_way._places


def test_a_call_that_a_tool_makes_stands_in_its_callers_place(principal: Principal, settings: Any) -> None:
    settings.TOOLS_CALLS_PER_CALLER = 1

    assert result(principal, "reviewed.calls") == {"text": "True"}


def test_a_refusal_for_too_many_says_when_to_come_back_over_rest(principal: Principal, settings: Any) -> None:
    settings.TOOLS_CALLS_PER_CALLER = 0

    answer = browser(principal).post("/v1/tools/system.time/invocations", {"args": {}}, "application/json")

    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (429, "too_many_calls", "1")


# -- 5: what waits for a person
def test_the_list_of_what_waits_is_without_arguments(curator: Principal) -> None:
    row = approvals.ask(asked(curator, text="4111 " * 10_000))
    client = browser(curator)

    (item,) = client.get("/v1/tools/approvals").json()["items"]
    whole = client.get(f"/v1/tools/approvals/{row.id}").json()

    assert not {"arguments", "arguments_text"} & item.keys()
    assert item.items() <= whole.items()
    assert whole["arguments"] == row.arguments


def test_more_than_a_person_can_look_at_is_not_asked_for(curator: Principal) -> None:
    with pytest.raises(ValidationError) as refused:
        call(curator, "reviewed.careful", {"text": "x" * 66_000})

    assert refused.value.code == "arguments_too_large"
    with tenant_scope(curator.tenant_id):
        assert not ToolApproval.objects.exists()


def test_only_so_many_calls_of_one_caller_wait(curator: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approvals, "WAITING_MAX", 3)
    kept = [approvals.ask(asked(curator, number=number)).id for number in range(3)]

    with pytest.raises(ConflictError) as refused:
        approvals.ask(asked(curator, number=3))

    assert refused.value.code == "too_many_approvals"
    assert approvals.ask(asked(curator, number=0)).id == kept[0]
    assert approvals.ask(asked(replace(curator, sub="another"), number=3))


# -- 12: one row for one call
def test_of_one_call_one_row_waits_however_often_it_is_asked_at_once(curator: Principal) -> None:
    with ThreadPoolExecutor(8) as threads:
        rows = list(threads.map(lambda _: approvals.ask(asked(curator, number=7)), range(16)))

    assert len({row.id for row in rows}) == 1
    with tenant_scope(curator.tenant_id):
        assert ToolApproval.objects.count() == 1


def test_a_call_that_nobody_decided_on_waits_anew(curator: Principal) -> None:
    first = approvals.ask(asked(curator, number=1))
    with tenant_scope(curator.tenant_id):
        ToolApproval.objects.update(expires_at=now() - timedelta(hours=1))

    again = approvals.ask(asked(curator, number=1))

    assert (again.id, again.status) == (first.id, "pending")
    assert again.expires_at > now() + timedelta(hours=23)


def test_a_denied_row_denies_the_call_whatever_another_says(curator: Principal) -> None:
    wanted = asked(curator, number=2)
    rows = []
    for approve in (True, False):
        with tenant_scope(curator.tenant_id):
            row = ToolApproval.objects.create(
                tenant_id=curator.tenant_id, owner_sub=curator.sub, tool=wanted.tool.name, effect="write", door="rest",
                arguments=dict(wanted.arguments), arguments_sha256=wanted.sha256, expires_at=now() + timedelta(hours=1),
            )  # fmt: skip
        rows.append(approvals.decide(curator, row.id, approve=approve, arguments_sha256=wanted.sha256))

    with pytest.raises(ApprovalRequired) as refused:
        call(curator, "reviewed.careful", {"number": 2})

    assert [row.status for row in rows] == ["approved", "denied"]
    assert (refused.value.code, refused.value.extra["approval_id"]) == ("approval_denied", str(rows[1].id))


# -- 11: who decides
@pytest.mark.parametrize(
    "scopes", [("tools:invoke:basic",), ("read",), ("tools:invoke",)], ids=["basic", "read", "no-write"]
)
def test_a_token_that_could_not_make_the_call_does_not_let_it_through(
    tenant: Tenant, curator: Principal, scopes: tuple[str, ...]
) -> None:
    row = approvals.ask(asked(curator, number=3))

    with pytest.raises(ForbiddenError):
        approvals.decide(narrowed(curator, *scopes), row.id, approve=True, arguments_sha256=row.arguments_sha256)

    with tenant_scope(curator.tenant_id):
        assert ToolApproval.objects.get(id=row.id).status == "pending"
    manager = make_principal(tenant, "admin")
    done = approvals.decide(manager, row.id, approve=True, arguments_sha256=row.arguments_sha256)
    assert (done.status, done.decided_by) == ("approved", manager.sub)


# -- 7: scrubbing
def test_arguments_are_cut_before_they_are_looked_through(principal: Principal) -> None:
    started = time.thread_time()
    outcome = call(principal, "output.format", {"template": "x", "variables": {"a": CARDS}})

    assert time.thread_time() - started < 10
    assert outcome.ok
    with tenant_scope(principal.tenant_id):
        row = ToolInvocation.objects.get(id=outcome.invocation_id)
    assert row.arguments["truncated"] and row.arguments["bytes"] > 900_000
    assert len(row.arguments["head"]) <= 2_000


@pytest.mark.parametrize("before", range(7_960, 8_000, 5))
def test_a_cut_leaves_no_half_of_an_address(principal: Principal, before: int) -> None:
    filled = "x " * (before // 2)
    given = {"password": "hunter2-hunter2", "a": f"{filled}ada.lovelace@example.org {'y ' * 40_000}"}

    outcome = call(principal, "output.format", {"template": "x", "variables": given})

    with tenant_scope(principal.tenant_id):
        kept = str(ToolInvocation.objects.get(id=outcome.invocation_id).arguments)
    assert "lovelace" not in kept and "hunter2" not in kept
    assert "x x x" in kept


def test_many_addresses_that_shrink_leave_no_half_of_one(principal: Principal) -> None:
    addresses = " ".join(f"ada.lovelace.{number:05}.{'a' * 40}@example.org" for number in range(2_000))

    outcome = call(principal, "output.format", {"template": "x", "variables": {"a": addresses}})

    with tenant_scope(principal.tenant_id):
        kept = str(ToolInvocation.objects.get(id=outcome.invocation_id).arguments)
    assert "lovelace" not in kept and "aaaa" not in kept


# -- 10: results that outlive rights
def test_a_result_is_shown_to_who_could_ask_for_it_now(tenant: Tenant) -> None:
    admin = make_principal(tenant, "admin")
    made = call(admin, "security.audit", {"action": "list", "limit": 2})
    where = f"/v1/tools/security.audit/invocations/{made.invocation_id}"
    guest = replace(make_principal(tenant, "guest"), sub=admin.sub)

    whole = browser(admin).get(where)
    seen = [
        client.get(where, headers={"If-None-Match": whole["ETag"]})
        for client in (browser(admin, "read"), browser(guest))
    ]

    assert whole.json()["result"]["ok"] and whole.json()["withheld"] is None
    for answer in seen:
        said = answer.json()
        assert (answer.status_code, said["status"], said["arguments"], said["result"]) == (200, "succeeded", {}, None)
        assert said["withheld"].startswith("security.audit needs ")


def test_a_result_stays_with_a_caller_that_may_still_call(principal: Principal) -> None:
    made = call(principal, "system.time")

    said = (
        browser(principal, "read", "tools:invoke:basic")
        .get(f"/v1/tools/system.time/invocations/{made.invocation_id}")
        .json()
    )

    assert said["result"]["ok"] and said["withheld"] is None


def test_a_job_that_called_a_tool_is_shown_whole_to_who_could_make_the_call_now(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "enqueue", lambda *_, **__: True)  # no worker hears of it
    admin = make_principal(tenant, "admin")
    asked = {"tool": "security.audit", "arguments": {"action": "list", "limit": 2}}
    job_id = str(create_job(admin, type_name="tool.invoke", payload=asked).job_id)
    plain = str(create_job(admin, type_name="test", payload={}).job_id)
    with tenant_scope(tenant.id):
        Job.objects.filter(id=job_id).update(result_json={"ok": True})
    guest = replace(make_principal(tenant, "user"), sub=admin.sub)

    whole = browser(admin).get(f"/v1/jobs/{job_id}")
    one = browser(guest).get(f"/v1/jobs/{job_id}", headers={"If-None-Match": whole["ETag"]})
    items = {item["id"]: item for item in browser(guest).get("/v1/jobs").json()["items"]}
    _, document = resources.read(guest, f"cineca://jobs/{job_id}")

    assert (whole.json()["payload"], whole.json()["result"], whole.json()["withheld"]) == (asked, {"ok": True}, None)
    assert one.status_code == 200
    for said in (one.json(), items[job_id], json.loads(document)):
        assert (said["payload"], said["result"], said["status"]) == ({}, None, "queued")
        assert said["withheld"].startswith("security.audit needs ")
    assert items[plain]["withheld"] is None


# -- 13, 14: crud
@pytest.fixture
def task(curator: Principal) -> Callable[[int], str]:
    uids = [uid_for(curator.tenant_id, f"task {number}") for number in range(2)]
    load(
        curator.tenant_id,
        [Node("Task", uid, {"task_id": f"task-{n}", "status": "completed"}) for n, uid in enumerate(uids)],
    )
    return lambda number: uids[number]


def test_a_node_gets_no_key_of_another(curator: Principal, task: Callable[[int], str]) -> None:
    other = call(curator, "crud.update_node", {"uid": task(0), "properties": {"task_id": "task-1"}})
    both = call(
        curator, "crud.update_node",
        {"label": "Task", "match": {"status": "completed"}, "all": True, "properties": {"task_id": "task-9"}},
    )  # fmt: skip
    own = call(curator, "crud.update_node", {"uid": task(0), "properties": {"task_id": "task-0"}})
    free = call(curator, "crud.update_node", {"uid": task(0), "properties": {"task_id": "task-5"}})

    assert other.error is not None and (other.error["code"], other.error["uid"]) == ("key_taken", task(1))
    assert both.error is not None and both.error["code"] == "key_taken"
    assert own.ok and free.ok


def test_many_nodes_are_not_overwritten_over_mcp_without_a_person(
    curator: Principal, task: Callable[[int], str]
) -> None:
    many = {"label": "Task", "match": {"status": "completed"}, "properties": {"tags": ["pwn"]}, "all": True}

    with pytest.raises(ApprovalRequired) as refused:
        call(curator, "crud.update_node", many, door="mcp")

    assert call(curator, "crud.update_node", {**many, "all": False, "match": {"task_id": "task-0"}}, door="mcp").ok
    with tenant_scope(curator.tenant_id):
        assert ToolApproval.objects.get(id=refused.value.extra["approval_id"]).effect == "destructive"
    spec = registry.spec_of("crud.update_node")
    assert replace(spec, destructive_when=()).fingerprint != spec.fingerprint
    tool_now = registry.find(curator.tenant_id, spec.name)
    assert tool_now.called_with(many).scopes == tool_now.scopes


# -- 15: caches
@pytest.mark.parametrize("path", ["/v1/tools", "/v1/tools/system.time", "/v1/jobs", "/v1/graph/schema"])
def test_caches_know_that_an_answer_depends_on_the_tenant(tenant: Tenant, path: str) -> None:
    client = Client(SERVER_NAME="127.0.0.1", headers={"Authorization": f"Bearer {make_token(tenant, 'admin')}"})

    answer = client.get(path)

    assert answer.status_code == 200 and "private" in answer["Cache-Control"]
    assert {"Authorization", "X-Tenant-Id"} <= {name.strip() for name in answer["Vary"].split(",")}


# -- 17: percentiles
def test_the_smallest_percentile_is_the_smallest_value(curator: Principal) -> None:
    nodes = [Node("Task", uid_for(curator.tenant_id, f"timed {n}"), {"task_id": f"t{n}", "status": "completed",
             "duration_s": n + 1}) for n in range(3)]  # fmt: skip
    load(curator.tenant_id, nodes)

    found = result(
        curator, "analytics.aggregate",
        {"label": "Task", "property": "duration_s", "functions": ["percentiles"],
         "percentiles": [1e-300, 5e-324, 1e-5, 99.9, 100]},
    )  # fmt: skip

    assert found["columns"] == ["p1e_300", "p5e_324", "p1e_05", "p99_9", "p100"]
    assert found["rows"] == [[1, 1, 1, 3, 3]]
