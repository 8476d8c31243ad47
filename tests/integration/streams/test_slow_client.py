"""A client that does not read costs bounded memory for a bounded time, and others nothing."""

import socket
import time
from contextlib import ExitStack, closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from apps.identity.principal import Principal
from tests.by_hand import HandJob
from tests.clients import Api, wait_for
from tests.streams import Stream

EVENTS, EVENT_BYTES = 480, 16_000  # 7.7 MB, far above what any buffer between here and there takes
SERVER_PATIENCE_S = 2.0


def stuck_client(api: Api, job_id: object) -> socket.socket:
    """Asks for the stream and never reads."""
    host, _, port = urlsplit(api.base_url).netloc.partition(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((host, int(port)))
    client.sendall(
        f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
        f"Authorization: Bearer {api.token}\r\n\r\n".encode()
    )
    return client


def metric(api: Api, name: str) -> float:
    lines = api.get("/metrics").body.decode().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), 0.0)


def rss_kb(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:  # noqa: PTH123 - not a file of ours
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def established(pid: int, client: socket.socket) -> bool:
    """Whether the server still holds its end of this connection open."""
    port = f"{client.getsockname()[1]:04X}"
    with open(f"/proc/{pid}/net/tcp") as table:  # noqa: PTH123 - not a file of ours
        return any(row.split()[2].endswith(f":{port}") and row.split()[3] == "01" for row in list(table)[1:])


@pytest.fixture
def loud_job(principal: Principal) -> HandJob:
    job = HandJob(principal).claim()
    for _ in range(EVENTS // 40):
        job.report(*["x" * EVENT_BYTES] * 40)
    return job


@pytest.mark.requirement("streams:slow-client")
def test_a_client_that_does_not_read_is_given_up_within_the_limit(
    impatient: Api, impatient_web: tuple[Any, str], loud_job: HandJob
) -> None:
    closed_before = metric(impatient, "sse_slow_clients_closed_total")

    began = time.monotonic()
    with closing(stuck_client(impatient, loud_job.id)) as client:
        wait_for(
            lambda: metric(impatient, "sse_slow_clients_closed_total") > closed_before,
            limit_s=20,  # a server of the usual patience takes 30
            what="the slow client being given up",
        )
        wait_for(
            lambda: not established(impatient_web[0].pid, client),
            what="the server closing the slow client's connection",
        )
    took_s = time.monotonic() - began

    assert took_s >= SERVER_PATIENCE_S


@pytest.mark.requirement("streams:slow-client")
def test_many_such_clients_cost_bounded_memory_and_do_not_slow_the_others(
    impatient: Api, impatient_web: tuple[Any, str], principal: Principal, loud_job: HandJob
) -> None:
    with Stream(impatient, loud_job.id) as warm_up:
        warm_up.take(EVENTS)
    before_kb = rss_kb(impatient_web[0].pid)

    with ExitStack() as clients:
        for _ in range(40):
            clients.enter_context(closing(stuck_client(impatient, loud_job.id)))
        quiet = HandJob(principal)
        with Stream(impatient, quiet.id) as stream:
            stream.next()
            began = time.monotonic()
            quiet.claim().finish()
            stream.rest()
            took_s = time.monotonic() - began
        peak_kb = rss_kb(impatient_web[0].pid)
        name = 'sse_connections_active{transport="sse"}'
        wait_for(lambda: metric(impatient, name) == 0, what="all streams being given up")

    assert took_s < 20
    assert peak_kb - before_kb < 40 * 1024  # 1 MB each, of the 7.7 MB they asked for


@pytest.mark.requirement("streams:slow-client")
def test_a_client_that_reads_slowly_but_reads_gets_everything(impatient: Api, principal: Principal) -> None:
    job = HandJob(principal).claim().report(*["x" * EVENT_BYTES] * 40).finish()
    got = b""

    with closing(stuck_client(impatient, job.id)) as client:
        while b"event: end" not in got:
            piece = client.recv(32_768)
            assert piece, "closed before the end"
            got += piece
            time.sleep(0.005)

    assert got.count(b"event: log") == 40
