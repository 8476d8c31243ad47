"""POST /v1/jobs/{id}/retry, and the jobs that wait for an operator to do so."""

from typing import Any

import pytest

from apps.identity.principal import Principal
from apps.jobs import sweep
from kernel import engine_db
from tests.by_hand import HandJob
from tests.clients import Api, wait_for
from tests.factories import make_token


@pytest.mark.requirement("jobs:retry")
def test_a_retry_is_a_new_job_that_remembers_the_old_one(api: Api, worker: Any) -> None:
    body = {"type": "test", "payload": {"should_fail": True, "n": 3}, "priority": 2}
    old_id = api.post("/v1/jobs", body).json["id"]
    api.wait_until(old_id, "failed")

    answer = api.post(f"/v1/jobs/{old_id}/retry")

    assert answer.status == 202
    assert answer.headers["location"].endswith(f"/v1/jobs/{answer.json['id']}")
    new = api.wait_until(answer.json["id"], "failed")
    old = api.job(old_id)
    assert new["id"] != old_id
    assert (new["retry_of"], new["payload"], new["priority"]) == (old_id, old["payload"], 2)
    assert (old["status"], old["retry_of"]) == ("failed", None)


@pytest.mark.requirement("jobs:retry")
@pytest.mark.parametrize("status", ["finished", "cancelled"])
def test_whatever_has_ended_can_run_again(api: Api, worker: Any, status: str) -> None:
    job_id = api.submit("demo", {"duration_ms": 60_000 if status == "cancelled" else 0})
    if status == "cancelled":
        api.delete(f"/v1/jobs/{job_id}")
    api.wait_until(job_id, status)

    answer = api.post(f"/v1/jobs/{job_id}/retry")

    assert answer.status == 202
    api.delete(f"/v1/jobs/{answer.json['id']}")


@pytest.mark.requirement("jobs:retry")
def test_a_job_that_has_not_ended_cannot_be_retried(api: Api, principal: Principal) -> None:
    queued, running = HandJob(principal), HandJob(principal).claim()

    answers = [api.post(f"/v1/jobs/{job.id}/retry") for job in (queued, running)]

    assert [(answer.status, answer.json["code"]) for answer in answers] == [(409, "job_not_ended")] * 2


@pytest.mark.requirement("jobs:dead-letters")
def test_a_job_whose_worker_is_lost_too_often_is_failed_as_poison_and_kept(
    api: Api, admin: Api, principal: Principal
) -> None:
    job = HandJob(principal, max_attempts=3)

    def rescued() -> str | None:
        with engine_db.connect("tests") as connection:
            sweep.rescue(connection)  # the shared worker's sweeper may be first, and not done yet; it does the same
        status = str(api.job(str(job.id))["status"])
        return None if status == "running" else status

    statuses = []
    for _ in range(3):
        job.claim(lease_s=-1.0)
        statuses.append(wait_for(rescued, what="the rescue"))

    shown = api.job(str(job.id))
    assert statuses == ["queued", "queued", "failed"]
    assert shown["error"]["reason"] == "poison"
    assert shown["dead_lettered_at"] is not None
    assert shown["attempt"] == 3
    waiting = admin.get("/v1/admin/jobs?dead_letter=true").json["items"]
    assert [item["id"] for item in waiting] == [str(job.id)]
    events = api.get(f"/v1/jobs/{job.id}/events?format=json").json["items"]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert [event["type"] for event in events].count("end") == 1


@pytest.mark.requirement("jobs:dead-letters")
def test_a_retry_takes_a_job_off_the_dead_letters(api: Api, admin: Api, principal: Principal) -> None:
    from apps.jobs.models import Job
    from kernel.tenant_context import tenant_scope

    job = HandJob(principal, type_name="test").claim().finish("failed", dead=True)
    counted = api.get("/v1/jobs/stats").json["dead_letters"]

    answer = admin.post(f"/v1/jobs/{job.id}/retry")

    assert counted == 1
    assert answer.status == 202
    assert admin.get("/v1/admin/jobs?dead_letter=true").json["items"] == []
    with tenant_scope(principal.tenant_id):
        assert Job.objects.get(id=job.id).status == "failed"


@pytest.mark.requirement("security:47")
@pytest.mark.parametrize("type_name", ["tool.invoke", "agent.run"])
def test_what_acts_in_its_owners_name_is_run_again_by_nobody_else(
    api: Api, admin: Api, principal: Principal, type_name: str
) -> None:
    payload = {"prompt": "hello"} if type_name == "agent.run" else {"tool": "system.time"}
    job = HandJob(principal, type_name=type_name, payload_json=payload).claim().finish("failed", dead=True)

    by_admin = admin.post(f"/v1/jobs/{job.id}/retry")
    by_owner = api.post(f"/v1/jobs/{job.id}/retry")

    assert (by_admin.status, by_admin.json["code"]) == (403, "not_the_owner")
    assert by_owner.status == 202


@pytest.mark.requirement("jobs:dead-letters")
def test_dead_letters_are_the_tenants_own(api: Api, stranger: Api, principal: Principal, tenant: Any) -> None:
    job = HandJob(principal).claim().finish("failed", dead=True)
    operator = Api(api.base_url, make_token(tenant, "operator"))

    assert stranger.get("/v1/admin/jobs?dead_letter=true").json["items"] == []
    assert stranger.post(f"/v1/jobs/{job.id}/retry").status == 404
    assert operator.post(f"/v1/jobs/{job.id}/retry").status == 404


@pytest.mark.requirement("jobs:dead-letters")
def test_a_cancelled_job_whose_worker_is_lost_is_cancelled_not_run_again(api: Api, principal: Principal) -> None:
    job = HandJob(principal).claim()
    api.delete(f"/v1/jobs/{job.id}")
    job_id = str(job.id)

    with engine_db.connect("tests") as connection:
        connection.execute("UPDATE jobs SET lease_until = now() - interval '1 s' WHERE id = %s", [job.id])
        sweep.rescue(connection)

    shown = api.wait_until(job_id, "cancelled")
    assert (shown["result"], shown["dead_lettered_at"]) == ({"cancelled": True}, None)
