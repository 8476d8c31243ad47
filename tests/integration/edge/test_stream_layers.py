"""Streams go around Django's middleware, and through the same layers all the same."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from apps.identity.principal import Principal
from apps.identity.services import ensure_user, set_user_active
from apps.tenancy.models import Tenant
from apps.tenancy.services import set_tenant_status
from tests.by_hand import HandJob
from tests.clients import PATIENCE_S, Api, free_port, is_up, wait_for
from tests.factories import make_principal, make_tenant, make_token
from tests.streams import Stream

PANEL = "https://panel.example.org"
WITHIN_S = 30


@pytest.fixture(scope="module")
def panel_url(spawn: Callable[..., Any]) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = spawn(
        "config.serve", "--port", str(port), name="web-streams",
        AGENTIC_CORS_ORIGINS=PANEL, AGENTIC_SSE_HEARTBEAT_S="1",
    )  # fmt: skip
    wait_for(lambda: is_up(url), what="the API server answering")
    yield url
    process.terminate()
    process.wait(timeout=PATIENCE_S)


@pytest.fixture
def there(panel_url: str, api: Api) -> Api:
    return Api(panel_url, api.token)


@pytest.mark.requirement("trace:streams")
def test_a_stream_and_its_refusals_can_be_read_by_an_allowed_page(there: Api, principal: Principal) -> None:
    job = HandJob(principal).claim().finish()

    with Stream(there, job.id, Origin=PANEL) as good, Stream(there, "nothing", Origin=PANEL) as bad:
        statuses = (good.status, bad.status)
    with Stream(there, job.id, Origin="https://elsewhere.example") as other:
        pass

    assert statuses == (200, 400)
    assert good.headers["access-control-allow-origin"] == bad.headers["access-control-allow-origin"] == PANEL
    assert "access-control-allow-origin" not in other.headers
    assert other.headers["vary"] == "Origin"


@pytest.mark.requirement("trace:streams")
def test_opening_a_stream_counts_as_a_request_and_says_what_is_left(there: Api, principal: Principal) -> None:
    job = HandJob(principal).claim().finish()

    with Stream(there, job.id) as first, Stream(there, job.id) as second:
        pass

    assert int(first.headers["x-ratelimit-remaining"]) - int(second.headers["x-ratelimit-remaining"]) == 1
    assert first.headers["x-ratelimit-limit"]


@pytest.mark.requirement("trace:streams")
def test_a_stranger_is_refused_before_anything_is_said_about_the_job(there: Api) -> None:
    with Stream(Api(there.base_url, "no-token"), "nothing") as stream:
        problem = json.loads(stream.response.read())

    assert stream.status == 401
    assert problem["code"] == "unauthenticated"
    assert stream.headers["www-authenticate"]


@pytest.mark.requirement("trace:streams")
def test_a_suspended_tenants_streams_are_refused(there: Api, tenant: Tenant, principal: Principal) -> None:
    job = HandJob(principal).claim().finish()

    set_tenant_status(tenant.id, Tenant.Status.SUSPENDED)

    def refused() -> bool:
        with Stream(there, job.id) as stream:
            return stream.status == 403

    wait_for(refused, what="the suspension being noticed")


@pytest.mark.requirement("trace:streams")
def test_another_tenants_name_in_the_header_is_refused(there: Api, principal: Principal) -> None:
    job = HandJob(principal).claim().finish()

    with Stream(there, job.id, X_Tenant_Id=str(make_tenant().id)) as stream:
        problem = json.loads(stream.response.read())

    assert (stream.status, problem["code"]) == (403, "cross_tenant_refused")


@pytest.mark.requirement("trace:streams")
def test_a_caller_without_the_right_is_refused(there: Api, tenant: Tenant, principal: Principal) -> None:
    from apps.identity.issuer import sign_access_token

    job = HandJob(principal).claim().finish()
    token = sign_access_token(
        sub=principal.sub, tenant_id=tenant.id, roles=["user"], scopes=["tools:invoke"], client_id="tests", ttl_s=600
    )

    with Stream(Api(there.base_url, token), job.id) as stream:
        assert stream.status == 403


@pytest.mark.requirement("trace:streams")
def test_what_a_stream_brings_is_scrubbed_as_an_answer_is(there: Api, principal: Principal) -> None:
    secret = "write to ada@example.org or +39 051 6171411"
    job = HandJob(principal).claim().report(secret).finish()

    with Stream(there, job.id) as stream, _socket(there, job.id) as socket:
        events = stream.rest()
        messages = [json.loads(socket.recv(timeout=PATIENCE_S)) for _ in events]

    assert len(events) == len(messages) == 5
    assert [message["data"] for message in messages] == [event.data for event in events]
    assert "ada@example.org" not in json.dumps([event.data for event in events])
    assert "REDACTED" in json.dumps(events[2].data)


@pytest.fixture
def disable(tenant: Tenant) -> tuple[str, Callable[[], object]]:
    user = ensure_user(username=f"u-{tenant.slug}@example.org", password="x" * 20, tenant_id=tenant.id, roles=["user"])
    return str(user.id), lambda: set_user_active(user.id, is_active=False)


@pytest.mark.requirement("security:16")
@pytest.mark.parametrize("what", ["the user is disabled", "the tenant is suspended", "the tenant is being deleted"])
def test_an_open_stream_ends_within_30_seconds_of_its_callers_rights(
    panel_url: str, tenant: Tenant, disable: tuple[str, Callable[[], object]], what: str
) -> None:
    sub, off = disable
    take_away = {
        "the user is disabled": off,
        "the tenant is suspended": lambda: set_tenant_status(tenant.id, Tenant.Status.SUSPENDED),
        "the tenant is being deleted": lambda: set_tenant_status(tenant.id, Tenant.Status.DELETING),
    }[what]
    job = HandJob(make_principal(tenant, sub=sub)).claim()
    caller = Api(panel_url, make_token(tenant, sub=sub))

    with Stream(caller, job.id, timeout_s=WITHIN_S) as stream, _socket(caller, job.id) as socket:
        stream.next()
        began = time.monotonic()
        take_away()
        seen = []
        while (event := stream.next_of_any_kind()) is not None:
            seen.append(event.data)
            assert time.monotonic() - began < WITHIN_S
        code = _close_code(socket)

    assert time.monotonic() - began < WITHIN_S
    assert seen[-1] == "no longer authorised"
    assert code == 4401


@pytest.mark.requirement("security:16")
def test_an_open_stream_of_a_caller_in_good_standing_stays(there: Api, principal: Principal) -> None:
    job = HandJob(principal).claim()

    with Stream(there, job.id) as stream:
        stream.take(2)
        for _ in range(8):  # heartbeats, a second apart, with a look at the caller among them
            event = stream.next_of_any_kind()
            assert event is not None
            assert event.data == "keep-alive"


def _socket(caller: Api, job_id: object) -> Any:
    url = f"{caller.base_url.replace('http', 'ws', 1)}/ws/jobs/{job_id}"
    return connect(url, subprotocols=["agentic.v1", f"bearer.{caller.token}"])  # type: ignore[arg-type]


def _close_code(socket: Any) -> int:
    try:
        while True:
            socket.recv(timeout=WITHIN_S)
    except ConnectionClosed as closed:
        assert closed.rcvd is not None
        return int(closed.rcvd.code)


@pytest.mark.requirement("trace:streams")
def test_a_websocket_of_an_allowed_page_is_taken_and_named(there: Api, principal: Principal) -> None:
    job = HandJob(principal).claim().finish()
    url = f"{there.base_url.replace('http', 'ws', 1)}/ws/jobs/{job.id}"

    with connect(url, origin=PANEL, subprotocols=["agentic.v1", f"bearer.{there.token}"]) as socket:  # type: ignore[arg-type]
        headers = socket.response.headers
        code = _close_code(socket)

    assert headers["X-Request-Id"]
    assert headers["traceparent"]
    assert code == 1000
