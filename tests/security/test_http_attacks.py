"""Attacks 21, 52 and 63 at a running server: other pages, smuggled requests, poisoned log lines."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
import structlog

from kernel import logs
from tests.clients import PATIENCE_S, Api, free_port, is_up, wait_for
from tests.factories import make_tenant, make_token
from tests.raw_http import RawConnection, statuses

PANEL = "https://panel.example.org"


@pytest.fixture(scope="module")
def attacked_url(spawn: Callable[..., Any]) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = spawn(
        "config.serve", "--port", str(port), name="web-attacked-http",
        AGENTIC_CORS_ORIGINS=PANEL, AGENTIC_CORS_CREDENTIALS="true", AGENTIC_LOG_FORMAT="json",
    )  # fmt: skip
    wait_for(lambda: is_up(url), what="the API server answering")
    yield url
    process.terminate()
    process.wait(timeout=PATIENCE_S)


@pytest.fixture
def victim(attacked_url: str) -> Api:
    return Api(attacked_url, make_token(make_tenant()))


@pytest.mark.requirement("security:21")
@pytest.mark.parametrize(
    "origin",
    ["null", "https://panel.example.org.evil.com", "https://evil.com", "http://panel.example.org",
     "https://panel.example.org:8443", "https://evilpanel.example.org", "https://PANEL.example.org.",
     "https://panel.example.org, https://evil.com", "https://panel.example.org%00.evil.com", "", "*"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/jobs", "/oidc/token", "/v1/health/live"])
def test_another_page_gets_no_leave_to_read(attacked_url: str, origin: str, path: str) -> None:
    anyone = Api(attacked_url)

    preflight = anyone.request(
        "OPTIONS",
        path,
        Origin=origin,
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="authorization",
    )
    plain = anyone.get(path, Origin=origin)

    for answer in (preflight, plain):
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "origin" in answer.headers["vary"].lower()


@pytest.mark.requirement("security:21")
def test_a_form_of_another_page_changes_nothing(victim: Api) -> None:
    answer = victim.post(
        "/v1/jobs", b'{"type": "test"}', Content_Type="text/plain", Origin="https://evil.com", Cookie="sessionid=x"
    )

    assert answer.status == 415
    assert "access-control-allow-origin" not in answer.headers
    assert "set-cookie" not in answer.headers


SMUGGLED = b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.mark.requirement("security:52")
@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n",
        b"Transfer-Encoding: identity, chunked\r\nContent-Length: 3\r\n",
        b"Content-Length: 4\r\nContent-Length: 30\r\n",
        b"Content-Length: 4, 4\r\n",
        b"Content-Length: +4\r\n",
        b"Content-Length: -4\r\n",
        b"Content-Length: 0x4\r\n",
        b"X: y\nTransfer-Encoding: chunked\r\n",
        b" Transfer-Encoding: chunked\r\n",
        b"X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n",
    ],
)
def test_a_request_of_doubtful_length_is_refused_and_hides_no_second(victim: Api, framing: bytes) -> None:
    token = f"Authorization: Bearer {victim.token}\r\nContent-Type: application/json\r\n".encode()
    hidden = b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n" + token + b'Content-Length: 16\r\n\r\n{"type": "test"}'

    with RawConnection(victim.base_url) as connection:
        connection.send(SMUGGLED + token + framing + b"\r\n0\r\n\r\n" + hidden)
        answer = connection.read_to_end()

    assert statuses(answer) == [400]
    assert victim.get("/v1/jobs").json["items"] == []


@pytest.mark.requirement("security:52")
@pytest.mark.parametrize("line", [b"GET /v1/health/live HTTP/1.1\nHost: 127.0.0.1\n\n", b"GET  /v1 HTTP/9.9\r\n\r\n"])
def test_a_request_with_other_line_ends_or_versions_is_refused(attacked_url: str, line: bytes) -> None:
    with RawConnection(attacked_url) as connection:
        connection.send(line)
        answer = connection.read_to_end()

    assert statuses(answer) in ([400], [])


@pytest.mark.requirement("security:52")
def test_an_old_clients_keep_alive_and_pipelined_rest_make_no_second_request(victim: Api) -> None:
    body = b'{"type": "test"}'
    request = (
        SMUGGLED.replace(b"1.1", b"1.0", 1)
        + f"Authorization: Bearer {victim.token}\r\nContent-Type: application/json\r\n".encode()
        + b"Connection: keep-alive\r\nContent-Length: 16\r\n\r\n"
        + body
    )

    with RawConnection(victim.base_url) as connection:
        connection.send(request + request)
        connection.read_to_end()

    assert len(victim.get("/v1/jobs").json["items"]) == 1


@pytest.mark.requirement("security:52")
def test_chunk_extensions_are_not_part_of_the_body(victim: Api) -> None:
    head = SMUGGLED + f"Authorization: Bearer {victim.token}\r\n".encode()
    head += b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"

    with RawConnection(victim.base_url) as connection:
        connection.send(head + b'10;evil="\\"\r\n{"type": "test"}\r\n0\r\n\r\n')
        answer = connection.read_to_end()

    assert statuses(answer) in ([202], [400])
    assert len(victim.get("/v1/jobs").json["items"]) == statuses(answer).count(202)


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """What one log call writes in production, line by line."""

    def write(event: str, error: BaseException | None = None, **fields: Any) -> list[str]:
        record: Any = {"event": event, **fields}
        if error is not None:
            record["exc_info"] = error
            record = structlog.processors.format_exc_info(None, "error", record)
        return logs.as_json_line(None, "error", logs.without_secrets(None, "error", record)).split("\n")

    return write


@pytest.mark.requirement("security:63")
@pytest.mark.parametrize(
    "text",
    ["a\nb", 'x\r\n{"event": "admin_login", "level": "info"}', "\x1b[2J\x1b[31mred", "\x00\x08\x7f", "\u2028\u2029\x85",
     "\u202eevil", "\udcff"],
)  # fmt: skip
def test_text_cannot_make_a_second_line_or_move_a_cursor(written: Callable[..., list[str]], text: str) -> None:
    lines = written("refused", path=text, **{f"name{text}": 1}, error=ValueError(text), nested={"deep": [text]})

    assert len(lines) == 1
    assert json.loads(lines[0])["event"] == "refused"
    assert all(32 <= ord(character) < 127 for character in lines[0])


@pytest.mark.requirement("security:63")
@pytest.mark.parametrize(
    "fields",
    [
        {"detail": "x" * 1_000_000},
        {"detail": "é" * 1_000_000},
        {f"f{number}": "x" * 1000 for number in range(1000)},
        {"x" * 1_000_000: "y"},
        {"deep": {"a": ["x" * 100_000] * 10}},
        {"number": 10**50_000 if False else 10**4000},
    ],
    ids=["long", "wide", "many", "name", "deep", "number"],
)
def test_a_line_has_16_kilobytes_at_most_and_stays_json(
    written: Callable[..., list[str]], fields: dict[str, Any]
) -> None:
    lines = written("refused", **fields)

    assert len(lines) == 1
    assert len(lines[0].encode()) <= 16 * 1024
    assert json.loads(lines[0])["event"] == "refused"


@pytest.mark.requirement("security:63")
def test_secrets_do_not_reach_a_line(written: Callable[..., list[str]]) -> None:
    token = make_token_like()

    def fail() -> None:
        raise RuntimeError(f"cannot reach postgresql://cineca:hunter2secret@db/x with Bearer {token}")

    try:
        fail()
    except RuntimeError as error:
        line = written(
            "failed", error, authorization=f"Bearer {token}", password="hunter2secret", text=f"jwt {token}",
            headers={"Authorization": "hunter2secret", "Cookie": "hunter2secret"}, api_key="hunter2secret",
        )[0]  # fmt: skip

    assert "hunter2secret" not in line
    assert token not in line
    assert token.split(".")[1] not in line


@pytest.mark.requirement("security:63")
def test_personal_data_in_an_exception_does_not_reach_a_line(written: Callable[..., list[str]]) -> None:
    error = ValueError("no account for ada.lovelace@example.org, card 4111 1111 1111 1111, at 10.1.2.3")

    line = written("failed", error, detail="ada.lovelace@example.org")[0]

    assert "lovelace" not in line
    assert "1111 1111" not in line
    assert "10.1.2.3" in line


def make_token_like() -> str:
    return "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"


@pytest.mark.requirement("security:63")
def test_a_running_server_writes_one_line_of_json_whatever_it_is_sent(victim: Api, home: Any) -> None:
    mark = uuid4().hex
    path = f"/v1/{mark}%0a%7b%22event%22%3a%22forged%22%7d%1b[31m"

    Api(victim.base_url).get(path, User_Agent="\x1b[2J")
    Api(victim.base_url, f"eyJ{mark}.eyJ{mark}.x").get(path)
    victim.get(path + "x" * 20_000)

    log = home / "web-attacked-http.log"
    lines = wait_for(lambda: log.read_bytes().splitlines(), what="lines")
    for line in lines:
        assert len(line) <= 16 * 1024
        assert b"\x1b" not in line
        assert json.loads(line)["event"] != "forged"
        assert f"eyJ{mark}".encode() not in line


@pytest.mark.requirement("security:63")
def test_a_log_that_nobody_reads_stops_nobody() -> None:
    from kernel import log_lines, metrics

    class Stuck:
        def write(self, text: str) -> None:
            released.wait()

        def flush(self) -> None:
            pass

    import threading

    released = threading.Event()
    handler = log_lines.LineHandler()
    handler._stream = Stuck()  # type: ignore[assignment]
    before = metrics.LOG_LINES_DROPPED._value.get()

    for number in range(log_lines.WAITING_MAX + 500):
        handler.emit(logging.LogRecord("x", logging.INFO, "x", 1, f"line {number}", None, None))

    dropped = metrics.LOG_LINES_DROPPED._value.get() - before
    released.set()
    handler.flush()
    assert 500 - log_lines.AT_ONCE <= dropped <= 500
