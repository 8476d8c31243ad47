"""Attack 119 at the socket: answers that never begin, never end or are none, and connections that are none."""

import gzip
import socket
import threading
import time
import tracemalloc

import pytest

from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.net.backend import GuardedBackend
from apps.llm.net.limits import MAX_ANSWER_BYTES, CallLimits
from tests.clients import PATIENCE_S
from tests.raw_server import OK, answering, calling, get, head, refused, server

KEY = "sk-secret-0123456789"
SOON_S = PATIENCE_S / 3  # what does not end by its limit goes on for minutes


@pytest.mark.parametrize("length", [b"Content-Length: 1073741824\r\n", b"Transfer-Encoding: chunked\r\n", b""])
@pytest.mark.requirement("security:119")
def test_a_body_of_a_gigabyte_is_cut_at_its_limit_in_little_memory(length: bytes) -> None:
    piece = b"x" * 65536
    sent = [0]

    def more() -> bytes:
        sent[0] += len(piece)
        return b"10000\r\n" + piece + b"\r\n" if b"chunked" in length else piece

    with server(answering(OK + length + b"\r\n", more)) as url:
        tracemalloc.start()
        failure = refused(url)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert failure.kind is FailureKind.TOO_LARGE
    assert peak < 3 * MAX_ANSWER_BYTES
    assert sent[0] < 3 * MAX_ANSWER_BYTES  # what was under way in the buffers of both ends included


@pytest.mark.requirement("security:119")
def test_a_stream_of_events_without_end_takes_no_memory_and_ends() -> None:
    event = b"data: " + b"x" * 1000 + b"\n\n"
    limits = CallLimits.within(PATIENCE_S)
    start = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

    with server(answering(start, lambda: event * 32)) as url, calling(url) as client:
        tracemalloc.start()
        with pytest.raises(ProviderFailure) as raised:
            for _ in client.ask("GET", "", limits).pieces():
                pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert raised.value.kind is FailureKind.TOO_LARGE
    assert peak < 2_000_000


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"identity, gzip", b"GZIP"])
@pytest.mark.requirement("security:119")
def test_a_packed_answer_is_refused_before_it_is_unpacked(encoding: bytes) -> None:
    packed = gzip.compress(b"0" * 10_000_000)
    start = OK + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding, len(packed))
    pieces = [packed]

    with server(answering(start, lambda: pieces.pop() if pieces else b"")) as url:
        failure = refused(url)

    assert (failure.kind, "packed" in failure.detail) == (FailureKind.GARBAGE, True)


@pytest.mark.requirement("security:119")
def test_a_drip_of_single_bytes_ends_with_the_deadline() -> None:
    began = time.monotonic()

    with server(answering(OK + b"Content-Length: 100000\r\n\r\n", lambda: b"x", every_s=0.02)) as url:
        failure = refused(url, limit_s=0.4)

    assert (failure.kind, "end" in failure.detail) == (FailureKind.TIMEOUT, True)
    assert 0.3 < time.monotonic() - began < SOON_S


@pytest.mark.requirement("security:119")
def test_silence_ends_with_the_limit_for_the_first_byte() -> None:
    over = threading.Event()

    with server(lambda connection: over.wait(PATIENCE_S) and None) as url:
        began = time.monotonic()
        failure = refused(url, limit_s=PATIENCE_S, first_byte_s=0.2)
        took_s = time.monotonic() - began
        over.set()

    assert (failure.kind, "begin" in failure.detail) == (FailureKind.TIMEOUT, True)
    assert took_s < SOON_S


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"a" * 60_000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"a:\r\n" * 10_000),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1;" + b"e" * 60_000),
        (b"\0\0\0\x12HTTP/2", b"\0" * 1000),
    ],
)
@pytest.mark.requirement("security:119")
def test_headers_without_end_are_cut(start: bytes, piece: bytes) -> None:
    with server(answering(start, lambda: piece)) as url:
        failure = refused(url, limit_s=0.5)

    assert failure.kind in (FailureKind.GARBAGE, FailureKind.TOO_LARGE, FailureKind.TIMEOUT)


@pytest.mark.requirement("security:119")
def test_a_reader_that_hardly_reads_does_not_hold_the_caller() -> None:
    def slow(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        while connection.recv(4096):
            time.sleep(0.02)

    limits = CallLimits.within(0.4)
    began = time.monotonic()
    with (
        server(slow) as url,
        calling(url) as client,
        pytest.raises(ProviderFailure) as raised,
    ):
        client.ask("POST", "", limits, b"x" * 50_000_000)

    assert raised.value.kind is FailureKind.TIMEOUT
    assert time.monotonic() - began < SOON_S


@pytest.mark.requirement("security:119")
def test_what_the_provider_echoes_in_its_headers_is_not_repeated() -> None:
    line = f"HTTP/1.1 200 OK\r\nBad Header {KEY}\r\n\r\n".encode()

    with server(answering(line, lambda: b"")) as url:
        failure = refused(url)

    assert failure.kind is FailureKind.GARBAGE
    assert KEY not in failure.detail


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"", FailureKind.CONNECTION), (OK + b"Content-Length: 9\r\n\r\n{", FailureKind.CONNECTION),
        (OK[:20], FailureKind.CONNECTION), (b"HTTP/1.1 101 x\r\nUpgrade: x\r\n\r\n", FailureKind.GARBAGE),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", FailureKind.GARBAGE),
    ],
)  # fmt: skip
@pytest.mark.requirement("security:119")
def test_cut_and_foreign_answers_are_failures(start: bytes, kind: FailureKind) -> None:
    with server(answering(start, lambda: b"")) as url:
        assert refused(url).kind is kind


@pytest.mark.requirement("security:119")
def test_nothing_is_sent_where_nothing_bounds_the_call() -> None:
    reached = threading.Event()

    with server(lambda connection: reached.set()) as url, pytest.raises(RuntimeError, match="limited"):
        GuardedBackend().connect_tcp("127.0.0.1", int(url.rpartition(":")[2]))

    assert not reached.is_set()


@pytest.mark.requirement("security:119")
def test_no_cookie_comes_back() -> None:
    heads = []

    def serve(connection: socket.socket) -> None:
        heads.append(head(connection))
        connection.sendall(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with server(serve) as url, calling(url) as client:
        for _ in range(2):
            get(client, CallLimits.within(2))

    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()
