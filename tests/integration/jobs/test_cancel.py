"""DELETE /v1/jobs/{id}: a queued job never starts, a running one stops, and an ended one stays as it ended."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.conf import settings

from apps.identity.principal import Principal
from kernel.redis_client import load_script
from kernel.redis_keys import JOBS_CANCEL, JOBS_STATE
from tests.by_hand import HandJob, make_row
from tests.clients import Api, wait_for


def event_page(api: Api, job_id: object) -> list[dict[str, Any]]:
    return list(api.get(f"/v1/jobs/{job_id}/events?format=json").json["items"])


def ends(api: Api, job_id: object) -> list[str]:
    return [event["data"]["final"] for event in event_page(api, job_id) if event["type"] == "end"]


@pytest.mark.requirement("jobs:cancel-queued")
def test_a_queued_job_is_cancelled_at_once(api: Api, principal: Principal) -> None:
    job = HandJob(principal)

    answer = api.delete(f"/v1/jobs/{job.id}")

    assert (answer.status, answer.json) == (202, {"id": str(job.id), "status": "cancelled"})
    assert answer.headers["cache-control"] == "no-store"
    shown = api.job(str(job.id))
    assert (shown["status"], shown["result"], shown["started_at"]) == ("cancelled", {"cancelled": True}, None)
    assert shown["completed_at"] is not None
    assert [event["type"] for event in event_page(api, job.id)] == ["status", "status", "end"]
    assert ends(api, job.id) == ["cancelled"]


@pytest.mark.requirement("jobs:cancel-queued")
def test_a_cancelled_job_does_not_start_when_its_id_reaches_a_worker(
    api: Api, worker: Any, principal: Principal, redis_client: redis.Redis
) -> None:
    job_id = make_row(principal, type_name="test")
    api.delete(f"/v1/jobs/{job_id}")

    redis_client.lpush("jobs:queue:test", str(job_id))
    next_one = api.submit("test")  # behind it in the same list
    api.wait_until(next_one, "finished")

    shown = api.job(str(job_id))
    assert (shown["status"], shown["attempt"], shown["started_at"]) == ("cancelled", 0, None)


@pytest.mark.requirement("jobs:cancel-queued")
def test_of_many_jobs_cancelled_behind_a_busy_worker_none_starts(api: Api, worker: Any) -> None:
    busy = [
        api.submit("demo", {"duration_ms": 60_000}) for _ in range(settings.WORKER_CONCURRENCY)
    ]  # all the worker's slots
    for job_id in busy:
        api.wait_until(job_id, "running")
    waiting = [api.submit("test") for _ in range(40)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda job_id: api.delete(f"/v1/jobs/{job_id}"), waiting))
        list(pool.map(lambda job_id: api.delete(f"/v1/jobs/{job_id}"), busy))
    after = api.submit("test")
    api.wait_until(after, "finished")

    assert {(answer.status, answer.json["status"]) for answer in answers} == {(202, "cancelled")}
    shown = [api.job(job_id) for job_id in waiting]
    assert {(job["status"], job["attempt"]) for job in shown} == {("cancelled", 0)}


@pytest.mark.requirement("jobs:cancel-running")
def test_a_running_job_stops_long_before_its_end(api: Api, worker: Any) -> None:
    job_id = api.submit("demo", {"duration_ms": 60_000})
    api.wait_until(job_id, "running")

    asked_at = time.monotonic()
    answer = api.delete(f"/v1/jobs/{job_id}")
    job = api.wait_until(job_id, "cancelled")
    took_s = time.monotonic() - asked_at

    assert (answer.status, answer.json["status"]) == (202, "running")
    assert took_s < 20
    assert job["result"] == {"cancelled": True}
    assert job["cancel_requested_at"] is not None
    assert ends(api, job_id) == ["cancelled"]


@pytest.mark.requirement("jobs:cancel-running")
def test_without_the_flag_in_redis_the_heartbeat_brings_the_news(
    api: Api, worker: Any, redis_client: redis.Redis
) -> None:
    job_id = api.submit("demo", {"duration_ms": 60_000})
    api.wait_until(job_id, "running")

    redis_client.hset(JOBS_STATE(id=job_id), "status", "finished")  # the script believes the hash and sets no flag
    api.delete(f"/v1/jobs/{job_id}")

    assert redis_client.get(JOBS_CANCEL(id=job_id)) is None
    assert api.wait_until(job_id, "cancelled")["status"] == "cancelled"


@pytest.mark.requirement("jobs:cancel")
@pytest.mark.parametrize("status", ["finished", "failed", "cancelled"])
def test_an_ended_job_stays_as_it_ended(api: Api, principal: Principal, status: str) -> None:
    job = HandJob(principal).claim().finish(status)
    before = api.job(str(job.id))

    answer = api.delete(f"/v1/jobs/{job.id}")

    assert (answer.status, answer.json) == (200, {"id": str(job.id), "status": status})
    assert api.job(str(job.id)) == before


@pytest.mark.requirement("jobs:cancel")
def test_asking_twice_changes_nothing_more(api: Api, principal: Principal) -> None:
    queued, running = HandJob(principal), HandJob(principal).claim()

    first = [api.delete(f"/v1/jobs/{job.id}") for job in (queued, running)]
    shown = [api.job(str(job.id)) for job in (queued, running)]
    second = [api.delete(f"/v1/jobs/{job.id}") for job in (queued, running)]

    assert [(answer.status, answer.json["status"]) for answer in first] == [(202, "cancelled"), (202, "running")]
    assert [(answer.status, answer.json["status"]) for answer in second] == [(200, "cancelled"), (202, "running")]
    assert [api.job(str(job.id)) for job in (queued, running)] == shown


@pytest.mark.requirement("jobs:cancel")
def test_a_missing_job_cannot_be_cancelled(api: Api) -> None:
    assert api.delete(f"/v1/jobs/{uuid4()}").status == 404


@pytest.mark.requirement("jobs:cancel-flag")
def test_cancelling_a_running_job_sets_a_flag_for_an_hour_that_its_end_removes(
    api: Api, principal: Principal, redis_client: redis.Redis
) -> None:
    job = HandJob(principal).claim()

    api.delete(f"/v1/jobs/{job.id}")
    flag, ttl_s = redis_client.get(JOBS_CANCEL(id=job.id)), redis_client.ttl(JOBS_CANCEL(id=job.id))
    job.finish("cancelled")

    assert JOBS_CANCEL(id=job.id) == f"jobs:cancel:{job.id}"
    assert flag == b"1"
    assert 3500 < ttl_s <= 3600
    assert redis_client.get(JOBS_CANCEL(id=job.id)) is None


@pytest.mark.requirement("jobs:cancel-flag")
@pytest.mark.parametrize(
    ("status", "answer"),
    [("queued", 1), ("running", 1), (None, 1), ("finished", 0), ("failed", 0), ("cancelled", 0)],
)
def test_the_script_flags_only_what_has_not_ended(redis_client: redis.Redis, status: str | None, answer: int) -> None:
    job_id = uuid4()
    if status:
        redis_client.hset(JOBS_STATE(id=job_id), "status", status)

    said = load_script("cancel_job")(keys=[JOBS_STATE(id=job_id), JOBS_CANCEL(id=job_id)], args=[5])

    assert said == answer
    assert redis_client.exists(JOBS_CANCEL(id=job_id)) == answer
    redis_client.delete(JOBS_STATE(id=job_id), JOBS_CANCEL(id=job_id))


@pytest.mark.requirement("jobs:one-end")
def test_cancelling_against_the_end_gives_one_end_that_the_status_agrees_with(api: Api, worker: Any) -> None:
    def race(number: int) -> str:
        job_id = api.submit("test", {"duration_ms": number % 5})
        wait_for(lambda: api.delete(f"/v1/jobs/{job_id}").status == 200, what="the end of the race")
        return job_id

    with ThreadPoolExecutor(8) as pool:
        raced = list(pool.map(race, range(80)))

    for job_id in raced:
        assert ends(api, job_id) == [api.job(job_id)["status"]]
