"""Connections to providers, made to checked addresses only, and watched by the limits of the call that uses them."""

import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore2

from apps.llm.net.addresses import AddressRefused, checked
from apps.llm.net.limits import CallLimits, current_limits

CONNECT_LIMIT_S = 5.0
LOOK_EVERY_S = 0.2  # at whether the caller still wants the answer
SocketOptions = Iterable[Any] | None


class RefusedError(httpcore2.ConnectError):
    """The address is not one that may be called."""


class LimitReached(httpcore2.ReadTimeout):
    """A limit of the call was reached; ``CallLimits.ended_by`` says which."""


class GuardedBackend(httpcore2.NetworkBackend):
    """Resolves a name once, checks every answer, and connects to one of those and nowhere else (no rebinding)."""

    def __init__(self) -> None:
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions = None,
    ) -> httpcore2.NetworkStream:
        limits = current_limits()
        try:
            addresses = checked(host, port)
        except AddressRefused as error:
            raise RefusedError(str(error)) from error
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(str(error)) from error
        until = time.monotonic() + min(CONNECT_LIMIT_S, limits.left_s if limits else CONNECT_LIMIT_S)
        failed: Exception | None = None
        for address in addresses:
            left_s = until - time.monotonic()
            if left_s <= 0:
                break
            try:
                stream = self._inner.connect_tcp(str(address), port, left_s, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
            else:
                return GuardedStream(stream)
        raise failed or httpcore2.ConnectTimeout(f"{host}:{port} was not reached in time.")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: SocketOptions = None
    ) -> httpcore2.NetworkStream:
        raise RefusedError("Providers are not reached through sockets of the file system.")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class GuardedStream(httpcore2.NetworkStream):
    """A connection that knows whose call it serves: the limits that are set in the thread that reads."""

    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        limits = current_limits()
        if limits is None:
            return self._inner.read(max_bytes, timeout)
        while True:
            wait_s = _patience(limits)
            try:
                data = self._inner.read(max_bytes, wait_s)
            except httpcore2.ReadTimeout:
                continue
            limits.read_bytes += len(data)
            if limits.read_bytes > limits.max_bytes:
                limits.ended_by = "too_large"
                raise LimitReached("The answer is too large.")
            return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        limits = current_limits()
        self._inner.write(buffer, timeout if limits is None else max(0.001, limits.left_s))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        limits = current_limits()
        limit_s = min(CONNECT_LIMIT_S, max(0.001, limits.left_s)) if limits else CONNECT_LIMIT_S
        return GuardedStream(self._inner.start_tls(ssl_context, server_hostname, limit_s))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _patience(limits: CallLimits) -> float:
    """How long the next wait for bytes may be, in seconds. LimitReached when there is no time or no wish left."""
    if limits.cancelled is not None and limits.cancelled():
        limits.ended_by = "cancelled"
        raise LimitReached("The call was cancelled.")
    now = time.monotonic()
    until = limits.deadline
    if not limits.read_bytes and limits.first_byte_by < until:
        until = limits.first_byte_by
        if now >= until:
            limits.ended_by = "first_byte"
            raise LimitReached("The answer did not begin in time.")
    if now >= until:
        limits.ended_by = "deadline"
        raise LimitReached("The answer did not end in time.")
    return until - now if limits.cancelled is None else min(until - now, LOOK_EVERY_S)
