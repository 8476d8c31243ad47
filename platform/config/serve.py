"""``python -m config.serve --port 8000``: uvicorn with what long streams need.

A client that stops reading is dropped by the kernel after AGENTIC_SSE_SEND_TIMEOUT_S (TCP_USER_TIMEOUT), and what may
wait for it is bounded on both sides of the socket: uvicorn's 64 kB and the kernel's send buffer.
"""

import argparse
import socket
from asyncio import TimerHandle, Transport

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from config.settings.limits import REQUEST_ARRIVAL_S, SSE_SEND_TIMEOUT_S

SEND_BUFFER_BYTES = 64 * 1024  # the kernel doubles it
HEAD_BYTES_MAX = 64 * 1024  # of headers, or of a chunked body's trailers: httptools joins their pieces quadratically


class BoundedHeaders(HttpToolsProtocol):
    """uvicorn's protocol, hanging up on a client whose headers are not there after AGENTIC_REQUEST_ARRIVAL_S, or do not
    end. uvicorn itself only bounds the time between requests; bodies are bounded by apps/edge/body_limit.py."""

    _waiting_for_headers: TimerHandle | None = None
    _head_bytes = 0  # that arrived since anything but a header did
    _in_headers = True  # of the first request, which may never begin

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > HEAD_BYTES_MAX + len(data) or (self._in_headers and self._head_bytes > HEAD_BYTES_MAX):
            self.transport.close()
            return
        if self._in_headers and self._waiting_for_headers is None:
            self._expect_headers()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_headers = True

    def on_body(self, body: bytes) -> None:
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._head_bytes = 0
        super().on_message_complete()

    def on_headers_complete(self) -> None:
        self._in_headers = False
        self._head_bytes = 0
        self._forget_headers()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_headers()
        super().connection_lost(exc)

    def _expect_headers(self) -> None:
        self._waiting_for_headers = self.loop.call_later(REQUEST_ARRIVAL_S, self.transport.close)

    def _forget_headers(self) -> None:
        if self._waiting_for_headers is not None:
            self._waiting_for_headers.cancel()
            self._waiting_for_headers = None


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; accepted ones inherit its options."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(SSE_SEND_TIMEOUT_S * 1000))
    sock.bind((host, port))
    sock.listen(2048)
    return sock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    server = uvicorn.Server(
        uvicorn.Config(
            "config.asgi:application",
            loop="uvloop",
            http=BoundedHeaders,
            ws="websockets-sansio",
            lifespan="on",  # /mcp runs between its start and its end
            access_log=False,
            log_config=None,
            log_level="warning",
            ws_max_size=64 * 1024,
            timeout_graceful_shutdown=5,
            server_header=False,
            proxy_headers=False,  # uvicorn would believe X-Forwarded-For of anybody on this machine
        )
    )
    server.run(sockets=[listen(arguments.host, arguments.port)])


if __name__ == "__main__":
    main()
