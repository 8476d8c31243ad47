"""Servers that misbehave byte by byte, and one GET of the guarded client to them."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from apps.llm.failures import ProviderFailure
from apps.llm.net.client import ProviderClient
from apps.llm.net.limits import CallLimits
from tests.clients import PATIENCE_S

Serve = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
EMPTY = OK + b"Content-Length: 2\r\n\r\n{}"


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
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def head(connection: socket.socket) -> bytes:
    """The request, until its empty line."""
    seen = b""
    while b"\r\n\r\n" not in seen and (more := connection.recv(65536)):
        seen += more
    return seen


def answering(start: bytes, more: Callable[[], bytes], *, every_s: float = 0.0) -> Serve:
    """``start``, then what ``more`` gives until it gives nothing."""

    def serve(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(start)
        while piece := more():
            connection.sendall(piece)
            if every_s:
                time.sleep(every_s)

    return serve


def ask(url: str, *, limit_s: float = PATIENCE_S, **limits: Any) -> tuple[int | None, ProviderFailure | None]:
    """One GET within limits: the status of the answer, or the failure as the adapters see it."""
    try:
        with calling(url) as client:
            return get(client, CallLimits.within(limit_s, **limits)), None
    except ProviderFailure as failure:
        return None, failure


@contextmanager
def calling(url: str, **more: Any) -> Iterator[ProviderClient]:
    """The client that adapters use."""
    with closing(ProviderClient(base_url=url, **more)) as client:
        yield client


def get(client: ProviderClient, limits: CallLimits) -> int:
    """One GET whose answer is read to its end; its status."""
    answer = client.ask("GET", "", limits)
    answer.body()
    return answer.status


def refused(url: str, **limits: Any) -> ProviderFailure:
    """The failure of one GET."""
    _, failure = ask(url, **limits)
    assert failure is not None
    return failure
