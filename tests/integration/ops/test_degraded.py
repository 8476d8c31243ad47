"""Redis away, on servers of this file's own: the API says degraded, accepts jobs, and they run."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings

from apps.identity.principal import Principal
from tests.by_hand import HandJob
from tests.clients import PATIENCE_S, Api, free_port, is_up, wait_for
from tests.streams import Stream, ids


@pytest.fixture(scope="module")
def without_redis(spawn: Callable[..., Any]) -> Iterator[str]:
    """An API server and a worker whose Redis does not answer; the shared ones do not see what is enqueued there."""
    nowhere = settings.REDIS_URL.rpartition(":")[0] + f":{free_port()}/0"
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    web = spawn("config.serve", "--port", str(port), name="web-without-redis", REDIS_URL=nowhere)
    worker = spawn(
        "celery", "-A", "workers", "worker", "--hostname", "lonely@test",
        name="worker-without-redis", REDIS_URL=nowhere,
    )  # fmt: skip
    wait_for(lambda: is_up(url), what="the API server answering")
    yield url
    for process in (web, worker):  # it polls the rows: it would run other tests' jobs
        process.terminate()
        process.wait(timeout=PATIENCE_S)


@pytest.fixture
def cut_off(api: Api, without_redis: str) -> Api:
    """The caller of `api`, at the server without Redis."""
    return Api(without_redis, api.token)


@pytest.mark.requirement("ops:degraded")
def test_without_redis_the_api_is_ready_and_says_degraded(cut_off: Api) -> None:
    answer = cut_off.get("/v1/health/ready")

    assert answer.status == 200
    assert answer.json["status"] == "degraded"
    assert answer.json["checks"]["redis"]["ok"] is False
    assert cut_off.get("/v1/health/live").status == 200
    assert cut_off.get("/v1/health/components/redis").json["status"] == "down"


@pytest.mark.requirement("ops:degraded")
def test_without_redis_a_job_is_accepted_run_and_streamed(cut_off: Api, redis_client: Any) -> None:
    answer = cut_off.post("/v1/jobs", {"type": "demo", "payload": {"duration_ms": 200}}, Idempotency_Key="k")
    again = cut_off.post("/v1/jobs", {"type": "demo", "payload": {"duration_ms": 200}}, Idempotency_Key="k")

    with Stream(cut_off, answer.json["id"]) as stream:
        events = stream.rest()

    assert (answer.status, again.status, again.body) == (202, 200, answer.body)
    assert ids(events) == list(range(1, len(events) + 1))
    assert (events[-1].type, events[-1].data["final"]) == ("end", "finished")


@pytest.mark.requirement("ops:degraded")
def test_without_redis_everything_else_answers_too(cut_off: Api, principal: Principal) -> None:
    job = HandJob(principal)

    assert cut_off.get("/v1/jobs").json["total"] == 1
    assert cut_off.get(f"/v1/jobs/{job.id}").status == 200
    assert cut_off.get("/v1/jobs/stats").status == 200
    assert cut_off.get("/metrics").status == 200
    assert cut_off.delete(f"/v1/jobs/{job.id}").json["status"] == "cancelled"
    assert cut_off.get(f"/v1/jobs/{job.id}/events?format=json").json["status"] == "cancelled"
