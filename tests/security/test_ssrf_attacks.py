"""Attacks 115 to 117: addresses that lead inside, twisted URLs, redirects, names that change. On real sockets."""

import ipaddress
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from apps.llm.failures import FailureKind
from apps.llm.net import addresses, client, resolver
from apps.llm.net.limits import CallLimits
from kernel.errors import ValidationError
from tests.clients import PATIENCE_S
from tests.raw_server import EMPTY, OK, ask, calling, head, refused, server

INSIDE = [
    "http://127.0.0.1", "http://localhost", "http://localhost.", "http://127.1", "http://2130706433", "http://0x7f.1",
    "http://0x7f000001", "http://017700000001", "http://0177.0.0.1", "http://127.0.0.1.", "http://127。0。0。1",
    "http://①②⑦.0.0.1", "http://[::1]", "http://[::]", "http://0.0.0.0", "http://0", "http://[::ffff:127.0.0.1]",
    "http://[::ffff:7f00:1]", "http://[64:ff9b::7f00:1]", "http://[2002:7f00:1::]", "http://[fe80::1]",
    "http://[fe80::1%25eth0]", "http://[fc00::1]", "http://[fd00:ec2::254]", "http://169.254.169.254",
    "http://10.0.0.1", "http://172.16.0.1", "http://192.168.1.1", "http://100.64.0.1", "http://100.100.100.200",
    "http://192.0.0.192", "http://224.0.0.1", "http://255.255.255.255", "http://198.18.0.1", "http://240.0.0.1",
    "http://[::127.0.0.1]", "http://[64:ff9b:1::7f00:1]", "http://[2001:0:7f00:1::]", "http://[ff02::1]",
    "http://168.63.129.16", "http://192.0.0.9",
]  # fmt: skip
TWISTED = [
    "ftp://8.8.8.8", "file:///etc/passwd", "gopher://8.8.8.8:70/_x", "http:8.8.8.8", "//8.8.8.8", "https://",
    "https://good@8.8.8.8", "https://good:pw@8.8.8.8", "https://8.8.8.8#@good", "https://good\\@8.8.8.8",
    "https://good:80\\@8.8.8.8", "https://8.8.8.8/\r\nHost: x", "https://8.8.8.8/a\tb", "https://8.8.8.8/a b",
    "https://8.8.8.8\n", "https://8.8.8.8/?a=b", "https://8.8.8.8/#a", "https://8.8.8.8/../x", "https://8.8.8.8//x",
    "https://8.8.8.8:0", "https://8.8.8.8:99999", "https://8.8.8.8:x", "https://[::1", "https://exa mple.org",
    "https://-a.org", "https://" + "a" * 3000, "http://8.8.8.8", "https://a_b.org", "",
]  # fmt: skip
METADATA = ipaddress.ip_address("169.254.169.254")


def entries(*texts: str) -> list[Any]:
    """What getaddrinfo answers."""
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, 0)) for text in texts]


@pytest.fixture
def closed(settings: Any) -> None:
    """Nothing inside is open."""
    settings.LLM_PRIVATE_HOSTS = []


@pytest.mark.parametrize("url", INSIDE)
@pytest.mark.requirement("security:115")
def test_no_spelling_of_an_inner_address_is_taken(closed: None, url: str) -> None:
    for spelling in (url, url.replace("http:", "https:") + ":8443/v1"):
        with pytest.raises(ValidationError, match="base_url is refused"):
            addresses.checked_url(spelling)


@pytest.mark.parametrize("url", INSIDE[:20])
@pytest.mark.requirement("security:115")
def test_nor_is_one_connected_to_should_a_row_hold_it(closed: None, url: str) -> None:
    reached = threading.Event()

    with server(lambda connection: reached.set()) as inside:
        _, failure = ask(f"{url}:{inside.rpartition(':')[2]}")

    assert failure is not None
    # with a dot at its end it is unknown to some resolvers, an address to others
    assert failure.kind is FailureKind.UNSUPPORTED or (failure.kind is FailureKind.CONNECTION and url.endswith("."))
    assert not reached.is_set()


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
    for refused_one in ("http://127.0.0.1:6379", "http://10.2.0.1", "http://[::1]:8081"):
        with pytest.raises(ValidationError):
            addresses.checked_url(refused_one)


@pytest.mark.parametrize(
    ("opened", "address"),
    [
        ("169.254.0.0/16", "169.254.169.254"), ("0.0.0.0/0", "169.254.169.254"), ("fd00::/8", "fd00:ec2::254"),
        ("64:ff9b::/96", "64:ff9b::a9fe:a9fe"), ("::/0", "::ffff:169.254.169.254"), ("fd00::/8", "fd00:ec2::254%eth0"),
        ("meta.example.org", "169.254.169.254"),
    ],
)  # fmt: skip
@pytest.mark.requirement("security:115")
def test_an_allowed_range_does_not_open_the_machines_metadata(settings: Any, opened: str, address: str) -> None:
    settings.LLM_PRIVATE_HOSTS = [opened]

    assert not addresses.permitted(ipaddress.ip_address(address), 80, host="meta.example.org")


@pytest.mark.requirement("security:115")
def test_only_its_very_address_opens_the_metadata(settings: Any) -> None:
    settings.LLM_PRIVATE_HOSTS = ["169.254.0.0/16", "169.254.169.254"]

    assert addresses.permitted(METADATA, 80)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.requirement("security:116")
def test_no_redirect_is_followed(status: int) -> None:
    reached = threading.Event()

    with server(lambda connection: reached.set(), "127.0.0.2") as inside:

        def lure(connection: socket.socket) -> None:
            head(connection)
            connection.sendall(f"HTTP/1.1 {status} x\r\nLocation: {inside}\r\nContent-Length: 0\r\n\r\n".encode())

        with server(lure) as url:
            failure = refused(url)

    assert (failure.kind, reached.is_set()) == (FailureKind.GARBAGE, False)


@pytest.mark.requirement("security:116")
def test_a_client_speaks_to_no_other_host_than_its_own() -> None:
    reached = threading.Event()
    heads: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        heads.append(head(connection))
        connection.sendall(EMPTY)

    with server(lambda connection: reached.set(), "127.0.0.2") as other, server(serve) as url:
        own = url.removeprefix("http://").encode()
        for path in (f"{other}/", other.removeprefix("http:"), "@127.0.0.2/"):
            with calling(url) as calling_own:
                calling_own.ask("GET", path, CallLimits.within(2)).close()

    assert [seen.splitlines()[1] for seen in heads] == [b"Host: " + own] * 3
    assert not reached.is_set()


@pytest.mark.requirement("security:116")
def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    reached = threading.Event()

    with server(lambda connection: reached.set(), "127.0.0.2") as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy)

        with server(lambda connection: (head(connection), connection.sendall(EMPTY))[1]) as url:
            status, _ = ask(url)

    assert (status, reached.is_set()) == (200, False)


@pytest.mark.requirement("security:117")
def test_a_name_that_changes_its_address_leads_nowhere_else(closed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def rebinding(host: str, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return entries("8.8.8.8" if len(asked) == 1 else "127.0.0.1")

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    failure = refused(addresses.checked_url("https://rebind.example.org"))

    assert (failure.kind, asked) == (FailureKind.UNSUPPORTED, ["rebind.example.org"] * 2)


@pytest.mark.requirement("security:117")
def test_the_address_that_was_checked_is_the_one_that_is_called(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LLM_PRIVATE_HOSTS = ["127.0.0.2"]
    asked, heads = [], []

    def rebinding(host: str, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return entries("127.0.0.2" if len(asked) == 1 else "127.0.0.3")

    def serve(connection: socket.socket) -> None:
        heads.append(head(connection))
        connection.sendall(EMPTY)

    with server(serve, "127.0.0.2") as url:
        port = url.rpartition(":")[2]
        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        status, _ = ask(f"http://rebind.example.org:{port}")

    assert status == 200
    assert asked == ["rebind.example.org"]
    assert f"host: rebind.example.org:{port}".encode() in heads[0].lower()


@pytest.mark.requirement("security:117")
def test_one_inner_address_among_public_ones_condemns_the_name(closed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: entries("8.8.8.8", "10.0.0.1"))

    with pytest.raises(ValidationError, match=r"10\.0\.0\.1"):
        addresses.checked_url("https://two.example.org")


@pytest.mark.requirement("security:117")
def test_a_name_without_an_address_is_no_refusal(closed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    assert refused("https://nobody.example.org").kind is FailureKind.CONNECTION


@pytest.mark.requirement("security:117")
def test_a_dead_resolver_is_a_failure_in_time_and_holds_up_no_other_name(monkeypatch: pytest.MonkeyPatch) -> None:
    over, asked = threading.Event(), []

    def resolver_of_two(host: str, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        if host == "dead.example.org":
            over.wait(PATIENCE_S)
        return entries("127.0.0.1")

    monkeypatch.setattr(socket, "getaddrinfo", resolver_of_two)
    monkeypatch.setattr(resolver, "RESOLVE_LIMIT_S", 0.3)
    failures: list[Any] = []
    many = [threading.Thread(target=lambda: failures.append(refused("https://dead.example.org"))) for _ in range(20)]
    began = time.monotonic()
    for thread in many:
        thread.start()
    found = resolver.addresses_of("well.example.org")
    for thread in many:
        thread.join()
    took_s = time.monotonic() - began
    over.set()

    assert str(found[0]) == "127.0.0.1"
    assert [failure.kind for failure in failures] == [FailureKind.TIMEOUT] * 20
    assert took_s < PATIENCE_S / 3  # as long as the resolver is dead
    assert asked.count("dead.example.org") == 1


@pytest.mark.requirement("llm:tls-names")
def test_a_certificate_must_be_of_the_name_though_the_address_is_what_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=model.example.org", "-addext", "subjectAltName=DNS:model.example.org"]
    subprocess.run([*command, "-keyout", "key.pem", "-out", "cert.pem"], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    named: list[Any] = []
    context.sni_callback = lambda _sock, name, _context: named.append(name)
    trusting = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    monkeypatch.setattr(client, "_tls", lambda: trusting)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: entries("127.0.0.1"))

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            if b"/drip" in head(secured):
                secured.sendall(OK + b"Content-Length: 1000\r\n\r\n")
                while True:
                    time.sleep(0.02)
                    secured.sendall(b"x")
            secured.sendall(EMPTY)

    with server(serve) as url:
        port = url.rpartition(":")[2]
        well, _ = ask(f"https://model.example.org:{port}")
        failure = refused(f"https://other.example.org:{port}")
        slow = refused(f"https://model.example.org:{port}/drip", limit_s=0.4)

    assert (well, failure.kind) == (200, FailureKind.CONNECTION)
    assert named[:2] == ["model.example.org", "other.example.org"]
    assert slow.kind is FailureKind.TIMEOUT
