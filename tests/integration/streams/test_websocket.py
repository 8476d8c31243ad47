"""/ws/jobs/{id}: the same events, ids and resume as the stream, over a websocket."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from apps.identity.principal import Principal
from tests.by_hand import HandJob
from tests.clients import PATIENCE_S, Api
from tests.factories import make_token
from tests.streams import Stream, ids


@contextmanager
def socket(api: Api, job_id: object, query: str = "", *, token: str | None = "", **options: Any) -> Iterator[Any]:
    """An open websocket; the token travels as a subprotocol unless ``token`` is None."""
    names = ["agentic.v1"] + ([f"bearer.{token or api.token}"] if token is not None else [])
    url = f"{api.base_url.replace('http', 'ws', 1)}/ws/jobs/{job_id}{query}"
    with connect(url, subprotocols=names, open_timeout=PATIENCE_S, close_timeout=2, **options) as connection:  # type: ignore[arg-type]
        yield connection


def read(connection: ClientConnection) -> tuple[list[dict[str, Any]], int]:
    """All messages but heartbeats, and the code the server closed with."""
    messages = []
    try:
        while True:
            message = json.loads(connection.recv(timeout=PATIENCE_S))
            if message["event"] != "heartbeat":
                messages.append(message)
    except ConnectionClosed as closed:
        assert closed.rcvd is not None
        return messages, closed.rcvd.code


@pytest.mark.requirement("streams:websocket")
def test_a_websocket_brings_what_the_stream_brings_and_closes_normally(api: Api, principal: Principal) -> None:
    job = HandJob(principal).claim().report("a", 'b "quoted" \n').finish()

    with socket(api, job.id) as connection:
        protocol = connection.subprotocol
        messages, code = read(connection)
    with Stream(api, job.id) as stream:
        events = stream.rest()

    assert protocol == "agentic.v1"
    assert code == 1000
    assert [(m["id"], m["event"], m["data"]) for m in messages] == [(e.id, e.type, e.data) for e in events]


@pytest.mark.requirement("streams:websocket")
def test_the_token_may_come_as_the_first_message(api: Api, principal: Principal) -> None:
    job = HandJob(principal).claim().report("a").finish()

    with socket(api, job.id, token=None) as connection:
        connection.send(json.dumps({"token": api.token, "after": 2}))
        messages, code = read(connection)

    assert [message["id"] for message in messages] == [3, 4, 5]
    assert code == 1000


@pytest.mark.requirement("streams:websocket")
def test_a_program_may_send_its_token_as_it_does_everywhere(api: Api, principal: Principal) -> None:
    job = HandJob(principal).claim().finish()
    header = {"Authorization": f"Bearer {api.token}"}

    with socket(api, job.id, token=None, additional_headers=header) as connection:
        by_header = read(connection)
    with socket(api, job.id, additional_headers=header) as connection:
        twice = read(connection)

    assert ([message["id"] for message in by_header[0]], by_header[1]) == ([1, 2, 3, 4], 1000)
    assert twice == ([], 4401)


@pytest.mark.requirement("streams:websocket-refusals")
def test_a_socket_that_is_refused_is_told_why_in_words(api: Api) -> None:
    with socket(api, uuid4(), token="x.y.z") as connection, pytest.raises(ConnectionClosed) as closed:
        connection.recv(timeout=PATIENCE_S)

    assert closed.value.rcvd is not None
    assert "Authorization header" in closed.value.rcvd.reason


@pytest.mark.requirement("streams:websocket")
def test_events_arrive_over_the_websocket_as_they_happen(api: Api, principal: Principal) -> None:
    job = HandJob(principal)

    with socket(api, job.id) as connection:
        first = json.loads(connection.recv(timeout=PATIENCE_S))
        job.claim()
        second = json.loads(connection.recv(timeout=PATIENCE_S))
        job.finish()
        rest, code = read(connection)

    assert [message["id"] for message in (first, second, *rest)] == [1, 2, 3, 4]
    assert code == 1000


@pytest.mark.requirement("streams:websocket")
@pytest.mark.parametrize("after", [0, 2, 4])
def test_a_websocket_resumes_after_an_event(api: Api, principal: Principal, after: int) -> None:
    job = HandJob(principal).claim().report("a").finish()

    with socket(api, job.id, f"?after={after}") as connection:
        messages, code = read(connection)

    assert [message["id"] for message in messages] == list(range(after + 1, 6))
    assert code == 1000


@pytest.mark.requirement("streams:websocket")
def test_a_websocket_that_has_seen_the_end_is_closed_at_once(api: Api, principal: Principal) -> None:
    job = HandJob(principal).claim().finish()

    with socket(api, job.id, f"?after={job.last_seq}") as connection:
        assert read(connection) == ([], 1000)


@pytest.mark.requirement("streams:reset")
def test_an_unknown_event_id_resets_a_websocket_too(api: Api, principal: Principal) -> None:
    job = HandJob(principal).claim().finish()

    with socket(api, job.id, "?after=99") as connection:
        messages, _ = read(connection)

    assert messages[0]["event"] == "reset"
    assert messages[0]["data"] == {"job_id": str(job.id), "reason": "unknown_event_id", "after": 99}
    assert [message["id"] for message in messages[1:]] == [1, 2, 3, 4]


@pytest.mark.requirement("streams:websocket-refusals")
@pytest.mark.parametrize("token", ["x", "a.b.c", "expired"])
def test_a_bad_token_closes_with_4401(api: Api, principal: Principal, tenant: Any, token: str) -> None:
    job = HandJob(principal)
    if token == "expired":
        token = make_token(tenant, sub=principal.sub, ttl_s=-5)

    with socket(api, job.id, token=token) as by_protocol:
        assert read(by_protocol) == ([], 4401)
    with socket(api, job.id, token=None) as by_message:
        by_message.send(json.dumps({"token": token}))
        assert read(by_message) == ([], 4401)


@pytest.mark.requirement("streams:websocket-refusals")
@pytest.mark.parametrize("name", ["token", "access_token"])
def test_a_token_in_the_address_of_a_websocket_is_refused(api: Api, principal: Principal, name: str) -> None:
    with socket(api, HandJob(principal).id, f"?{name}={api.token}") as connection:
        assert read(connection) == ([], 4401)


@pytest.mark.requirement("streams:websocket-refusals")
def test_a_job_of_others_closes_like_a_missing_one(
    api: Api, colleague: Api, stranger: Api, principal: Principal
) -> None:
    job = HandJob(principal)

    for caller, job_id in ((colleague, job.id), (stranger, job.id), (api, uuid4())):
        with socket(caller, job_id) as connection:
            assert read(connection) == ([], 4404)


@pytest.mark.requirement("streams:websocket-refusals")
@pytest.mark.parametrize("text", ["hello", "{}", "[]", "null", '{"after": 1}', '{"token": "x", "after": "y"}'])
def test_a_first_message_that_makes_no_sense_closes_with_4400(api: Api, principal: Principal, text: str) -> None:
    with socket(api, HandJob(principal).id, token=None) as connection:
        connection.send(text)

        assert read(connection) == ([], 4400)


@pytest.mark.requirement("streams:websocket-refusals")
def test_an_id_that_is_no_uuid_closes_with_4400(api: Api) -> None:
    with socket(api, "not-a-uuid") as connection:
        assert read(connection) == ([], 4400)


@pytest.mark.requirement("streams:websocket-refusals")
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "http://"])
def test_a_page_from_elsewhere_is_refused(api: Api, principal: Principal, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused, socket(api, HandJob(principal).id, origin=origin):
        pass

    assert refused.value.response.status_code == 403


@pytest.mark.requirement("streams:websocket-refusals")
def test_a_page_of_our_own_is_welcome(api: Api, principal: Principal) -> None:
    with socket(api, HandJob(principal).id, origin="http://localhost:3000") as connection:
        assert json.loads(connection.recv(timeout=PATIENCE_S))["id"] == 1


@pytest.mark.requirement("streams:expiry")
def test_a_websocket_ends_with_its_token(api: Api, principal: Principal, tenant: Any) -> None:
    token = make_token(tenant, sub=principal.sub, ttl_s=3)

    with socket(api, HandJob(principal).id, token=token) as connection:
        messages, code = read(connection)

    assert ([message["id"] for message in messages], code) == ([1], 4401)


@pytest.mark.requirement("streams:heartbeat")
def test_an_idle_websocket_says_that_it_lives(impatient: Api, principal: Principal) -> None:
    with socket(impatient, HandJob(principal).id) as connection:
        connection.recv(timeout=PATIENCE_S)

        assert json.loads(connection.recv(timeout=PATIENCE_S)) == {"event": "heartbeat"}


@pytest.mark.requirement("streams:websocket")
def test_a_websocket_and_a_stream_side_by_side_agree(api: Api, worker: Any) -> None:
    job_id = api.submit("demo", {"duration_ms": 500})

    with socket(api, job_id) as connection, Stream(api, job_id) as stream:
        messages, _ = read(connection)
        events = stream.rest()

    assert [message["id"] for message in messages] == ids(events)
