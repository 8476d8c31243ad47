"""The job queue as other programs see it: a Redis list of bare ids, and a worker that nothing on it can stop."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
from django.conf import settings as django_settings
from django.test import Client

from apps.identity.principal import Principal
from apps.jobs import services
from apps.jobs.types import PUBLIC_TYPES
from kernel.redis_keys import JOBS_DEAD
from tests.by_hand import make_row
from tests.clients import PATIENCE_S, Api, wait_for
from tests.factories import make_token


@pytest.fixture
def rejected(worker: Any, worker_metrics_port: int) -> Callable[[str], float]:
    """How many things the shared worker has set aside, by reason."""

    def count(reason: str) -> float:
        with urllib.request.urlopen(f"http://127.0.0.1:{worker_metrics_port}/metrics", timeout=PATIENCE_S) as answer:
            lines = answer.read().decode().splitlines()
        name = f'jobs_queue_rejected_total{{reason="{reason}"}} '
        return next((float(line.removeprefix(name)) for line in lines if line.startswith(name)), 0.0)

    return count


def dead_items(redis_client: redis.Redis) -> list[dict[str, Any]]:
    return [json.loads(line) for line in redis_client.lrange(JOBS_DEAD(), 0, -1)]


@pytest.mark.requirement("queue:bare-ids-in")
@pytest.mark.parametrize("type_name", ["test", "demo"])
def test_a_bare_id_that_any_program_pushes_is_run(
    api: Api, worker: Any, principal: Principal, redis_client: redis.Redis, type_name: str
) -> None:
    job_id = make_row(principal, type_name=type_name, payload_json={"duration_ms": 0})

    redis_client.lpush(f"jobs:queue:{type_name}", str(job_id))

    assert api.wait_until(str(job_id), "finished")["attempt"] == 1


@pytest.mark.requirement("queue:bare-ids-in")
@pytest.mark.parametrize(
    "shape",
    ["{id}", "  {id}\n", '{"job_id": "{id}"}', '{"headers": {"task": "jobs.run", "id": "{id}"}, "body": "W10="}'],
)
def test_other_ways_to_write_an_id_are_understood(
    api: Api, worker: Any, principal: Principal, redis_client: redis.Redis, shape: str
) -> None:
    job_id = str(make_row(principal, type_name="test"))

    redis_client.lpush("jobs:queue:test", shape.replace("{id}", job_id))

    api.wait_until(job_id, "finished")


@pytest.mark.requirement("queue:bare-ids-in")
def test_an_id_pushed_many_times_is_run_once(
    api: Api, worker: Any, principal: Principal, redis_client: redis.Redis
) -> None:
    job_id = str(make_row(principal, type_name="test"))

    redis_client.lpush("jobs:queue:test", *[job_id] * 50)
    api.wait_until(job_id, "finished")
    behind = api.submit("test")
    api.wait_until(behind, "finished")

    events = api.get(f"/v1/jobs/{job_id}/events?format=json").json["items"]
    assert [event["data"].get("to") for event in events if event["type"] == "status"] == [
        "queued",
        "running",
        "finished",
    ]


@pytest.mark.requirement("queue:bare-ids-out")
@pytest.mark.parametrize("type_name", PUBLIC_TYPES)
def test_what_the_api_enqueues_any_program_can_take_as_a_bare_id(
    tenant: Any, other_redis: redis.Redis, type_name: str
) -> None:
    client = Client(SERVER_NAME="127.0.0.1", headers={"Authorization": f"Bearer {make_token(tenant)}"})
    payload = {
        "long-running": {"duration_ms": 5000},
        "agent.run": {"prompt": "x"},
        "tool.invoke": {"tool": "system.time"},
    }.get(type_name, {})

    answer = client.post("/v1/jobs", {"type": type_name, "payload": payload}, content_type="application/json")

    taken = other_redis.brpop([f"jobs:queue:{type_name}"], timeout=PATIENCE_S)
    assert answer.status_code == 202
    assert taken == (f"jobs:queue:{type_name}".encode(), answer.json()["id"].encode())
    assert other_redis.llen(f"jobs:queue:{type_name}") == 0


@pytest.mark.requirement("queue:bare-ids-out")
def test_the_api_puts_ids_so_that_brpop_takes_the_oldest_first(principal: Principal, other_redis: redis.Redis) -> None:
    made = [services.create_job(principal, type_name="demo", payload={"duration_ms": 0}).job_id for _ in range(10)]

    taken = [UUID(other_redis.brpop(["jobs:queue:demo"], timeout=PATIENCE_S)[1].decode()) for _ in made]

    assert taken == made


@pytest.mark.requirement("jobs:priority")
def test_a_job_of_priority_waits_on_a_list_of_its_own(principal: Principal, other_redis: redis.Redis) -> None:
    urgent = services.create_job(principal, type_name="demo", payload={}, priority=1).job_id
    ordinary = services.create_job(principal, type_name="demo", payload={}, priority=-5).job_id

    assert other_redis.lrange("jobs:queue:demo:high", 0, -1) == [str(urgent).encode()]
    assert other_redis.lrange("jobs:queue:demo", 0, -1) == [str(ordinary).encode()]


@pytest.mark.requirement("jobs:priority")
def test_a_job_of_priority_overtakes_those_that_wait(api: Api, worker: Any) -> None:
    slots = django_settings.WORKER_CONCURRENCY
    busy = [api.submit("demo", {"duration_ms": 60_000}) for _ in range(slots)]  # all of the worker's
    for job_id in busy:
        api.wait_until(job_id, "running")
    waiting = [api.submit("test", {"duration_ms": 50}) for _ in range(12)]
    urgent = api.post("/v1/jobs", {"type": "test", "payload": {}, "priority": 5}).json["id"]

    api.delete(f"/v1/jobs/{busy[0]}")  # one slot
    started_at = api.wait_until(urgent, "finished")["started_at"]
    for job_id in busy[1:]:
        api.delete(f"/v1/jobs/{job_id}")

    earlier = [job_id for job_id in waiting if api.wait_until(job_id, "finished")["started_at"] < started_at]
    assert len(earlier) <= 1  # the pop that was under way when the last slot was taken


GARBAGE: dict[str, bytes] = {
    "text": b"this is no job",
    "nothing": b"",
    "nul": b"\x00\x00\x00",
    "not utf-8": b"\xff\xfe\x80garbage",
    "almost an id": b"123e4567-e89b-12d3-a456-42661417400",
    "a number": b"42",
    "a list": b"[1, 2, 3]",
    "json text": b'"headers"',
    "foreign json": b'{"task": "do_something", "args": [1]}',
    "job id of the wrong kind": b'{"job_id": 12}',
    "foreign celery message": json.dumps(
        {
            "body": "W1tdLCB7fSwge31d",
            "headers": {"lang": "py", "task": "os.system", "id": str(uuid4()), "argsrepr": "('true',)"},
            "properties": {"body_encoding": "base64", "delivery_info": {"routing_key": "celery"}},
            "content-type": "application/json",
        }
    ).encode(),
    "pickle": b"\x80\x04\x95\x1d\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    "deep": b'{"job_id":' * 5000,
    "megabyte": b"x" * 1_048_576,
}


@pytest.mark.requirement("queue:garbage")
@pytest.mark.parametrize("name", GARBAGE)
def test_what_is_no_job_is_kept_aside_and_the_next_job_runs(
    api: Api, worker: Any, redis_client: redis.Redis, rejected: Callable[[str], float], name: str
) -> None:
    redis_client.delete(JOBS_DEAD())
    before = rejected("not_a_job")

    redis_client.lpush("jobs:queue:test", GARBAGE[name])
    job_id = api.submit("test")
    api.wait_until(job_id, "finished")

    item = wait_for(lambda: dead_items(redis_client), what="the dead list")[0]
    assert (item["queue"], item["reason"]) == ("jobs:queue:test", "not_a_job")
    assert item["item"] == GARBAGE[name].decode("utf-8", "replace")[:65_536]
    assert item["at"].endswith("Z")
    assert rejected("not_a_job") == before + 1
    assert worker.poll() is None


@pytest.mark.requirement("queue:garbage")
def test_an_id_of_no_job_is_kept_aside(
    api: Api, worker: Any, redis_client: redis.Redis, rejected: Callable[[str], float]
) -> None:
    redis_client.delete(JOBS_DEAD())
    nobody, before = str(uuid4()), rejected("unknown_id")

    redis_client.lpush("jobs:queue:test", nobody)
    api.wait_until(api.submit("test"), "finished")

    item = wait_for(lambda: dead_items(redis_client), what="the dead list")[0]
    assert (item["item"], item["reason"]) == (nobody, "unknown_id")
    assert rejected("unknown_id") == before + 1


@pytest.mark.requirement("queue:garbage")
def test_a_flood_of_garbage_costs_a_bounded_list_and_no_job(api: Api, worker: Any, redis_client: redis.Redis) -> None:
    redis_client.lpush("jobs:queue:test", *(f"garbage {n}" for n in range(3000)))

    job_id = api.submit("test")
    api.wait_until(job_id, "finished")

    assert redis_client.llen(JOBS_DEAD()) == 1000
    assert redis_client.ttl(JOBS_DEAD()) > 29 * 86_400


@pytest.mark.requirement("queue:celery")
def test_the_id_may_also_come_from_a_celery_program(
    api: Api, worker: Any, principal: Principal, redis_client: redis.Redis
) -> None:
    job_id = str(make_row(principal, type_name="test"))
    send = "app.send_task('jobs.run', task_id=sys.argv[2], queue='jobs:queue:test', ignore_result=True)"
    program = f"import sys, celery; app = celery.Celery('foreign', broker=sys.argv[1]); {send}"

    subprocess.run([sys.executable, "-c", program, django_settings.REDIS_URL, job_id], check=True, timeout=PATIENCE_S)

    api.wait_until(job_id, "finished")


@pytest.mark.requirement("queue:celery")
def test_our_own_celery_app_sends_an_id_and_nothing_else(principal: Principal, other_redis: redis.Redis) -> None:
    from workers.celery import app

    job_id = str(make_row(principal, type_name="test"))
    url = django_settings.REDIS_URL

    with app.connection_for_write(url=url) as connection:
        app.send_task("jobs.run", task_id=job_id, queue="jobs:queue:test", connection=connection)

    assert other_redis.lrange("jobs:queue:test", 0, -1) == [job_id.encode()]
