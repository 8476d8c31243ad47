"""POST /v1/jobs: what is accepted, and how each refusal says what was wrong."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from apps.identity.principal import Principal
from tests.clients import Answer, Api


def is_problem(answer: Answer, status: int) -> bool:
    return (
        answer.status == status
        and answer.headers["content-type"] == "application/problem+json"
        and answer.json["status"] == status
        and bool(answer.json["detail"])
    )


@pytest.mark.requirement("jobs:create")
def test_an_accepted_job_is_described_in_the_answer(api: Api, principal: Principal) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)

    answer = api.post("/v1/jobs", {"type": "test", "payload": {"note": "x"}})

    assert answer.status == 202
    job = answer.json
    assert str(UUID(job["id"])) == job["id"] == job["job_id"]
    assert job["type"] == "test"
    assert job["status"] == "queued"
    assert job["owner"] == job["owner_sub"] == principal.sub
    assert job["tenant_id"] == str(principal.tenant_id)
    assert job["priority"] == 0
    assert before < datetime.fromisoformat(job["created_at"]) < datetime.now(UTC) + timedelta(minutes=1)


@pytest.mark.requirement("jobs:create")
def test_the_headers_say_where_the_job_is_and_that_it_is_new(api: Api) -> None:
    answer = api.post("/v1/jobs", {"type": "test"}, X_Request_Id="req-7", X_Correlation_Id="corr-7")

    assert answer.headers["location"] == f"{api.base_url}/v1/jobs/{answer.json['id']}"
    assert answer.headers["idempotency-replayed"] == "false"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"] == "req-7"
    assert answer.headers["x-correlation-id"] == "corr-7"
    assert api.get(answer.headers["location"].removeprefix(api.base_url)).status == 200


@pytest.mark.requirement("jobs:create")
def test_a_job_without_a_payload_has_an_empty_one(api: Api) -> None:
    job_id = api.submit("test")

    assert api.job(job_id)["payload"] == {}


@pytest.mark.requirement("jobs:create")
def test_further_properties_of_a_payload_are_kept_as_they_were(api: Api) -> None:
    payload = {"note": "naïve ☃ \\u0000 <b>", "deep": {"list": [1, 2.5, None, True]}}

    job_id = api.submit("test", payload)

    assert api.job(job_id)["payload"] == payload


@pytest.mark.requirement("jobs:create-refusals")
def test_an_unknown_type_is_refused_with_the_known_ones(api: Api) -> None:
    answer = api.post("/v1/jobs", {"type": "no-such", "payload": {}})

    assert is_problem(answer, 400)
    assert answer.json["code"] == "unknown_type"
    assert answer.json["extensions"]["reason"] == "unknown_type"
    assert answer.json["extensions"]["allowed_types"] == ["demo", "test", "long-running", "agent.run", "tool.invoke"]


@pytest.mark.requirement("jobs:create-refusals")
@pytest.mark.parametrize(
    ("type_name", "payload", "at", "rule"),
    [
        ("long-running", {}, ["body", "payload"], "/required"),
        ("long-running", {"duration_ms": 4999}, ["body", "payload", "duration_ms"], "/properties/duration_ms/minimum"),
        ("demo", {"duration_ms": -1}, ["body", "payload", "duration_ms"], "/properties/duration_ms/minimum"),
        ("demo", {"duration_ms": "1000"}, ["body", "payload", "duration_ms"], "/properties/duration_ms/type"),
        ("demo", {"duration_ms": 10**30}, ["body", "payload", "duration_ms"], "/properties/duration_ms/maximum"),
        ("test", {"should_fail": "yes"}, ["body", "payload", "should_fail"], "/properties/should_fail/type"),
        ("agent.run", {"prompt": ""}, ["body", "payload", "prompt"], "/properties/prompt/minLength"),
    ],
)
def test_a_payload_that_does_not_fit_is_refused_with_the_rule_it_broke(
    api: Api, type_name: str, payload: dict[str, Any], at: list[str], rule: str
) -> None:
    answer = api.post("/v1/jobs", {"type": type_name, "payload": payload})

    assert is_problem(answer, 422)
    assert answer.json["code"] == "schema_violation"
    assert answer.json["extensions"]["schema_id"] == type_name
    assert [(fault["loc"], fault["schema_path"]) for fault in answer.json["errors"]] == [(at, rule)]


@pytest.mark.requirement("jobs:create-refusals")
@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"type": "test", "payload": {}, "owner": "me"}, ["body", "owner"]),
        ({"type": "test", "tenant_id": "00000000-0000-0000-0000-000000000000"}, ["body", "tenant_id"]),
        ({"payload": {}}, ["body", "type"]),
        ({"type": 5}, ["body", "type"]),
        ({"type": "test", "payload": [1]}, ["body", "payload"]),
        ({"type": "test", "payload": None}, ["body", "payload"]),
        ({"type": "test", "priority": "high"}, ["body", "priority"]),
        ({"type": "test", "priority": 101}, ["body", "priority"]),
        ([{"type": "test"}], ["body"]),
        ("test", ["body"]),
    ],
)
def test_a_body_of_another_shape_is_refused_with_the_place(api: Api, body: Any, at: list[str]) -> None:
    answer = api.post("/v1/jobs", body)

    assert is_problem(answer, 422)
    assert [fault["loc"] for fault in answer.json["errors"]] == [at]


@pytest.mark.requirement("jobs:create-refusals")
@pytest.mark.parametrize(
    "body",
    [
        b'{"type": "test", "payload": {"x": "\\u0000"}}',
        b'{"type": "test", "payload": {"\\u0000": 1}}',
        b'{"type": "test", "payload": {"x": "\\ud800"}}',
        b'{"type": "test", "payload": {"\\udfff": 1}}',
        b'{"type": "test", "payload": {"x": 1e999}}',
        b'{"type": "test", "payload": {"x": [-1e999]}}',
        b'{"type": "t\\u0000st", "payload": {}}',
        b'{"type": "\\ud800", "payload": {}}',
    ],
)
def test_text_and_numbers_that_cannot_be_stored_are_refused_not_crashed_on(api: Api, body: bytes) -> None:
    answer = api.post("/v1/jobs", body)

    assert answer.status in (400, 422), answer.body
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.requirement("jobs:create-refusals")
@pytest.mark.parametrize("body", [b"{", b'{"type": "test",}', b"\xff\xfe", b'{"type": NaN}', b""])
def test_a_body_that_is_no_json_is_refused(api: Api, body: bytes) -> None:
    answer = api.post("/v1/jobs", body)

    assert answer.status in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.requirement("jobs:create-refusals")
@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded"])
def test_another_media_type_is_refused(api: Api, media_type: str) -> None:
    answer = api.post("/v1/jobs", b'{"type": "test"}', Content_Type=media_type)

    assert is_problem(answer, 415)


@pytest.mark.requirement("jobs:create-refusals")
def test_a_body_above_the_limit_is_refused_and_one_at_the_limit_is_not(api: Api) -> None:
    frame = len(b'{"type": "test", "payload": {"x": ""}}')

    too_large = api.post("/v1/jobs", b'{"type": "test", "payload": {"x": "%s"}}' % (b"a" * (1_048_577 - frame)))
    fits = api.post("/v1/jobs", b'{"type": "test", "payload": {"x": "%s"}}' % (b"a" * (1_048_576 - frame)))

    assert is_problem(too_large, 413)
    assert too_large.json["extensions"]["max_bytes"] == 1_048_576
    assert fits.status == 202


@pytest.mark.requirement("jobs:create-refusals")
def test_without_a_token_nothing_is_accepted(api: Api) -> None:
    anonymous = Api(api.base_url)

    answer = anonymous.post("/v1/jobs", {"type": "test"})

    assert is_problem(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.requirement("jobs:priority")
@pytest.mark.parametrize("priority", [-100, 0, 1, 100])
def test_a_priority_is_kept_and_shown(api: Api, priority: int) -> None:
    answer = api.post("/v1/jobs", {"type": "test", "priority": priority})

    assert answer.json["priority"] == priority
    assert api.job(answer.json["id"])["priority"] == priority


@pytest.mark.requirement("jobs:create")
def test_the_tenant_is_the_tokens_whatever_a_header_says(api: Api, principal: Principal) -> None:
    foreign = api.post("/v1/jobs", {"type": "test"}, X_Tenant_Id="11111111-1111-4111-8111-111111111111")
    answer = api.post("/v1/jobs", {"type": "test"}, X_Tenant_Id="global")

    assert foreign.status == 403
    assert answer.json["tenant_id"] == str(principal.tenant_id)
