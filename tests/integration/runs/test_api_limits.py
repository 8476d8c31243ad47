"""How many runs a caller and a tenant may start: counted beside all requests, before anything is read."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apps.edge.rate_limit import run_limits
from apps.identity.principal import Principal
from apps.tenancy.models import Tenant
from kernel.rate_limit import limiter
from kernel.rate_limit.windows import HOUR
from tests.clients import PATIENCE_S, Api, free_port, is_up, wait_for
from tests.factories import make_principal, make_token
from tests.integration.runs.runs_api import PATH


@pytest.fixture(scope="module")
def limited_url(spawn: Callable[..., Any]) -> Iterator[str]:
    """A server with the limits as they are shipped."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = spawn("config.serve", "--port", str(port), name="web-run-limits", AGENTIC_RATE_LIMIT_FACTOR="1")
    wait_for(lambda: is_up(url), what="the limited API server answering")
    yield url
    process.terminate()
    process.wait(timeout=PATIENCE_S)


@pytest.mark.requirement("runs:api-limits")
def test_the_twenty_first_run_of_a_minute_is_refused_to_its_caller_alone(limited_url: str, tenant: Tenant) -> None:
    api, colleague = (Api(limited_url, make_token(tenant)) for _ in range(2))
    first = api.post(PATH, {})
    others = {api.post(path, {}).status for path in [PATH, f"{PATH}:run"] * 9}
    last = api.post(f"{PATH}/{'0' * 8}-{'0' * 4}-{'0' * 4}-{'0' * 4}-{'0' * 12}/resume")

    refused = api.post(PATH, {"prompt": "Hello"})
    reading, of_a_colleague = api.get(PATH), colleague.post(PATH, {})

    assert (first.status, first.headers["x-ratelimit-limit"], first.headers["x-ratelimit-remaining"]) == (
        422,
        "20",
        "19",
    )
    assert (others, last.status) == ({422}, 404)
    assert (refused.status, refused.json["code"]) == (429, "rate_limited")
    assert refused.headers["x-ratelimit-scope"] == "user-runs"
    assert (refused.headers["x-ratelimit-limit"], refused.headers["x-ratelimit-window"]) == ("20", "60")
    assert 0 < int(refused.headers["retry-after"]) <= 65
    assert reading.status == 200
    assert of_a_colleague.status == 422


@pytest.mark.requirement("runs:api-limits")
def test_a_tenants_callers_share_an_hour(tenant: Any, settings: Any) -> None:
    settings.RUNS_PER_TENANT_HOUR, settings.RATE_LIMIT_FACTOR = 3, 1.0

    def take(principal: Principal) -> Any:
        return limiter.take(run_limits(principal, "POST", "/v1/agent-runs"))

    decisions = [take(make_principal(tenant)) for _ in range(4)]

    assert [decision.allowed for decision in decisions] == [True, True, True, False]
    assert (decisions[3].scope, decisions[3].window_s) == ("tenant-runs", HOUR.seconds) == ("tenant-runs", 3600)


@pytest.mark.requirement("runs:api-limits")
@pytest.mark.parametrize(("method", "route"), [("GET", "/v1/agent-runs"), ("POST", "/v1/jobs"), ("POST", None)])
def test_whatever_starts_no_run_is_not_counted(tenant: Any, method: str, route: str | None) -> None:
    assert run_limits(make_principal(tenant), method, route) == []
