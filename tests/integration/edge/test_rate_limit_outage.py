"""Layer 4 without Redis: every process allows its share by itself, says so, and nobody waits for long."""

import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from django.conf import settings

from tests.clients import PATIENCE_S, Api, free_port, is_up, wait_for
from tests.factories import make_token

ME = "/v1/auth/me"
SHARE = 15  # user: 600 a minute, times 0.05, for one of two processes


def serve(spawn: Callable[..., Any], name: str, redis_url: str) -> tuple[Any, str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = spawn("config.serve", "--port", str(port), name=name, REDIS_URL=redis_url,
                    AGENTIC_RATE_LIMIT_FACTOR="0.05", AGENTIC_WEB_PROCESSES="2")  # fmt: skip
    wait_for(lambda: is_up(url), what="the API server answering")
    return process, url


def elsewhere(port: int) -> str:
    return settings.REDIS_URL.rpartition(":")[0] + f":{port}/0"


@pytest.fixture(scope="module")
def without_redis(spawn: Callable[..., Any]) -> Iterator[str]:
    process, url = serve(spawn, "web-limits-no-redis", elsewhere(free_port()))
    yield url
    process.terminate()
    process.wait(timeout=PATIENCE_S)


class SilentRedis(socketserver.StreamRequestHandler):
    """Takes connections, notes when something is asked on them, and never says a word."""

    asked_at: ClassVar[list[float]] = []

    def handle(self) -> None:
        if self.rfile.readline():
            self.asked_at.append(time.monotonic())
        while self.rfile.readline():
            pass


@pytest.fixture(scope="module")
def with_silent_redis(spawn: Callable[..., Any]) -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), SilentRedis) as silent:
        silent.daemon_threads = True
        threading.Thread(target=silent.serve_forever, daemon=True).start()
        process, url = serve(spawn, "web-limits-silent-redis", elsewhere(silent.server_address[1]))
        yield url
        process.terminate()
        process.wait(timeout=PATIENCE_S)
        silent.shutdown()


@pytest.mark.requirement("limits:redis-down")
def test_without_redis_a_process_allows_its_share_and_says_so(without_redis: str, tenant: Any) -> None:
    api = Api(without_redis, make_token(tenant))

    answers = [api.get(ME) for _ in range(SHARE + 5)]

    assert [answer.status for answer in answers] == [200] * SHARE + [429] * 5
    assert {answer.headers["x-ratelimit-policy"] for answer in answers} == {"local"}
    assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {str(SHARE)}
    assert int(answers[-1].headers["retry-after"]) > 0
    page = Api(without_redis).get("/metrics").body.decode()
    assert 'rate_limit_checks_total{allowed="true",backend="local"}' in page
    assert 'rate_limit_checks_total{allowed="false",backend="local"}' in page


@pytest.mark.requirement("limits:redis-down")
def test_a_redis_that_hangs_costs_a_process_one_slow_request_a_second(with_silent_redis: str, tenant: Any) -> None:
    api = Api(with_silent_redis, make_token(tenant, role="admin"))
    SilentRedis.asked_at.clear()

    began = time.monotonic()
    answers = [api.get(ME).status for _ in range(50)]
    took_s = time.monotonic() - began

    assert answers == [200] * 50
    assert 1 <= len(SilentRedis.asked_at) <= took_s + 2
