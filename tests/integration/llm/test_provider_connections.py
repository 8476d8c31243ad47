"""Connections to providers: cancelled, shared by several streams, all in use, or closed by the server meanwhile."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.net.limits import CallLimits
from tests.clients import PATIENCE_S
from tests.raw_server import EMPTY, OK, Serve, answering, calling, get, head, refused, server


@contextmanager
def full_backlog() -> Iterator[str]:
    """A URL where connecting neither succeeds nor fails."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
        time.sleep(0.05)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            for one in waiting:
                one.close()


@pytest.mark.requirement("llm:cancel-connection")
def test_cancelling_is_noticed_while_nothing_arrives_and_closes_the_connection() -> None:
    gone = threading.Event()

    def silent(connection: socket.socket) -> None:
        head(connection)
        connection.settimeout(PATIENCE_S)
        if connection.recv(1) == b"":
            gone.set()

    with server(silent) as url:
        began = time.monotonic()
        failure = refused(url, cancelled=lambda: time.monotonic() - began > 0.1)
        took_s = time.monotonic() - began

        assert gone.wait(PATIENCE_S)

    assert failure.kind is FailureKind.CANCELLED
    assert took_s < PATIENCE_S / 3


@pytest.mark.parametrize("stage", ["name", "connect", "tls"])
@pytest.mark.requirement("llm:cancel-connection")
def test_cancelling_is_noticed_before_there_is_a_connection(monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    over = threading.Event()
    places: dict[str, Callable[[], Any]] = {
        "name": lambda: server(head),
        "connect": full_backlog,
        "tls": lambda: server(lambda connection: over.wait(PATIENCE_S) and None),
    }
    if stage == "name":
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [over.wait(PATIENCE_S)][1:])

    with places[stage]() as url:
        if stage == "name":
            url = "https://nobody.example.org"
        if stage == "tls":
            url = url.replace("http:", "https:")
        began = time.monotonic()
        failure = refused(url, cancelled=lambda: time.monotonic() - began > 0.1)
        took_s = time.monotonic() - began
        over.set()

    assert failure.kind is FailureKind.CANCELLED
    assert took_s < PATIENCE_S / 3


@pytest.mark.requirement("llm:cancel-connection")
def test_whether_it_is_cancelled_is_asked_a_few_times_a_second_however_fast_the_answer_comes() -> None:
    asked: list[float] = []

    def cancelled() -> bool:
        asked.append(time.monotonic())
        return len(asked) >= 4

    with server(answering(OK + b"Content-Length: 1000000\r\n\r\n", lambda: b"x", every_s=0.001)) as url:
        failure = refused(url, cancelled=cancelled)

    assert (failure.kind, len(asked)) == (FailureKind.CANCELLED, 4)
    assert asked[-1] - asked[0] >= 0.3


@pytest.mark.requirement("llm:limits-apart")
def test_two_streams_read_in_turn_keep_their_own_limits() -> None:
    with (
        server(answering(OK + b"\r\n", lambda: b"x" * 1000, every_s=0.01)) as url,
        calling(url) as client,
    ):
        short, long = CallLimits.within(0.8), CallLimits.within(PATIENCE_S)
        seen = 0
        answers = [client.ask("GET", "", limits) for limits in (short, long)]
        ends_soon, goes_on = (answer.pieces() for answer in answers)
        with pytest.raises(ProviderFailure) as raised:
            while True:
                next(goes_on)
                next(ends_soon)
                seen += 1
        next(goes_on)
        for answer in answers:
            answer.close()

    assert seen > 1
    assert (raised.value.kind, short.ended_by, long.ended_by) == (FailureKind.TIMEOUT, "deadline", None)


@pytest.mark.requirement("llm:limits-apart")
def test_an_answer_that_is_closed_before_its_first_piece_is_cut() -> None:
    hung_up = threading.Event()

    def serve(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(OK + b"Content-Length: 9\r\n\r\n{")
        if not connection.recv(1):
            hung_up.set()

    with server(serve) as url, calling(url) as client:
        answer = client.ask("GET", "", CallLimits.within(PATIENCE_S))
        answer.pieces()
        answer.close()
        told = hung_up.wait(PATIENCE_S)

    assert told


@pytest.mark.requirement("llm:limits-apart")
def test_a_call_that_finds_no_free_connection_is_told_soon(settings: Any) -> None:
    settings.LLM_SLOT_WAIT_S = 0.2
    over = threading.Event()

    def holding(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(OK + b"Content-Length: 9\r\n\r\n{")
        over.wait(PATIENCE_S)

    limits = CallLimits.within(PATIENCE_S)
    with server(holding) as url, calling(url, pool_size=1) as client:
        held = client.ask("GET", "", limits)
        with pytest.raises(ProviderFailure) as raised:
            client.ask("GET", "", limits)
        held.close()
        over.set()

    assert raised.value.kind is FailureKind.BUSY


def counted(heads: list[bytes], *, answers: int) -> Serve:
    """Answers so many requests of each connection, reads one more, and closes without a word."""

    def serve(connection: socket.socket) -> None:
        for _ in range(answers):
            heads.append(head(connection))
            connection.sendall(EMPTY)
        if last := head(connection):
            heads.append(last)

    return serve


@pytest.mark.requirement("llm:no-stale-connection")
def test_a_connection_that_the_server_closed_meanwhile_is_no_failure() -> None:
    def once(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(EMPTY)

    with server(once) as url, calling(url) as client:
        statuses = []
        for _ in range(5):
            statuses.append(get(client, CallLimits.within(PATIENCE_S)))
            time.sleep(0.02)

    assert statuses == [200] * 5


@pytest.mark.requirement("llm:no-stale-connection")
def test_nor_is_one_that_it_closes_just_as_the_request_comes() -> None:
    heads: list[bytes] = []

    with server(counted(heads, answers=1)) as url, calling(url) as client:
        statuses = [get(client, CallLimits.within(PATIENCE_S)) for _ in range(3)]

    assert statuses == [200] * 3
    assert len(heads) == 5  # the second and the third were sent again


@pytest.mark.requirement("llm:no-stale-connection")
def test_a_server_that_cuts_a_new_connection_gets_the_request_once() -> None:
    heads: list[bytes] = []

    with server(counted(heads, answers=0)) as url:
        failure = refused(url)

    assert (failure.kind, len(heads)) == (FailureKind.CONNECTION, 1)
