"""HTTP as bytes on a socket: what no client library would send."""

import re
import socket
import time
from urllib.parse import urlsplit

from tests.clients import PATIENCE_S


class RawConnection:
    """One TCP connection to the server at ``base_url``."""

    def __init__(self, base_url: str, timeout_s: float = PATIENCE_S) -> None:
        parts = urlsplit(base_url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=timeout_s)
        self.received = b""

    def __enter__(self) -> "RawConnection":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read_to_end(self, limit_s: float = PATIENCE_S) -> bytes:
        """Everything until the server closes; what came if it does not within the limit."""
        deadline = time.monotonic() + limit_s
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                piece = self.socket.recv(65_536)
            except TimeoutError:
                break
            except ConnectionResetError:
                return self.received
            if not piece:
                return self.received
            self.received += piece
        return self.received

    def closed_after_s(self, limit_s: float) -> float | None:
        """Seconds until the server closes; None if it does not within the limit."""
        began = time.monotonic()
        self.socket.settimeout(limit_s)
        try:
            while piece := self.socket.recv(65_536):
                self.received += piece
                self.socket.settimeout(max(0.01, limit_s - (time.monotonic() - began)))
        except TimeoutError:
            return None
        except ConnectionResetError:
            pass
        return time.monotonic() - began


def statuses(received: bytes) -> list[int]:
    """The status of every answer in what a connection received."""
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", received)]
