"""GET /v1/jobs/{id}/events as a stream: what it says, in which order, and to whom."""

import json
import time
from typing import Any
from uuid import uuid4

import pytest

from apps.identity.principal import Principal
from apps.jobs.feed import POLL_S
from tests.by_hand import HandJob
from tests.clients import Api
from tests.streams import Stream, ids


@pytest.mark.requirement("streams:sse")
def test_a_stream_starts_with_retry_and_ends_with_end(api: Api, principal: Principal) -> None:
    job = HandJob(principal).claim().report("one").finish()

    with Stream(api, job.id) as stream:
        lines = stream.response.read().decode().split("\n")

    assert stream.status == 200
    assert lines[0].startswith("retry: ")
    assert 5000 <= int(lines[0].removeprefix("retry: ")) <= 6000
    assert lines[1] == ""
    assert lines[2:5] == ["id: 1", "event: status", lines[4]]
    assert json.loads(lines[4].removeprefix("data: "))["status"] == "queued"
    assert lines[-5:-3] == ["id: 5", "event: end"]
    assert lines[-2:] == ["", ""]


@pytest.mark.requirement("streams:sse")
def test_the_headers_keep_proxies_from_keeping_it(api: Api, principal: Principal) -> None:
    with Stream(api, HandJob(principal).id, X_Request_Id="req-9") as stream:
        headers = stream.headers

    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-store"
    assert headers["x-accel-buffering"] == "no"
    assert headers["x-request-id"] == "req-9"


@pytest.mark.requirement("streams:sse")
def test_events_arrive_as_they_happen(api: Api, principal: Principal) -> None:
    job = HandJob(principal)

    with Stream(api, job.id) as stream:
        first = stream.next()
        job.claim()
        started = time.monotonic()
        second = stream.next()
        told = []
        for number in range(6):
            job.report(f"hello {number}")
            told.append(stream.next())
        took_s = time.monotonic() - started
        job.finish()
        rest = stream.rest()

    assert ids([first, second, *told, *rest]) == list(range(1, 11))
    assert second.data["to"] == "running"
    assert [(event.type, event.data) for event in told] == [("log", {"message": f"hello {n}"}) for n in range(6)]
    assert [event.type for event in rest] == ["status", "end"]
    assert rest[-1].data["final"] == "finished"
    assert took_s < 4 * POLL_S  # each of six would have to wait for the next poll


@pytest.mark.requirement("streams:resume")
@pytest.mark.parametrize("after", [0, 1, 3, 6])
@pytest.mark.parametrize("how", ["header", "query"])
def test_a_client_that_comes_back_gets_what_it_has_not_seen(
    api: Api, principal: Principal, after: int, how: str
) -> None:
    job = HandJob(principal).claim().report("a", "b", "c").finish()

    query = f"?after={after}" if how == "query" else ""
    with Stream(api, job.id, query, after=after if how == "header" else None) as stream:
        events = stream.rest()

    assert ids(events) == list(range(after + 1, 8))
    assert events[-1].type == "end"


@pytest.mark.requirement("streams:resume")
def test_the_header_of_a_reconnecting_browser_wins_over_the_address(api: Api, principal: Principal) -> None:
    job = HandJob(principal).claim().report("a", "b", "c").finish()

    with Stream(api, job.id, "?after=1", after=4) as stream:
        assert ids(stream.rest()) == [5, 6, 7]


@pytest.mark.requirement("streams:resume")
def test_a_client_that_has_seen_the_end_is_told_that_nothing_more_will_come(api: Api, principal: Principal) -> None:
    job = HandJob(principal).claim().finish()

    with Stream(api, job.id, after=job.last_seq) as stream:
        body = stream.response.read()

    assert stream.status == 204  # an EventSource that gets 204 stops coming back
    assert body == b""


@pytest.mark.requirement("streams:reset")
def test_an_event_id_the_job_never_had_is_answered_by_a_reset_and_everything(api: Api, principal: Principal) -> None:
    job = HandJob(principal).claim().finish()

    with Stream(api, job.id, after=1000) as stream:
        events = stream.rest()

    assert (events[0].type, events[0].id) == ("reset", None)
    assert events[0].data == {"job_id": str(job.id), "reason": "unknown_event_id", "after": 1000}
    assert ids(events[1:]) == [1, 2, 3, 4]


@pytest.mark.requirement("streams:resume")
def test_an_event_this_server_has_not_heard_of_yet_is_no_unknown_one(api: Api, principal: Principal) -> None:
    job = HandJob(principal).claim()

    with Stream(api, job.id) as first:
        first.take(2)
        job.report("not announced", shown=False)  # the wake-up is late or lost; another server has shown the event
        with Stream(api, job.id, after=3) as second:
            job.report("announced")
            assert second.next().id == 4
        assert ids(first.take(2)) == [3, 4]


@pytest.mark.requirement("streams:sse")
def test_two_clients_of_one_job_get_the_same(api: Api, principal: Principal) -> None:
    job = HandJob(principal).claim()

    with Stream(api, job.id) as one, Stream(api, job.id, after=1) as other:
        job.report("a").report("b").finish()
        seen = one.rest(), other.rest()

    assert ids(seen[0]) == [1, 2, 3, 4, 5, 6]
    assert seen[0][1:] == seen[1]


@pytest.mark.requirement("streams:sse")
def test_a_long_history_comes_whole_and_in_order(api: Api, principal: Principal) -> None:
    job = HandJob(principal).claim()
    for batch in range(24):
        job.report(*(f"{batch}-{n}" for n in range(50)))
    job.finish()

    with Stream(api, job.id) as stream:
        events = stream.rest()

    assert ids(events) == list(range(1, 1205))
    assert [event.data["message"] for event in events[2:-2]] == [f"{b}-{n}" for b in range(24) for n in range(50)]


@pytest.mark.requirement("streams:injection")
@pytest.mark.requirement("security:134")
def test_an_events_text_cannot_make_another_event(api: Api, principal: Principal) -> None:
    evil = [
        'x\n\nevent: end\ndata: {"final": "finished"}\n\n',
        "\r\n\r\nid: 99\r\nretry: 1\r\n",
        "\r: comment\r\r",
        "\u2028\u2029\x85\x0b\x0c\x1c",
        "nul \x00 here",
        '"}\n\ndata: {"',
    ]
    job = HandJob(principal).claim().report(*evil).finish()

    with Stream(api, job.id) as stream:
        raw = stream.response.read()

    frames = [frame.split(b"\n") for frame in raw.split(b"\n\n")[1:-1]]
    assert b"\r" not in raw
    assert [[line.split(b":")[0] for line in frame] for frame in frames] == [[b"id", b"event", b"data"]] * job.last_seq
    assert [frame[1] for frame in frames][2:-2] == [b"event: log"] * len(evil)
    told = [json.loads(frame[2].removeprefix(b"data: "))["message"] for frame in frames[2:-2]]
    assert told == [text.replace("\x00", "\ufffd") for text in evil]


@pytest.mark.requirement("streams:refusals")
@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("text/event-stream", 200),
        ("text/html, text/event-stream;q=0.9", 200),
        ("text/*", 200),
        ("*/*", 200),
        ("application/json", 406),
        ("text/html", 406),
        ("TEXT/EVENT-STREAM", 200),
    ],
)
def test_who_does_not_accept_a_stream_is_refused(api: Api, principal: Principal, accept: str, status: int) -> None:
    job = HandJob(principal).claim().finish()

    with Stream(api, job.id, Accept=accept) as stream:
        body = stream.response.read()

    assert stream.status == status
    if status == 406:
        assert stream.headers["content-type"] == "application/problem+json"
        assert json.loads(body)["status"] == 406


@pytest.mark.requirement("streams:refusals")
@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "Basic dTpw", "Bearer a.b.c"])
def test_without_a_good_token_there_is_no_stream(api: Api, principal: Principal, header: str) -> None:
    with Stream(Api(api.base_url), HandJob(principal).id, Authorization=header) as stream:
        problem = json.loads(stream.response.read())

    assert stream.status == problem["status"] == 401
    assert stream.headers["www-authenticate"].startswith("Bearer")
    assert stream.headers["content-type"] == "application/problem+json"


@pytest.mark.requirement("streams:refusals")
@pytest.mark.parametrize("name", ["token", "access_token"])
def test_a_token_in_the_address_is_refused_even_beside_a_good_one(api: Api, principal: Principal, name: str) -> None:
    job = HandJob(principal)

    with Stream(Api(api.base_url), job.id, f"?{name}={api.token}") as alone:
        assert alone.status == 401
    with Stream(api, job.id, f"?{name}={api.token}") as beside:
        assert beside.status == 401


@pytest.mark.requirement("streams:refusals")
def test_the_stream_of_others_is_as_missing_as_that_of_nobody(
    api: Api, colleague: Api, stranger: Api, admin: Api, principal: Principal
) -> None:
    job = HandJob(principal).claim().finish()

    answers = []
    for caller, job_id in ((colleague, job.id), (stranger, job.id), (api, uuid4()), (admin, job.id)):
        with Stream(caller, job_id) as stream:
            answers.append(stream.status)

    assert answers == [404, 404, 404, 200]


@pytest.mark.requirement("streams:refusals")
@pytest.mark.parametrize(
    "query",
    ["?after=x", "?after=-1", "?after=1.5", "?after=9999999999999999999", "?retry_ms=1", "?retry_ms=x",
     "?retry_ms=60001", "?retry_ms=00005000999"],
)  # fmt: skip
def test_a_stream_from_a_place_that_makes_no_sense_is_refused(api: Api, principal: Principal, query: str) -> None:
    with Stream(api, HandJob(principal).id, query) as stream:
        assert stream.status == 400


@pytest.mark.requirement("streams:refusals")
def test_an_id_that_is_no_uuid_is_a_bad_request_here_too(api: Api) -> None:
    with Stream(api, "not-a-uuid") as stream:
        assert stream.status == 400


@pytest.mark.requirement("streams:sse")
def test_a_client_chooses_how_soon_it_comes_back(api: Api, principal: Principal) -> None:
    with Stream(api, HandJob(principal).id, "?retry_ms=1234") as stream:
        assert stream.response.readline() == b"retry: 1234\n"


@pytest.mark.requirement("streams:heartbeat")
def test_an_idle_stream_says_that_it_lives(impatient: Api, principal: Principal) -> None:
    job = HandJob(principal)

    with Stream(impatient, job.id) as stream:
        stream.next()
        beats: list[Any] = [stream.next_of_any_kind() for _ in range(3)]
        job.claim()
        event = stream.next()

    assert {beat.type for beat in beats} == {"comment"}
    assert event.id == 2
