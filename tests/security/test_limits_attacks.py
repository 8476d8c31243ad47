"""Attacks 57 and 58 at a running server: no spelling of a request gets around a limit, or makes Redis grow."""

import http.client
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.conf import settings
from django.http import HttpResponseNotFound
from django.test import RequestFactory

from apps.edge.rate_limit import RateLimit
from apps.tenancy.services import create_tenant
from tests.clients import PATIENCE_S, Answer, Api, free_port, is_up, wait_for
from tests.factories import make_principal, make_token

ADDRESS = 15  # the platform's 300, times 0.05


@pytest.fixture(scope="module")
def limited_url(spawn: Callable[..., Any]) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = spawn("config.serve", "--port", str(port), name="web-attacked", AGENTIC_RATE_LIMIT_FACTOR="0.05")
    wait_for(lambda: is_up(url), what="the API server answering")
    yield url
    process.terminate()
    process.wait(timeout=PATIENCE_S)


@pytest.fixture
def rdb() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL)


@pytest.fixture(autouse=True)
def shared_counts_begin_anew(rdb: redis.Redis) -> None:
    """What other tests did in the last minute counts against routes and this machine's address."""
    for key in rdb.scan_iter("ratelimit:*"):
        rdb.delete(key)


def own_tenant(user_per_minute: int) -> Any:
    mark = uuid4().hex[:12]
    limits = {"rate_limits": {"user_per_minute": user_per_minute}}
    return create_tenant(f"t-{mark}", f"Tenant {mark}", tenant_settings=limits)


def passed(answers: list[Answer]) -> int:
    return sum(answer.status != 429 for answer in answers)


@pytest.mark.requirement("security:57")
def test_no_spelling_of_path_or_method_is_counted_apart(limited_url: str) -> None:
    api = Api(limited_url, make_token(own_tenant(10)))
    spellings = ["/v1/jobs", "/v1/jobs/", "/v1//jobs", "/v1/JOBS", "/v1/%6aobs", "/v1/jobs?x=1", "/v1/jobs;a=1",
                 "/v1/./jobs", "/v1/jobs%2f", "/v1/jobs%00"]  # fmt: skip

    answers = [
        api.request(method, path) for path in spellings for method in ("GET", "HEAD", "PUT", "DELETE", "PROPFIND")
    ]

    assert len(answers) == 50
    assert passed(answers) == 10


@pytest.mark.requirement("security:57")
def test_several_tokens_of_one_caller_are_counted_as_one(limited_url: str) -> None:
    tenant, sub = own_tenant(10), uuid4().hex
    callers = [Api(limited_url, make_token(tenant, sub=sub, ttl_s=600 + n)) for n in range(8)]

    answers = [caller.get("/v1/jobs") for _ in range(5) for caller in callers]

    assert len({caller.token for caller in callers}) == 8
    assert passed(answers) == 10


@pytest.mark.requirement("security:57")
def test_a_concurrent_burst_of_one_caller_is_counted_exactly(limited_url: str) -> None:
    api = Api(limited_url, make_token(own_tenant(50)))

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: api.get("/v1/jobs"), range(300)))

    assert passed(answers) == 50


@pytest.mark.requirement("security:58")
def test_random_paths_at_the_server_make_no_keys(limited_url: str, rdb: redis.Redis) -> None:
    token = make_token(own_tenant(10_000))
    Api(limited_url, token).get("/v1/warm-up")
    before = set(rdb.scan_iter("ratelimit:*"))
    connection = http.client.HTTPConnection(limited_url.removeprefix("http://"), timeout=PATIENCE_S)
    seen = set()

    for _ in range(500):  # well within what a tenant may do on one route here
        path = f"/v1/{secrets.token_urlsafe(12)}"
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        with connection.getresponse() as response:
            response.read()
            seen.add(response.status)
    connection.close()

    assert seen == {404}
    assert set(rdb.scan_iter("ratelimit:*")) == before
    assert {key for key in before if b"endpoint" in key} == {b"ratelimit:endpoint:GET:unmatched"}


@pytest.mark.requirement("security:58")
def test_ten_thousand_random_paths_through_the_layer_leave_redis_as_it_was(rdb: redis.Redis) -> None:
    layer = RateLimit(lambda request: HttpResponseNotFound())
    requests, caller = RequestFactory(), make_principal(own_tenant(100_000))

    def ask(path: str) -> int:
        request = requests.get(path)
        request.principal = caller
        return layer(request).status_code

    ask("/v1/warm-up")
    before, memory_before = set(rdb.scan_iter("ratelimit:*")), rdb.info("memory")["used_memory"]
    seen = {ask(f"/v1/{secrets.token_urlsafe(12)}/{number}") for number in range(10_000)}

    assert seen == {404}
    assert set(rdb.scan_iter("ratelimit:*")) == before
    assert rdb.info("memory")["used_memory"] - memory_before < 500_000


# Last: it uses up what this machine's address may do at the server.
@pytest.mark.requirement("security:57")
def test_no_forwarding_header_of_a_client_is_believed(limited_url: str) -> None:
    def attempt(number: int) -> Answer:
        forged = f"198.51.100.{number}"
        return Api(limited_url, "bad").get(
            "/v1/jobs",
            X_Forwarded_For=forged,
            Forwarded=f"for={forged}",
            X_Real_IP=forged,
            True_Client_IP=forged,
            CF_Connecting_IP=forged,
            X_Client_IP=forged,
        )

    answers = [attempt(number) for number in range(ADDRESS * 3)]

    assert [answer.status for answer in answers] == [401] * ADDRESS + [429] * ADDRESS * 2
