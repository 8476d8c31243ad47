"""Attacks 115 to 117 and 119: addresses that lead inside, and answers that never end. On real sockets."""

import gzip
import ipaddress
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.net import addresses, client, resolver
from apps.llm.net.limits import CallLimits, limited
from kernel.errors import ValidationError

INSIDE = [
    "http://127.0.0.1", "http://localhost", "http://localhost.", "http://127.1", "http://2130706433", "http://0x7f.1",
    "http://0x7f000001", "http://017700000001", "http://0177.0.0.1", "http://127.0.0.1.", "http://127。0。0。1",
    "http://①②⑦.0.0.1", "http://[::1]", "http://[::]", "http://0.0.0.0", "http://0", "http://[::ffff:127.0.0.1]",
    "http://[::ffff:7f00:1]", "http://[64:ff9b::7f00:1]", "http://[2002:7f00:1::]", "http://[fe80::1]",
    "http://[fe80::1%25eth0]", "http://[fc00::1]", "http://[fd00:ec2::254]", "http://169.254.169.254",
    "http://10.0.0.1", "http://172.16.0.1", "http://192.168.1.1", "http://100.64.0.1", "http://100.100.100.200",
    "http://192.0.0.192", "http://224.0.0.1", "http://255.255.255.255", "http://198.18.0.1", "http://240.0.0.1",
]  # fmt: skip
TWISTED = [
    "ftp://8.8.8.8", "file:///etc/passwd", "gopher://8.8.8.8:70/_x", "http:8.8.8.8", "//8.8.8.8", "https://",
    "https://good@8.8.8.8", "https://good:pw@8.8.8.8", "https://8.8.8.8#@good", "https://good\\@8.8.8.8",
    "https://good:80\\@8.8.8.8", "https://8.8.8.8/\r\nHost: x", "https://8.8.8.8/a\tb", "https://8.8.8.8/a b",
    "https://8.8.8.8\n", "https://8.8.8.8/?a=b", "https://8.8.8.8/#a", "https://8.8.8.8/../x", "https://8.8.8.8//x",
    "https://8.8.8.8:0", "https://8.8.8.8:99999", "https://8.8.8.8:x", "https://[::1", "https://exa mple.org",
    "https://-a.org", "https://" + "a" * 3000, "http://8.8.8.8", "https://a_b.org", "",
]  # fmt: skip
Serve = Callable[[socket.socket], None]


@pytest.fixture
def closed(settings: Any) -> None:
    """Nothing inside is open."""
    settings.LLM_PRIVATE_HOSTS = []


@contextmanager
def server(serve: Serve, host: str = "127.0.0.1") -> Iterator[str]:
    """Each connection in a thread of its own; the URL."""
    listening = socket.create_server((host, 0))

    def one(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            serve(connection)

    def run() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    try:
        yield f"http://{host}:{listening.getsockname()[1]}"
    finally:
        listening.close()


def head(connection: socket.socket) -> bytes:
    """The request, until its empty line."""
    seen = b""
    while b"\r\n\r\n" not in seen and (more := connection.recv(65536)):
        seen += more
    return seen


def ask(url: str, *, limit_s: float = 2.0, **limits: Any) -> tuple[httpx2.Response | None, ProviderFailure | None]:
    """One GET within limits: the answer, or the failure as the adapters see it."""
    bounds = CallLimits.within(limit_s, **limits)
    with client.provider_client(base_url=url) as calling, limited(bounds):
        try:
            return calling.get("/"), None
        except httpx2.HTTPError as error:
            return None, client.failure_of(error, bounds)


@pytest.mark.parametrize("url", INSIDE)
@pytest.mark.requirement("security:115")
def test_no_spelling_of_an_inner_address_is_taken(closed: None, url: str) -> None:
    for spelling in (url, url.replace("http:", "https:") + ":8443/v1"):
        with pytest.raises(ValidationError, match="base_url is refused"):
            addresses.checked_url(spelling)


@pytest.mark.parametrize("url", INSIDE[:20])
@pytest.mark.requirement("security:115")
def test_nor_is_one_connected_to_should_a_row_hold_it(closed: None, url: str) -> None:
    try:
        _, failure = ask(url.replace("http:", "https:"), limit_s=1.0)
    except httpx2.InvalidURL:
        return

    assert failure is not None
    assert failure.kind in (FailureKind.UNSUPPORTED, FailureKind.CONNECTION)
    assert failure.kind is FailureKind.UNSUPPORTED or "127" not in url


@pytest.mark.parametrize("url", TWISTED)
@pytest.mark.requirement("security:116")
def test_no_twisted_url_is_taken(url: str) -> None:
    with pytest.raises(ValidationError, match="base_url is refused"):
        addresses.checked_url(url)


@pytest.mark.requirement("security:115")
def test_what_is_public_or_allowed_is_taken_in_its_normal_form(settings: Any) -> None:
    settings.LLM_PRIVATE_HOSTS = ["127.0.0.1:11434", "10.1.0.0/16", "[::1]:8080"]

    assert addresses.checked_url("https://8.8.8.8:443/v1/") == "https://8.8.8.8/v1"
    assert addresses.checked_url("HTTP://127.0.0.1:11434") == "http://127.0.0.1:11434"
    assert addresses.checked_url("http://10.1.2.3:99/v1") == "http://10.1.2.3:99/v1"
    assert addresses.checked_url("http://[::1]:8080") == "http://[::1]:8080"
    for refused in ("http://127.0.0.1:6379", "http://10.2.0.1", "http://[::1]:8081"):
        with pytest.raises(ValidationError):
            addresses.checked_url(refused)


@pytest.mark.requirement("security:115")
def test_an_allowed_range_does_not_open_the_machines_metadata(settings: Any) -> None:
    settings.LLM_PRIVATE_HOSTS = ["169.254.0.0/16", "0.0.0.0/0"]
    metadata = ipaddress.ip_address("169.254.169.254")

    assert not addresses.permitted(metadata, 80)
    settings.LLM_PRIVATE_HOSTS = ["169.254.169.254"]
    assert addresses.permitted(metadata, 80)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.requirement("security:116")
def test_no_redirect_is_followed(status: int) -> None:
    reached = threading.Event()

    def inner(connection: socket.socket) -> None:
        reached.set()

    with server(inner, "127.0.0.2") as inside:

        def lure(connection: socket.socket) -> None:
            head(connection)
            connection.sendall(f"HTTP/1.1 {status} x\r\nLocation: {inside}\r\nContent-Length: 0\r\n\r\n".encode())

        with server(lure) as url:
            _, failure = ask(url)

    assert failure is not None
    assert (failure.kind, reached.is_set()) == (FailureKind.GARBAGE, False)


@pytest.mark.requirement("security:117")
def test_a_name_that_changes_its_address_leads_nowhere_else(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LLM_PRIVATE_HOSTS = []
    asked: list[str] = []

    def rebinding(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        address = "8.8.8.8" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    url = addresses.checked_url("https://rebind.example.org")
    _, failure = ask(url)

    assert failure is not None
    assert (failure.kind, asked) == (FailureKind.UNSUPPORTED, ["rebind.example.org"] * 2)


@pytest.mark.requirement("security:117")
def test_one_inner_address_among_public_ones_condemns_the_name(closed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 443)) for ip in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)

    with pytest.raises(ValidationError, match=r"10\.0\.0\.1"):
        addresses.checked_url("https://two.example.org")


@pytest.mark.requirement("security:117")
def test_a_dead_resolver_is_a_failure_within_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(5))
    monkeypatch.setattr(resolver, "RESOLVE_LIMIT_S", 0.2)
    began = time.monotonic()

    _, failure = ask("https://nobody.example.org", limit_s=5)
    over.set()

    assert failure is not None
    assert failure.kind is FailureKind.TIMEOUT
    assert time.monotonic() - began < 1


def answering(start: bytes, more: Callable[[], bytes], *, every_s: float = 0.0) -> Serve:
    def serve(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(start)
        while piece := more():
            connection.sendall(piece)
            if every_s:
                time.sleep(every_s)

    return serve


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.requirement("security:119")
def test_a_body_without_end_is_cut_at_its_limit() -> None:
    with server(answering(OK + b"\r\n", lambda: b"x" * 65536)) as url:
        _, failure = ask(url, limit_s=10)

    assert failure is not None
    assert failure.kind is FailureKind.TOO_LARGE


@pytest.mark.requirement("security:119")
def test_a_packed_answer_is_refused_before_it_is_unpacked() -> None:
    packed = gzip.compress(b"0" * 10_000_000)
    start = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    pieces = [packed]

    with server(answering(start, lambda: pieces.pop() if pieces else b"")) as url:
        _, failure = ask(url)

    assert failure is not None
    assert (failure.kind, "packed" in failure.detail) == (FailureKind.GARBAGE, True)


@pytest.mark.requirement("security:119")
def test_a_drip_of_single_bytes_ends_with_the_deadline() -> None:
    began = time.monotonic()

    with server(answering(OK + b"Content-Length: 1000\r\n\r\n", lambda: b"x", every_s=0.02)) as url:
        _, failure = ask(url, limit_s=0.4)

    assert failure is not None
    assert (failure.kind, "end" in failure.detail) == (FailureKind.TIMEOUT, True)
    assert 0.3 < time.monotonic() - began < 0.9


@pytest.mark.requirement("security:119")
def test_silence_ends_with_the_limit_for_the_first_byte() -> None:
    with server(lambda connection: time.sleep(3)) as url:
        began = time.monotonic()
        _, failure = ask(url, limit_s=5, first_byte_s=0.2)
        took_s = time.monotonic() - began

    assert failure is not None
    assert (failure.kind, "begin" in failure.detail) == (FailureKind.TIMEOUT, True)
    assert took_s < 0.8


@pytest.mark.requirement("security:119")
def test_headers_without_end_are_cut() -> None:
    with server(answering(b"HTTP/1.1 200 OK\r\n", lambda: b"X-A: " + b"a" * 60_000 + b"\r\n")) as url:
        _, failure = ask(url, limit_s=5)

    assert failure is not None
    assert failure.kind in (FailureKind.GARBAGE, FailureKind.TOO_LARGE)


@pytest.mark.requirement("llm:cancel-connection")
def test_cancelling_is_noticed_while_nothing_arrives_and_closes_the_connection() -> None:
    wanted, closed_at = threading.Event(), []
    wanted.set()

    def silent(connection: socket.socket) -> None:
        head(connection)
        connection.settimeout(3)
        if connection.recv(1) == b"":
            closed_at.append(time.monotonic())

    with server(silent) as url:
        threading.Timer(0.2, wanted.clear).start()
        began = time.monotonic()
        _, failure = ask(url, limit_s=5, cancelled=lambda: not wanted.is_set())
        time.sleep(0.1)

    assert failure is not None
    assert failure.kind is FailureKind.CANCELLED
    assert closed_at and closed_at[0] - began < 1


@pytest.mark.requirement("llm:limits-apart")
def test_two_streams_read_in_turn_keep_their_own_limits() -> None:
    with (
        server(answering(OK + b"\r\n", lambda: b"x" * 1000, every_s=0.01)) as url,
        client.provider_client(base_url=url) as calling,
    ):
        short, long = CallLimits.within(0.3), CallLimits.within(5.0)
        seen = 0
        streams = []
        for limits in (short, long):
            with limited(limits):
                response = calling.send(calling.build_request("GET", "/"), stream=True)
            streams.append((response, client.stepwise(limits, response.iter_raw())))
        with pytest.raises(httpx2.ReadTimeout):
            while True:
                next(streams[1][1])
                next(streams[0][1])
                seen += 1
        next(streams[1][1])
        for response, steps in streams:
            steps.close()
            response.close()

    assert seen > 3
    assert (short.ended_by, long.ended_by) == ("deadline", None)


@pytest.mark.requirement("llm:no-stale-connection")
def test_a_connection_that_the_server_closed_meanwhile_is_no_failure() -> None:
    def once(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(OK + b"Content-Length: 2\r\n\r\n{}")

    limits = CallLimits.within(5)
    with server(once) as url, client.provider_client(base_url=url) as calling, limited(limits):
        statuses = []
        for _ in range(5):
            statuses.append(calling.get("/").status_code)
            time.sleep(0.02)

    assert statuses == [200] * 5


@pytest.mark.requirement("llm:tls-names")
def test_a_certificate_must_be_of_the_name_though_the_address_is_what_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = "subjectAltName=DNS:localhost"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=localhost", "-addext", names, "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    trusting = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    monkeypatch.setattr(client, "_tls", lambda: trusting)

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(65536)
            secured.sendall(OK + b"Content-Length: 2\r\n\r\n{}")

    with server(serve) as url:
        port = url.rpartition(":")[2]
        well, _ = ask(f"https://localhost:{port}")
        _, failure = ask(f"https://127.0.0.1:{port}")

    assert well is not None
    assert failure is not None
    assert (well.status_code, failure.kind) == (200, FailureKind.CONNECTION)
