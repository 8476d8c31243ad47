"""A body is bounded in bytes and seconds before anybody keeps it."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.conf import settings

from tests.clients import PATIENCE_S, Api, free_port, is_up, wait_for
from tests.raw_http import RawConnection, statuses

ARRIVAL_S, SOON_S = 1.5, 15.0
assert settings.REQUEST_ARRIVAL_S > SOON_S  # which is how long a server gives them whose setting is not heeded
CHUNK = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"


@pytest.fixture(scope="module")
def hasty_url(spawn: Callable[..., Any]) -> Iterator[str]:
    """A server that gives headers and bodies 1.5 s each."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = spawn("config.serve", "--port", str(port), name="web-hasty", AGENTIC_REQUEST_ARRIVAL_S=str(ARRIVAL_S))
    wait_for(lambda: is_up(url), what="the API server answering")
    yield url
    process.terminate()
    process.wait(timeout=PATIENCE_S)


def head(api: Api, *lines: str, method: str = "POST", path: str = "/v1/jobs") -> bytes:
    sent = [
        f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {api.token}",
        "Content-Type: application/json", *lines, "", "",
    ]  # fmt: skip
    return "\r\n".join(sent).encode()


@pytest.mark.requirement("trace:body-bytes")
def test_an_announced_length_that_is_too_large_is_refused_before_a_byte_of_it(api: Api, api_url: str) -> None:
    with RawConnection(api_url) as connection:
        connection.send(head(api, f"Content-Length: {10**12}"))
        answer = connection.read_to_end()

    assert statuses(answer) == [413]
    assert b"application/problem+json" in answer
    assert b"connection: close" in answer.lower()


@pytest.mark.requirement("trace:body-bytes")
def test_a_body_of_undeclared_length_is_cut_off_when_it_is_too_long(api: Api, api_url: str) -> None:
    sent = 0

    with RawConnection(api_url) as connection:
        connection.send(head(api, "Transfer-Encoding: chunked"))
        try:
            for _ in range(1024):
                connection.send(CHUNK)
                sent += len(CHUNK)
        except OSError:
            pass
        answer = connection.read_to_end()

    assert sent < 40 * settings.MAX_BODY_BYTES
    assert statuses(answer) in ([413], [])  # the kernel may lose the answer of a socket that is still being written to
    assert api.get("/v1/jobs").json["items"] == []


@pytest.mark.requirement("trace:body-bytes")
def test_a_client_that_sends_all_of_a_large_body_reads_the_refusal(api: Api) -> None:
    answer = api.post(
        "/v1/jobs", b'"' + b"x" * (settings.MAX_BODY_BYTES + 1_000_000) + b'"', Origin="https://x.example"
    )

    assert answer.status == 413
    assert answer.json["code"] == "payload_too_large"
    assert answer.json["extensions"]["max_bytes"] == settings.MAX_BODY_BYTES


@pytest.mark.requirement("trace:body-bytes")
def test_a_body_of_the_largest_size_is_let_through(api: Api) -> None:
    body = b'{"type": "test", "payload": {}}'

    answer = api.post("/v1/jobs", body + b" " * (settings.MAX_BODY_BYTES - len(body)))

    assert answer.status == 202


@pytest.mark.requirement("trace:body-bytes")
def test_a_good_body_in_chunks_leaves_the_connection_open_for_the_next_request(api: Api, api_url: str) -> None:
    request = head(api, "Transfer-Encoding: chunked") + b'10\r\n{"type": "test"}\r\n0\r\n\r\n'

    with RawConnection(api_url) as connection:
        connection.send(request)
        connection.send(request)
        connection.send(head(api, "Connection: close", method="GET"))
        answer = connection.read_to_end()

    assert statuses(answer) == [202, 202, 200]


@pytest.mark.requirement("trace:body-seconds")
@pytest.mark.requirement("security:53")
def test_a_body_that_dawdles_is_given_up(api: Api, hasty_url: str) -> None:
    began = time.monotonic()

    with RawConnection(hasty_url) as connection:
        connection.send(head(api, "Content-Length: 1000") + b"{")
        while time.monotonic() - began < PATIENCE_S and not connection.read_to_end(limit_s=0.2):
            connection.send(b" ")
        answer = connection.read_to_end()

    assert statuses(answer) == [408]
    assert b'"code":"request_timeout"' in answer
    assert ARRIVAL_S <= time.monotonic() - began < PATIENCE_S


@pytest.mark.requirement("trace:body-seconds")
@pytest.mark.requirement("security:53")
@pytest.mark.parametrize("sent", [b"", b"GET /v1/health/live HTTP/1.1\r\nHost: x\r\n", b"G"])
def test_headers_that_dawdle_are_given_up(hasty_url: str, sent: bytes) -> None:
    with RawConnection(hasty_url) as connection:
        connection.send(sent)
        closed_s = connection.closed_after_s(limit_s=SOON_S)

    assert closed_s is not None


@pytest.mark.requirement("trace:body-seconds")
@pytest.mark.requirement("security:53")
def test_a_second_request_whose_headers_dawdle_is_given_up_too(hasty_url: str) -> None:
    with RawConnection(hasty_url) as connection:
        connection.send(b"GET /v1/health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        wait_for(lambda: statuses(connection.read_to_end(0.1)), what="the first answer")
        connection.send(b"GET /v1/health/live HTTP/1.1\r\nHost: 12")
        closed_s = connection.closed_after_s(limit_s=SOON_S)

    assert closed_s is not None
    assert statuses(connection.received) == [200]


@pytest.mark.requirement("security:53")
def test_many_half_open_connections_leave_others_served_and_end(hasty_url: str, api: Api) -> None:
    with ExitStack() as attack:
        held = [attack.enter_context(RawConnection(url)) for url in (hasty_url, api.base_url) for _ in range(300)]
        for connection in held:
            connection.send(b"POST /v1/jobs HTTP/1.1\r\nHo")
        served = [api.get("/v1/health/live").status for _ in range(10)]
        still_held = held[-1].closed_after_s(0.1) is None
        closed = [connection.closed_after_s(SOON_S) is not None for connection in held[:300]]

    assert served == [200] * 10
    assert still_held  # the patient server, while it served others
    assert all(closed)
