"""Calls that a job makes: asked for over REST or as any job, made by a worker under its submitter's present rights."""

import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from apps.identity.principal import Principal
from apps.jobs.ledger import NewEvent
from apps.jobs.models import Job
from apps.tools import approvals, jobs, pipeline, syncing
from apps.tools.calls import Call
from apps.tools.errors import ApprovalRequired
from apps.tools.models import ToolInvocation
from kernel.errors import ConflictError, ForbiddenError, NotFoundError, RateLimitedError, ValidationError
from kernel.tenant_context import tenant_scope
from tests import slow_tools
from tests.clients import PATIENCE_S, Api, wait_for
from tests.factories import make_principal, make_token
from tests.slow_tools import AT_WORK, EFFECTS
from workers.execution import Execution, Stopped
from workers.handlers import tool_invoke

pytestmark = pytest.mark.requirement("tools:jobs")


@pytest.fixture(scope="module", autouse=True)
def declared() -> Iterator[None]:
    slow_tools.declare()
    syncing.sync(approve=True, by="tests")
    yield
    slow_tools.forget()
    syncing.sync(approve=True, by="tests")


def attempt(
    by: Principal, payload: dict[str, Any], events: list[NewEvent] | None = None, job_id: UUID | None = None
) -> Execution:
    """One attempt at a job, as the engine hands it to the handler."""
    row = {
        "id": job_id or uuid4(), "token": 1, "type": "tool.invoke", "attempt": 1, "crashes": 0, "max_attempts": 3,
        "tenant_id": by.tenant_id, "principal_json": by.as_json(), "request_id": "", "last_seq": 2,
        "correlation_id": "", "traceparent": "", "retry_of": None, "payload_json": payload,
    }  # fmt: skip
    return Execution(row, queue_time_limit_s=600, emit=([] if events is None else events).append)


def approve(by: Principal, refused: ApprovalRequired) -> None:
    said = refused.extra
    approvals.decide(by, UUID(said["approval_id"]), approve=True, arguments_sha256=said["arguments_sha256"])


def calls_of(by: Principal) -> list[ToolInvocation]:
    with tenant_scope(by.tenant_id):
        return list(ToolInvocation.objects.order_by("created_at"))


def job_count(by: Principal) -> int:
    with tenant_scope(by.tenant_id):
        return Job.objects.count()


def test_a_call_becomes_a_job_that_a_worker_makes(api: Api, worker: Any) -> None:
    key = f"k-{uuid4()}"

    first, second = (
        api.post("/v1/tools/system.time/invocations", {"args": {}, "mode": "async"}, Idempotency_Key=key)
        for _ in range(2)
    )
    ended = api.wait_until(first.json["job_id"], "finished", "failed")
    made = api.get(f"/v1/tools/system.time/invocations?job_id={ended['id']}").json["items"]

    assert (first.status, second.status, second.headers["idempotency-replayed"]) == (202, 200, "true")
    assert first.json == second.json
    assert first.headers["location"] == f"{api.base_url}/v1/jobs/{ended['id']}"
    assert (ended["type"], ended["status"], ended["result"]["ok"]) == ("tool.invoke", "finished", True)
    assert ended["result"]["result"]["weekday"]
    assert [(item["id"], item["door"], item["idempotency_key"]) for item in made] == [
        (ended["result"]["invocation_id"], "job", f"job:{ended['id']}")
    ]
    assert api.post("/v1/tools/system.time/invocations", {"args": {}}, Idempotency_Key=key).status == 409


@pytest.mark.parametrize("text", ["wait", "spin"])
def test_a_job_that_is_cancelled_stops_its_tool_on_the_worker(
    api: Api, worker: Any, principal: Principal, text: str
) -> None:
    wanted = Call(principal, "slow.waits", {"text": text}, "rest")
    with pytest.raises(ApprovalRequired) as refused:
        jobs.submit(wanted)
    approve(principal, refused.value)
    job_id = str(jobs.submit(wanted).job_id)
    wait_for(lambda: [row.status for row in calls_of(principal)] == ["running"], what="the tool's start")

    asked = api.delete(f"/v1/jobs/{job_id}")
    ended = api.wait_until(job_id, "cancelled", "failed", "finished")

    assert (asked.status, ended["status"]) == (202, "cancelled")
    assert [(row.status, str(row.job_id)) for row in calls_of(principal)] == [("cancelled", job_id)]
    assert (ended["progress"] == 1) is (text == "wait")


def test_a_job_for_a_tool_is_asked_for_like_any_job(api: Api, worker: Any) -> None:
    job_id = api.submit("tool.invoke", {"tool": "system.time"})

    assert api.wait_until(job_id, "finished", "failed")["result"]["name"] == "system.time"


@pytest.mark.parametrize(
    ("role", "payload", "status", "code"),
    [
        ("user", {"tool": "no.such_tool"}, 404, "tool_not_found"),
        ("user", {"tool": "system.time", "arguments": {"x": 1}}, 422, "invalid_arguments"),
        ("user", {"tool": "system.time", "timeout_s": 4000}, 422, "schema_violation"),
        ("user", {"tool": "Not a name"}, 422, "schema_violation"),
        ("user", {"tool": "system.time", "owner": "me"}, 422, "schema_violation"),
    ],
    ids=["unknown", "arguments", "time", "name", "more"],
)
def test_a_job_that_could_not_call_is_not_accepted(
    api_url: str, tenant: Any, role: str, payload: dict[str, Any], status: int, code: str
) -> None:
    answer = Api(api_url, make_token(tenant, role)).post("/v1/jobs", {"type": "tool.invoke", "payload": payload})

    assert (answer.status, answer.json["code"]) == (status, code)


def test_what_a_caller_may_not_do_it_may_not_have_done(tenant: Any, principal: Principal) -> None:
    viewer = make_principal(tenant, "viewer")

    with pytest.raises(ForbiddenError):
        jobs.submit(Call(viewer, "slow.works", {}, "rest"))
    with pytest.raises(ForbiddenError):
        jobs.submit(Call(principal, "slow.works", {}, "rest", read_only=True))
    with pytest.raises(NotFoundError):
        jobs.submit(Call(principal, "slow.unknown", {}, "rest"))
    with pytest.raises(ValidationError):
        jobs.submit(Call(principal, "slow.works", {"text": 1}, "rest"))
    assert job_count(principal) == 0


def test_a_long_tool_becomes_a_job_unless_its_caller_waits(tenant: Any, principal: Principal) -> None:
    client = Client(SERVER_NAME="127.0.0.1", headers={"Authorization": f"Bearer {make_token(tenant)}"})
    path = "/v1/tools/slow.fails/invocations"

    as_job = client.post(path, {"args": {}}, "application/json")
    at_once = client.post(path, {"args": {}, "mode": "sync"}, "application/json")

    assert (as_job.status_code, as_job.json()["status"], as_job.json()["tool"]) == (202, "queued", "slow.fails")
    assert (at_once.status_code, at_once.json()["ok"]) == (201, False)
    assert at_once.json()["result"] == {
        "ok": False, "action": "fails", "code": "E_TOOL_ERROR",
        "message": "There is nothing of that name. Look at another.",
        "details": {"code": "nothing_there", "http_status": 422},
    }  # fmt: skip


def test_a_job_counts_once_against_the_tools_rate(api: Api, worker: Any, principal: Principal, settings: Any) -> None:
    settings.RATE_LIMIT_FACTOR = 1.0

    accepted = [jobs.submit(Call(principal, "slow.rare", {}, "rest")) for _ in range(2)]
    ended = [api.wait_until(str(one.job_id), "finished", "failed")["status"] for one in accepted]

    assert ended == ["finished", "finished"]
    with pytest.raises(RateLimitedError):
        jobs.submit(Call(principal, "slow.rare", {}, "rest"))


def test_a_repeat_neither_counts_nor_asks_again(principal: Principal, settings: Any) -> None:
    settings.RATE_LIMIT_FACTOR = 1.0
    wanted = Call(principal, "slow.rare", {}, "rest", idempotency_key=f"k-{uuid4()}")

    accepted = [jobs.submit(wanted) for _ in range(4)]

    assert {one.job_id for one in accepted} == {accepted[0].job_id}
    with pytest.raises(ConflictError):
        jobs.submit(Call(principal, "slow.rare", {"text": "y"}, "rest", idempotency_key=wanted.idempotency_key))


def test_a_tools_progress_is_its_jobs(principal: Principal) -> None:
    events: list[NewEvent] = []
    job = attempt(principal, {"tool": "slow.works", "arguments": {"text": "done"}}, events)

    answered = tool_invoke.run(job)

    assert (answered["ok"], answered["result"]["text"]) == (True, "done")
    assert [(event.data["stage"], event.percent) for event in events] == [("half", 50.0)]
    assert EFFECTS[-1] == f"job:{job.job_id}"


def test_a_tools_failure_ends_its_job_with_the_tools_code(principal: Principal) -> None:
    with pytest.raises(tool_invoke.ToolCallFailed) as failed:
        tool_invoke.run(attempt(principal, {"tool": "slow.fails"}))

    (row,) = calls_of(principal)
    assert failed.value.code == "nothing_there"
    assert failed.value.detail == f"There is nothing of that name. Look at another. (invocation {row.id})"


def test_an_attempt_after_a_lost_one_has_no_second_effect(principal: Principal) -> None:
    job_id, before = uuid4(), len(EFFECTS)

    first = tool_invoke.run(attempt(principal, {"tool": "slow.works"}, job_id=job_id))
    second = tool_invoke.run(attempt(principal, {"tool": "slow.works"}, job_id=job_id))

    assert (second["id"], second["replayed"]) == (first["id"], True)
    assert EFFECTS[before:] == [f"job:{job_id}"]


def test_a_call_that_needs_a_person_makes_no_job_before(api: Api, worker: Any, principal: Principal) -> None:
    wanted = Call(principal, "slow.waits", {"text": "this"}, "rest")

    with pytest.raises(ApprovalRequired) as refused:
        jobs.submit(wanted)
    before = job_count(principal)
    approve(principal, refused.value)
    ended = api.wait_until(str(jobs.submit(wanted).job_id), "finished", "failed")

    with tenant_scope(principal.tenant_id):
        kept = Job.objects.get(id=ended["id"]).result_json
    assert (before, ended["status"], kept["result"]["text"]) == (0, "finished", "this")
    assert ended["result"] is None and ended["withheld"]  # by an API server that knows no such tool
    with pytest.raises(ApprovalRequired):
        jobs.submit(wanted)  # it was used


@pytest.mark.parametrize(("reason", "goes_on"), [("cancelled", False), ("shutdown", True)])
def test_a_job_that_must_stop_stops_its_tool(principal: Principal, reason: str, goes_on: bool) -> None:
    payload = {"tool": "slow.waits", "arguments": {"text": "wait"}}
    with pytest.raises(ApprovalRequired) as refused:
        jobs.submit(Call(principal, "slow.waits", {"text": "wait"}, "rest"))
    approve(principal, refused.value)
    job = attempt(principal, payload)
    AT_WORK.clear()
    stopper = threading.Thread(target=lambda: AT_WORK.wait(PATIENCE_S) and job.stop(reason))
    stopper.start()

    with pytest.raises(Stopped):
        tool_invoke.run(job)
    stopper.join()

    assert [(row.status, row.error["code"]) for row in calls_of(principal)] == [("cancelled", "tool_cancelled")]
    if goes_on:  # given back: the next attempt begins the call again, with the approval that is spent
        again = attempt(principal, payload, job_id=job.job_id)
        AT_WORK.clear()
        stopper = threading.Thread(target=lambda: AT_WORK.wait(PATIENCE_S) and again.stop("cancelled"))
        stopper.start()
        with pytest.raises(Stopped):
            tool_invoke.run(again)
        stopper.join()
        assert len(calls_of(principal)) == 1


def test_a_call_that_is_still_open_belongs_to_who_has_the_job(principal: Principal) -> None:
    job_id = uuid4()
    with tenant_scope(principal.tenant_id):
        row = ToolInvocation.objects.create(
            tenant_id=principal.tenant_id, owner_sub=principal.sub, tool="slow.works", version="1.0.0", effect="write",
            door="job", status="running", arguments={}, request_hash=_hash({}), idempotency_key=f"job:{job_id}",
        )  # fmt: skip

    answered = tool_invoke.run(attempt(principal, {"tool": "slow.works"}, job_id=job_id))

    assert (answered["invocation_id"], answered["replayed"]) == (row.id, False)


def test_a_submitter_that_lost_its_rights_is_refused_when_it_runs(tenant: Any) -> None:
    from apps.tenancy.services import change_tenant

    user = make_principal(tenant)
    job = attempt(user, {"tool": "slow.works"})
    change_tenant(tenant.id, {"settings": {"features": {"tools_read_only": True}}}, by=None)

    def is_refused() -> bool:
        try:
            pipeline.admit_for_later(Call(user, "slow.works", {}, "rest"))
        except ForbiddenError:
            return True
        return False

    wait_for(is_refused, what="the tenant becoming read-only")
    with pytest.raises(ForbiddenError):
        tool_invoke.run(job)


def _hash(arguments: dict[str, Any]) -> str:
    from apps.tools.records import request_hash

    return request_hash(arguments)
