"""quotas.concurrent_jobs: how many jobs of a tenant may be queued or running at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from apps.tenancy.services import create_tenant
from tests.clients import Answer, Api
from tests.factories import make_tenant, make_token

LONG = {"type": "demo", "payload": {"duration_ms": 120_000}}


@pytest.fixture
def api_with_quota(api_url: str) -> Iterator[Callable[[int | None], Api]]:
    """A user of a tenant with this many open jobs at most. What is left is cancelled: others need the worker."""
    made: list[Api] = []

    def make(quota: int | None) -> Api:
        mark = uuid4().hex[:12]
        settings = {} if quota is None else {"quotas": {"concurrent_jobs": quota}}
        tenant = create_tenant(f"t-{mark}", f"Tenant {mark}", tenant_settings=settings)
        made.append(Api(api_url, make_token(tenant)))
        return made[-1]

    yield make
    for caller in made:
        for status in ("queued", "running"):
            for job in caller.get(f"/v1/jobs?status={status}&limit=50").json["items"]:
                caller.delete(f"/v1/jobs/{job['id']}")


def post(api: Api, key: str | None = None) -> Answer:
    return api.post("/v1/jobs", LONG, **({"Idempotency_Key": key} if key else {}))


def in_parallel(calls: list[Callable[[], Answer]]) -> list[Answer]:
    with ThreadPoolExecutor(len(calls)) as threads:
        return [future.result() for future in [threads.submit(call) for call in calls]]


@pytest.mark.requirement("limits:job-quota")
def test_a_job_beyond_the_quota_is_refused_and_leaves_nothing(api_with_quota: Callable[..., Api]) -> None:
    api = api_with_quota(2)

    answers = [post(api) for _ in range(3)]

    refused = answers[-1]
    assert [answer.status for answer in answers] == [202, 202, 429]
    assert refused.json["code"] == "quota_exceeded"
    assert (refused.json["extensions"]["quota"], refused.json["extensions"]["limit"]) == ("concurrent_jobs", 2)
    assert int(refused.headers["retry-after"]) > 0
    assert api.get("/v1/jobs").json["total"] == 2


@pytest.mark.requirement("limits:job-quota")
def test_a_job_that_ended_makes_room(api_with_quota: Callable[..., Api]) -> None:
    api = api_with_quota(1)
    first = post(api).json["id"]

    assert post(api).status == 429
    api.delete(f"/v1/jobs/{first}")
    api.wait_until(first, "cancelled")

    assert post(api).status == 202


@pytest.mark.requirement("limits:job-quota")
def test_a_quota_of_nothing_refuses_every_job(api_with_quota: Callable[..., Api]) -> None:
    assert post(api_with_quota(0)).status == 429


@pytest.mark.requirement("limits:job-quota")
def test_repeats_are_answered_although_the_quota_is_used_up(api_with_quota: Callable[..., Api]) -> None:
    api = api_with_quota(1)

    first, again, other = post(api, "a"), post(api, "a"), post(api, "b")

    assert [answer.status for answer in (first, again, other)] == [202, 200, 429]
    assert again.body == first.body
    api.delete(f"/v1/jobs/{first.json['id']}")
    api.wait_until(first.json["id"], "cancelled")
    assert post(api, "b").status == 202  # the refusal was not remembered


@pytest.mark.requirement("limits:job-quota")
def test_concurrent_repeats_take_one_place(api_with_quota: Callable[..., Api]) -> None:
    api = api_with_quota(1)

    answers = in_parallel([lambda: post(api, "same")] * 8)

    assert sorted(answer.status for answer in answers) == [200] * 7 + [202]
    assert len({answer.json["id"] for answer in answers}) == 1


@pytest.mark.requirement("limits:job-quota")
def test_a_retry_passes_through_the_same_gate(api_with_quota: Callable[..., Api]) -> None:
    api = api_with_quota(1)
    ended = post(api).json["id"]
    api.delete(f"/v1/jobs/{ended}")
    api.wait_until(ended, "cancelled")
    post(api)

    refused = api.post(f"/v1/jobs/{ended}/retry")

    assert (refused.status, refused.json["code"]) == (429, "quota_exceeded")


@pytest.mark.requirement("security:137")
def test_of_50_parallel_creations_at_one_below_the_quota_exactly_one_succeeds(
    api_with_quota: Callable[..., Api],
) -> None:
    api = api_with_quota(4)
    for _ in range(3):
        assert post(api).status == 202

    answers = in_parallel([lambda: post(api)] * 50)

    assert sorted(answer.status for answer in answers) == [202] + [429] * 49
    assert api.get("/v1/jobs").json["total"] == 4


@pytest.mark.requirement("security:60")
def test_a_flood_of_jobs_from_one_tenant_stops_at_its_quota_and_at_nobody_else(
    api_with_quota: Callable[..., Api], api_url: str
) -> None:
    flooding, calm = api_with_quota(10), api_with_quota(None)

    with ThreadPoolExecutor(8) as threads:
        flood = [threads.submit(post, flooding) for _ in range(400)]
        beside = [post(calm) for _ in range(10)]
        statuses = [future.result().status for future in flood]

    assert (statuses.count(202), statuses.count(429)) == (10, 390)
    assert [answer.status for answer in beside] == [202] * 10


@pytest.mark.requirement("security:60")
def test_a_payload_of_a_megabyte_and_more_is_refused_unread(api_url: str) -> None:
    api = Api(api_url, make_token(make_tenant()))

    answers = [api.post("/v1/jobs", {"type": "demo", "payload": {"note": "x" * 1_048_576}}) for _ in range(5)]

    assert {answer.status for answer in answers} == {413}
    assert api.get("/v1/jobs").json["total"] == 0


@pytest.mark.requirement("security:60")
def test_whoever_ignores_retry_after_waits_no_longer_for_it(api_with_quota: Callable[..., Api]) -> None:
    api = api_with_quota(1)
    first = post(api).json["id"]

    storm = [post(api) for _ in range(100)]
    api.delete(f"/v1/jobs/{first}")
    api.wait_until(first, "cancelled")

    assert {answer.status for answer in storm} == {429}
    assert post(api).status == 202
