"""One API server and one worker for the whole run, for tests that need both and break neither."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.clients import Api, free_port, is_up, wait_for
from tests.factories import make_token


@pytest.fixture(scope="session")
def api_url(spawn: Callable[..., Any]) -> str:
    """The base URL of a running API server (ASGI, streams included)."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = spawn("config.serve", "--port", str(port), name="web")
    wait_for(lambda: process.poll() is not None or is_up(url), limit_s=30, what="the API server answering")
    assert process.poll() is None, "the API server ended; see web.log"
    return url


@pytest.fixture(scope="session")
def worker(spawn: Callable[..., Any], api_url: str) -> Any:
    """A running worker for all job types."""
    process = spawn("celery", "-A", "workers", "worker", "--hostname", "shared@test", name="worker")
    wait_for(
        lambda: Api(api_url).get("/v1/health/components/workers").json["ok"], limit_s=30, what="the worker's heartbeat"
    )
    return process


@pytest.fixture
def api(api_url: str, tenant: Any) -> Api:
    """A plain user of a tenant of this test's own."""
    return Api(api_url, make_token(tenant))
