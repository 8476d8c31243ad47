"""``python -m config.serve --port 8000``: uvicorn with what long streams need.

A client that stops reading is dropped by the kernel after AGENTIC_SSE_SEND_TIMEOUT_S (TCP_USER_TIMEOUT), and what may
wait for it is bounded on both sides of the socket: uvicorn's 64 kB and the kernel's send buffer.
"""

import argparse
import socket

import uvicorn

from config.settings.limits import SSE_SEND_TIMEOUT_S

SEND_BUFFER_BYTES = 64 * 1024  # the kernel doubles it


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
            http="httptools",
            ws="websockets-sansio",
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="warning",
            ws_max_size=64 * 1024,
            timeout_graceful_shutdown=5,
            server_header=False,
        )
    )
    server.run(sockets=[listen(arguments.host, arguments.port)])


if __name__ == "__main__":
    main()
