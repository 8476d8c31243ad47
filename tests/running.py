"""One API server and one worker for all tests of a process that need them and break neither: fixtures."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.conf import settings

from apps.identity.principal import Principal
from apps.jobs.models import WorkerHeartbeat
from kernel import redis_client as redis_client_module
from tests.clients import Api, free_port, is_up, wait_for
from tests.factories import make_principal, make_tenant, make_token

OTHER_DATABASE = "/5"  # of Redis


@pytest.fixture(scope="session")
def api_url(spawn: Callable[..., Any]) -> str:
    """The base URL of a running API server (ASGI, streams included)."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = spawn("config.serve", "--port", str(port), name="web")
    wait_for(lambda: process.poll() is not None or is_up(url), what="the API server answering")
    assert process.poll() is None, "the API server ended; see web.log"
    return url


@pytest.fixture(scope="session")
def worker_metrics_port() -> int:
    """Where the shared worker shows its metrics."""
    return free_port()


@pytest.fixture(scope="session")
def worker(spawn: Callable[..., Any], api_url: str, worker_metrics_port: int) -> Any:
    """A running worker for all job types, and for runs; those whose prompt is a script follow it."""
    process = spawn(
        "celery", "-A", "workers", "worker", "--hostname", "shared@test", "-I", "tests.run_script,tests.slow_worker",
        name="worker", AGENTIC_METRICS_PORT=str(worker_metrics_port),
    )  # fmt: skip
    heartbeats = WorkerHeartbeat.objects.filter(worker__startswith="shared@test")
    wait_for(heartbeats.exists, what="the worker's heartbeat")
    return process


@pytest.fixture
def principal(tenant: Any) -> Principal:
    """The caller of `api`, for tests that need to know what its token says."""
    return make_principal(tenant)


@pytest.fixture
def api(api_url: str, tenant: Any, principal: Principal) -> Api:
    """A plain user of a tenant of this test's own."""
    return Api(api_url, make_token(tenant, sub=principal.sub))


@pytest.fixture
def colleague(api_url: str, tenant: Any) -> Api:
    """Another user of the same tenant."""
    return Api(api_url, make_token(tenant))


@pytest.fixture
def admin(api_url: str, tenant: Any) -> Api:
    """An administrator of the same tenant."""
    return Api(api_url, make_token(tenant, role="admin"))


@pytest.fixture
def stranger(api_url: str) -> Api:
    """An administrator of another tenant."""
    return Api(api_url, make_token(make_tenant(), role="admin"))


@pytest.fixture
def redis_client() -> redis.Redis:
    """Redis as any program sees it: bytes in, bytes out."""
    return redis.Redis.from_url(settings.REDIS_URL)


@pytest.fixture
def other_redis(settings: Any) -> Iterator[redis.Redis]:
    """A database of Redis that no worker listens to; this process enqueues there."""
    url = settings.REDIS_URL.rsplit("/", 1)[0] + OTHER_DATABASE
    settings.REDIS_URL = url
    forget_clients()
    there = redis.Redis.from_url(url)
    there.flushdb()
    yield there
    there.flushdb()
    forget_clients()


def forget_clients() -> None:
    """This process's client, and the scripts that hold on to it."""
    redis_client_module.client.cache_clear()
    redis_client_module.load_script.cache_clear()  # a script keeps the client it was registered with
