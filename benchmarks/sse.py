"""The cheapest honest client of an event stream: a raw socket, the answer's head checked, frames found by their end."""

import asyncio
import socket
import time
from dataclasses import dataclass, field

FRAME_END = b"\n\n"


def request(path: str, *, port: int, token: str) -> bytes:
    """The text of the GET that opens a stream."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
        "Accept: text/event-stream\r\n\r\n"
    ).encode()


@dataclass
class Stream:
    """Arrival times by event id. A blocking client, for one stream at a time."""

    opened_at_s: float = 0.0
    arrivals_s: dict[int, float] = field(default_factory=dict)

    def follow(self, port: int, path: str, token: str, limit_s: float = 30.0) -> None:
        """Read the stream to its end."""
        with socket.create_connection(("127.0.0.1", port), timeout=limit_s) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(request(path, port=port, token=token))
            buffer, ended = b"", False
            while not ended:
                data = connection.recv(65_536)
                arrived_s = time.time()
                if not data:
                    raise RuntimeError(f"the stream broke off: {buffer[-300:]!r}")
                if not self.opened_at_s:
                    if not data.startswith(b"HTTP/1.1 200"):
                        raise RuntimeError(f"no stream: {data[:300]!r}")
                    self.opened_at_s = arrived_s
                *frames, buffer = (buffer + data).split(FRAME_END)
                for frame in frames:
                    for line in frame.split(b"\n"):
                        if line.startswith(b"id: "):
                            self.arrivals_s[int(line[4:])] = arrived_s
                        ended = ended or line.strip() == b"event: end"


class IdleClient(asyncio.Protocol):
    """One of thousands: counts how often a marker has come, and when it came last."""

    def __init__(self, opening: bytes) -> None:
        self.opening = opening
        self.is_open = False
        self.refused = b""
        self.last_id = 0
        self.last_at_s = 0.0
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(self.opening)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if not self.is_open:
            if not data.startswith(b"HTTP/1.1 200"):
                self.refused = data[:200]
                return
            self.is_open = True
        at = data.rfind(b"\nid: ")
        if at >= 0:
            self.last_id, self.last_at_s = int(data[at + 5 :].split(b"\n", 1)[0]), time.time()

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
