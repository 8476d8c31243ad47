"""GET of one job: what it shows, to whom, and how a client that polls saves itself the body."""

from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from apps.identity.principal import Principal
from tests.by_hand import HandJob
from tests.clients import Answer, Api
from tests.factories import make_principal, make_tenant, make_token


def without_names(answer: Answer, job_id: str) -> tuple[int, dict[str, Any]]:
    """The answer with what names the request taken out."""
    body = answer.json
    for part in (body, body["extensions"]):
        for name in ("request_id", "correlation_id", "trace_id", "timestamp"):
            part.pop(name, None)
    body["instance"] = body["instance"].replace(job_id, "ID")
    return answer.status, body


@pytest.mark.requirement("jobs:read")
def test_a_finished_job_shows_all_its_times_and_latencies(api: Api, worker: Any) -> None:
    job_id = api.submit("demo", {"duration_ms": 300})

    job = api.wait_until(job_id, "finished")

    times = [datetime.fromisoformat(job[name]) for name in ("created_at", "started_at", "completed_at", "updated_at")]
    assert times == sorted(times)
    assert all(moment.tzinfo is not None for moment in times)
    created_at, started_at, completed_at, _ = times
    assert job["queue_latency_ms"] == pytest.approx((started_at - created_at).total_seconds() * 1000, abs=2)
    assert job["exec_latency_ms"] == pytest.approx((completed_at - started_at).total_seconds() * 1000, abs=2)
    assert job["exec_latency_ms"] >= 280
    assert job["progress"] == 100
    assert (job["attempt"], job["error"], job["cancel_requested_at"]) == (1, None, None)


@pytest.mark.requirement("jobs:read")
def test_a_job_shows_every_field_of_the_contract(api: Api) -> None:
    job = api.job(api.submit("test"))

    assert set(job) >= {
        "id", "job_id", "type", "job_type", "status", "owner", "owner_sub", "tenant_id", "created_at", "updated_at",
        "started_at", "completed_at", "payload", "result", "error", "progress", "priority", "queue_latency_ms",
        "exec_latency_ms", "etag",
    }  # fmt: skip


@pytest.mark.requirement("jobs:read")
def test_the_answer_is_one_line_of_json(api: Api) -> None:
    job_id = api.submit("test", {"text": "two\nlines"})

    body = api.get(f"/v1/jobs/{job_id}").body

    assert b"\n" not in body.strip()


@pytest.mark.requirement("jobs:etag")
def test_the_etag_is_strong_and_changes_with_the_job(api: Api, principal: Principal) -> None:
    job = HandJob(principal)

    tags = [api.get(f"/v1/jobs/{job.id}").headers["etag"]]
    tags.append(api.get(f"/v1/jobs/{job.id}").headers["etag"])
    job.claim()
    tags.append(api.get(f"/v1/jobs/{job.id}").headers["etag"])
    api.delete(f"/v1/jobs/{job.id}")
    tags.append(api.get(f"/v1/jobs/{job.id}").headers["etag"])
    job.finish()
    tags.append(api.get(f"/v1/jobs/{job.id}").headers["etag"])

    assert tags[0] == tags[1]
    assert len(set(tags)) == 4
    assert all(tag.startswith('"') and tag.endswith('"') and len(tag) > 10 for tag in tags)


@pytest.mark.requirement("jobs:etag")
@pytest.mark.parametrize(
    "shape", ['"{tag}"', "{tag}", 'W/"{tag}"', '"old", "{tag}"', '"old",W/"{tag}" , "older"', "*", ' "{tag}" ']
)
def test_a_client_that_holds_this_version_gets_304_without_a_body(api: Api, principal: Principal, shape: str) -> None:
    path = f"/v1/jobs/{HandJob(principal).id}"
    tag = api.get(path).headers["etag"].strip('"')

    answer = api.get(path, If_None_Match=shape.replace("{tag}", tag))

    assert answer.status == 304
    assert answer.body == b""
    assert answer.headers["etag"] == f'"{tag}"'
    assert answer.headers["cache-control"] == "private, max-age=15"
    assert answer.headers["vary"] == "Authorization, X-Tenant-Id, Origin"


@pytest.mark.requirement("jobs:etag")
@pytest.mark.parametrize("header", ['"something-else"', "something-else", '""', ",,"])
def test_a_client_that_holds_another_version_gets_the_body(api: Api, principal: Principal, header: str) -> None:
    path = f"/v1/jobs/{HandJob(principal).id}"

    answer = api.get(path, If_None_Match=header)

    assert answer.status == 200
    assert answer.json["status"] == "queued"


@pytest.mark.requirement("jobs:own-only")
@pytest.mark.parametrize(
    ("method", "suffix"), [("GET", ""), ("DELETE", ""), ("GET", "/events?format=json"), ("POST", "/retry")]
)
def test_a_job_of_others_is_as_missing_as_one_that_never_was(
    api: Api, colleague: Api, stranger: Api, principal: Principal, method: str, suffix: str
) -> None:
    theirs, nobodys = str(HandJob(principal).id), str(uuid4())

    expected = without_names(colleague.request(method, f"/v1/jobs/{nobodys}{suffix}"), nobodys)
    answers = [
        without_names(caller.request(method, f"/v1/jobs/{theirs}{suffix}"), theirs) for caller in (colleague, stranger)
    ]

    assert expected[0] == 404
    assert answers == [expected, expected]
    assert api.job(theirs)["status"] == "queued"


@pytest.mark.requirement("jobs:own-only")
def test_a_name_is_no_identity_across_tenants(api: Api, api_url: str, principal: Principal) -> None:
    namesake = Api(api_url, make_token(make_tenant(), sub=principal.sub))
    job_id = api.submit("test")

    answer = namesake.get(f"/v1/jobs/{job_id}")

    assert answer.status == 404
    assert namesake.get("/v1/jobs").json["total"] == 0


@pytest.mark.requirement("jobs:read")
@pytest.mark.parametrize("bad", ["123", "not-a-uuid", "00000000-0000-0000-0000-00000000000g", "%00", "..%2fstats"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_id_that_is_no_uuid_is_a_bad_request(api: Api, method: str, bad: str) -> None:
    answer = api.request(method, f"/v1/jobs/{bad}")

    assert answer.status in ((400, 404) if "%2f" in bad else (400,))
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.requirement("jobs:types")
def test_every_type_is_shown_with_the_schema_that_checks_it(api: Api) -> None:
    answer = api.get("/v1/jobs/types")

    types = {item["type"]: item for item in answer.json["items"]}
    assert list(types) == ["demo", "test", "long-running", "agent.run", "tool.invoke"]
    assert types["long-running"]["payload_schema"]["required"] == ["duration_ms"]
    assert types["long-running"]["payload_schema"]["properties"]["duration_ms"]["minimum"] == 5000
    assert types["demo"]["queue"] == "jobs:queue:demo"


@pytest.mark.requirement("jobs:stats")
def test_stats_count_the_callers_jobs_by_status_and_type(
    api: Api, admin: Api, stranger: Api, principal: Principal, tenant: Any
) -> None:
    HandJob(principal)
    HandJob(principal).claim()
    HandJob(principal).claim().finish()
    HandJob(principal).claim().finish("failed", dead=True)
    HandJob(make_principal(tenant)).claim().finish()

    mine, all_of_tenant, elsewhere = (caller.get("/v1/jobs/stats").json for caller in (api, admin, stranger))

    assert mine["by_status"] == {"queued": 1, "running": 1, "finished": 1, "failed": 1}
    assert mine["by_type"] == {"parked": mine["by_status"]}
    assert (mine["total"], mine["dead_letters"], mine["window_hours"]) == (4, 1, 24)
    assert (all_of_tenant["total"], all_of_tenant["by_status"]["finished"]) == (5, 2)
    assert elsewhere["total"] == 0


@pytest.mark.requirement("jobs:stats")
@pytest.mark.parametrize("hours", ["0", "721", "-1", "x", "", "1e9", "٣", "0000019999999999"])
def test_a_window_that_makes_no_sense_is_refused(api: Api, hours: str) -> None:
    answer = api.get(f"/v1/jobs/stats?hours={quote(hours)}")

    assert answer.status == 400
