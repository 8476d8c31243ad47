"""What Redis shows of a job: the state hash and the ring of events, as SPEC 9.2 names them."""

import json
from typing import Any

import pytest
import redis

from apps.identity.principal import Principal
from tests.by_hand import HandJob
from tests.clients import Api

DAY_S = 86_400


def ring(redis_client: redis.Redis, job_id: object) -> list[dict[str, Any]]:
    return [json.loads(line) for line in redis_client.lrange(f"jobs:events:{job_id}", 0, -1)]


def state(redis_client: redis.Redis, job_id: object) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in redis_client.hgetall(f"jobs:state:{job_id}").items()}


@pytest.mark.requirement("queue:mirror")
def test_an_accepted_job_has_its_state_in_redis_before_the_answer(
    api: Api, principal: Principal, redis_client: redis.Redis
) -> None:
    job_id = api.submit("demo", {"duration_ms": 0})

    shown = state(redis_client, job_id)

    assert shown["status"] in ("queued", "running", "finished")
    assert shown["type"] == "demo"
    assert shown["owner_sub"] == principal.sub
    assert shown["tenant_id"] == str(principal.tenant_id)


@pytest.mark.requirement("queue:mirror")
def test_the_state_hash_follows_the_job(api: Api, principal: Principal, redis_client: redis.Redis) -> None:
    job = HandJob(principal)
    seen = []

    for move in (job.claim, lambda: job.report("hello"), job.finish):
        move()
        shown = state(redis_client, job.id)
        seen.append((shown["status"], shown["last_seq"], shown["attempt"]))

    assert seen == [("running", "2", "1"), ("running", "3", "1"), ("finished", "5", "1")]
    assert set(shown) == {
        "status", "type", "owner_sub", "tenant_id", "last_seq", "attempt", "worker_id", "progress", "updated_at"
    }  # fmt: skip
    assert shown["worker_id"].startswith("hand-")
    assert shown["progress"] == "100.0"
    assert 6 * DAY_S < redis_client.ttl(f"jobs:state:{job.id}") <= 7 * DAY_S


@pytest.mark.requirement("queue:mirror")
def test_the_ring_holds_the_events_oldest_first_as_the_log_has_them(
    api: Api, worker: Any, redis_client: redis.Redis
) -> None:
    job_id = api.submit("demo", {"duration_ms": 300})
    api.wait_until(job_id, "finished")
    stream = [event for event in api.events(job_id) if event.type != "comment"]  # waits for the ring

    held = ring(redis_client, job_id)
    page = api.get(f"/v1/jobs/{job_id}/events?format=json").json["items"]

    assert [set(line) for line in held] == [{"seq_id", "event_type", "event_json", "created_at"}] * len(page)
    assert [(line["seq_id"], line["event_type"], line["event_json"]) for line in held] == [
        (event["id"], event["type"], event["data"]) for event in page
    ]
    assert [line["created_at"] for line in held] == [event["created_at"] for event in page]
    assert [event.id for event in stream] == [line["seq_id"] for line in held]
    assert 0 < redis_client.ttl(f"jobs:events:{job_id}") <= DAY_S


@pytest.mark.requirement("queue:mirror")
def test_the_ring_keeps_the_last_thousand(principal: Principal, redis_client: redis.Redis) -> None:
    job = HandJob(principal).claim()
    for batch in range(11):
        job.report(*(f"{batch}-{n}" for n in range(100)))

    held = [line["seq_id"] for line in ring(redis_client, job.id)]

    assert held == list(range(job.last_seq - 999, job.last_seq + 1))


@pytest.mark.requirement("queue:mirror")
def test_a_cancelled_jobs_state_says_so(api: Api, principal: Principal, redis_client: redis.Redis) -> None:
    job = HandJob(principal)

    api.delete(f"/v1/jobs/{job.id}")

    assert state(redis_client, job.id)["status"] == "cancelled"
    assert [line["event_type"] for line in ring(redis_client, job.id)] == ["status", "status", "end"]
