"""Idempotency-Key: one job however often, and by however many, the request is sent."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import redis

from apps.identity.principal import Principal
from apps.jobs.services import key_digest
from kernel.redis_keys import IDEMPOTENCY
from tests.clients import Answer, Api
from tests.factories import make_tenant, make_token

BODY = {"type": "test", "payload": {"n": 1}}


def send(api: Api, key: str, body: Any = BODY) -> Answer:
    return api.post("/v1/jobs", body, Idempotency_Key=key)


@pytest.fixture
def key() -> str:
    return f"key-{uuid4()}"


@pytest.mark.requirement("jobs:idempotency")
def test_the_same_request_again_gets_the_same_answer_byte_for_byte(api: Api, key: str) -> None:
    first = send(api, key)

    again = [send(api, key) for _ in range(3)]

    assert first.status == 202
    assert first.headers["idempotency-replayed"] == "false"
    assert {answer.status for answer in again} == {200}
    assert {answer.body for answer in again} == {first.body}
    assert {answer.headers["idempotency-replayed"] for answer in again} == {"true"}
    assert {answer.headers["location"] for answer in again} == {first.headers["location"]}
    assert api.get("/v1/jobs").json["total"] == 1


@pytest.mark.requirement("jobs:idempotency")
def test_the_answer_stays_the_same_after_the_job_has_ended(api: Api, worker: Any, key: str) -> None:
    first = send(api, key)
    api.wait_until(first.json["id"], "finished")

    again = send(api, key)

    assert again.body == first.body


@pytest.mark.requirement("jobs:idempotency")
def test_the_order_of_a_bodys_properties_makes_no_other_request(api: Api, key: str) -> None:
    first = api.post("/v1/jobs", b'{"type":"test","payload":{"a":1,"b":2}}', Idempotency_Key=key)

    again = api.post("/v1/jobs", b'{ "payload": {"b": 2, "a": 1}, "type": "test" }', Idempotency_Key=key)

    assert again.status == 200
    assert again.body == first.body


@pytest.mark.requirement("jobs:idempotency")
@pytest.mark.parametrize(
    "other",
    [
        {"type": "test", "payload": {"n": 2}},
        {"type": "demo", "payload": {"n": 1}},
        {"type": "test", "payload": {"n": 1}, "priority": 1},
    ],
)
def test_the_same_key_with_another_request_is_refused(api: Api, key: str, other: dict[str, Any]) -> None:
    send(api, key)

    answer = send(api, key, other)

    assert answer.status == 422
    assert answer.json["code"] == "idempotency_key_reused"
    assert api.get("/v1/jobs").json["total"] == 1


@pytest.mark.requirement("jobs:idempotency")
def test_a_refused_request_does_not_use_up_its_key(api: Api, key: str) -> None:
    refused = send(api, key, {"type": "no-such"})

    answer = send(api, key)

    assert refused.status == 400
    assert answer.status == 202


@pytest.mark.requirement("jobs:idempotency-scope")
def test_a_key_belongs_to_its_caller_and_tenant(api: Api, colleague: Api, key: str, principal: Principal) -> None:
    same_name_elsewhere = Api(api.base_url, make_token(make_tenant(), sub=principal.sub))

    answers = [send(caller, key) for caller in (api, colleague, same_name_elsewhere)]

    assert [answer.status for answer in answers] == [202, 202, 202]
    assert len({answer.json["id"] for answer in answers}) == 3


@pytest.mark.requirement("jobs:idempotency")
def test_concurrent_duplicates_make_one_job(api: Api) -> None:
    keys = [f"key-{uuid4()}" for _ in range(6)]

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda key: (key, send(api, key)), keys * 8))

    for key in keys:
        same = [answer for used, answer in answers if used == key]
        assert sorted({answer.status for answer in same}) in ([200, 202], [200, 202, 409])
        assert sum(answer.status == 202 for answer in same) == 1
        assert len({answer.body for answer in same if answer.status != 409}) == 1
    assert api.get("/v1/jobs").json["total"] == len(keys)


@pytest.mark.requirement("jobs:idempotency-in-progress")
def test_while_the_first_is_still_being_answered_the_second_is_told_to_wait(
    api: Api, principal: Principal, admin_url: str, key: str
) -> None:
    columns = "tenant_id, owner_sub, method, route, key, request_hash, resource_id, response_body, expires_at"
    with psycopg.connect(admin_url) as first:  # its transaction stays open: the first request, before its commit
        first.execute(
            f"INSERT INTO idempotency_keys ({columns}) "
            "VALUES (%s, %s, 'POST', '/v1/jobs', %s, 'x', gen_random_uuid(), '', now() + interval '1 day')",
            [principal.tenant_id, principal.sub, key],
        )

        second = send(api, key)
        first.rollback()

    third = send(api, key)

    assert second.status == 409
    assert second.json["code"] == "idempotency_in_progress"
    assert int(second.headers["retry-after"]) >= 1
    assert third.status == 202


@pytest.mark.requirement("jobs:idempotency-keys")
@pytest.mark.parametrize("bad", ["", "k" * 256, "k" * 1024, "tab\tinside", "naïve"])
def test_a_key_that_is_not_1_to_255_printable_characters_is_refused(api: Api, bad: str) -> None:
    answer = send(api, bad)

    assert answer.status == 400
    assert answer.json["code"] == "invalid_idempotency_key"


@pytest.mark.requirement("jobs:idempotency-keys")
@pytest.mark.parametrize("good", ["k", "k" * 255, '"quoted"', "with space, and: signs/%"])
def test_a_key_of_1_to_255_printable_characters_is_taken(api: Api, good: str) -> None:
    assert send(api, good).status == 202
    assert send(api, good).status == 200


@pytest.mark.requirement("jobs:idempotency-expiry")
def test_after_its_time_a_key_makes_a_new_job(api: Api, key: str, admin_url: str) -> None:
    first = send(api, key)
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("UPDATE idempotency_keys SET expires_at = now() - interval '1 s' WHERE key = %s", [key])

    second = send(api, key, {"type": "test", "payload": {"n": 99}})
    third = send(api, key, {"type": "test", "payload": {"n": 99}})

    assert second.status == 202
    assert second.json["id"] != first.json["id"]
    assert (third.status, third.body) == (200, second.body)


@pytest.mark.requirement("jobs:idempotency-expiry")
def test_a_key_is_kept_for_a_day(api: Api, key: str, admin_url: str) -> None:
    send(api, key)

    with psycopg.connect(admin_url) as connection:
        row = connection.execute(
            "SELECT extract(epoch FROM expires_at - created_at)::int FROM idempotency_keys WHERE key = %s", [key]
        ).fetchone()

    assert row == (86_400,)


@pytest.mark.requirement("jobs:idempotency")
def test_redis_holds_the_mapping_from_key_to_job(
    api: Api, key: str, principal: Principal, redis_client: redis.Redis
) -> None:
    job_id = send(api, key).json["id"]

    name = IDEMPOTENCY(key=key_digest(principal, key))

    assert name.startswith("idempotency:")
    assert redis_client.get(name) == job_id.encode()
    assert 86_000 < redis_client.ttl(name) <= 86_400


@pytest.mark.requirement("jobs:idempotency")
def test_without_redis_mapping_the_row_answers(
    api: Api, key: str, principal: Principal, redis_client: redis.Redis
) -> None:
    first = send(api, key)
    redis_client.delete(IDEMPOTENCY(key=key_digest(principal, key)))

    again = send(api, key)

    assert (again.status, again.body) == (200, first.body)
