"""Connections to providers, made to checked addresses only, and watched by the limits of the call that uses them."""

import errno
import os
import select
import socket
import ssl
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

import httpcore2

from apps.llm.net.addresses import Address, AddressRefused, checked
from apps.llm.net.limits import CallLimits, current_limits
from apps.llm.net.resolver import NameServerSilentError, NameUnknownError

CONNECT_LIMIT_S = 5.0  # all addresses of a name together, and once more for TLS
LOOK_EVERY_S = 0.2  # at whether the caller still wants the answer
SocketOptions = Iterable[Any] | None


class RefusedError(httpcore2.ConnectError):
    """The address is not one that may be called."""


class LimitReached(httpcore2.ReadTimeout):
    """A limit of the call was reached; ``CallLimits.ended_by`` says which."""


class StaleConnection(httpcore2.ReadError):
    """The server had closed a connection that served earlier requests, and said nothing to this one."""


class GuardedBackend(httpcore2.NetworkBackend):
    """Resolves a name once, checks every answer, and connects to one of those and nowhere else (no rebinding)."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions = None,
    ) -> httpcore2.NetworkStream:
        limits = _limits()
        try:
            addresses = checked(host, port, look=partial(_patience, limits))
        except AddressRefused as error:
            raise RefusedError(str(error)) from error
        except NameServerSilentError as error:
            raise httpcore2.ConnectTimeout(str(error)) from error
        except NameUnknownError as error:
            raise httpcore2.ConnectError(str(error)) from error
        until = time.monotonic() + CONNECT_LIMIT_S
        for tried, address in enumerate(addresses, start=1):
            now = time.monotonic()
            share_s = (until - now) / (len(addresses) - tried + 1)  # so that one dead address leaves time for the next
            try:
                return GuardedStream(_connected(address, port, now + share_s, limits))
            except OSError as error:
                failed = error
        if isinstance(failed, TimeoutError):
            raise httpcore2.ConnectTimeout(f"{host}:{port} was not reached in time.") from failed
        raise httpcore2.ConnectError(str(failed)) from failed

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: SocketOptions = None
    ) -> httpcore2.NetworkStream:
        raise RefusedError("Providers are not reached through sockets of the file system.")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class GuardedStream(httpcore2.NetworkStream):
    """A connection that knows whose call it serves: the limits that are set in the thread that reads and writes.

    The timeouts of the HTTP library are not looked at.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._has_answered = False  # to what was written last
        self._is_used = False  # for a request before that one

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        limits = _limits()
        while True:
            wait_s = _patience(limits)
            try:
                self._sock.settimeout(wait_s)
                data = self._sock.recv(max_bytes)
                break
            except TimeoutError:
                continue
            except OSError as error:
                raise (httpcore2.ReadError if self._is_new() else StaleConnection)(str(error)) from error
        if not data and not self._is_new():
            raise StaleConnection("It was closed meanwhile.")
        self._has_answered = True
        limits.read_bytes += len(data)
        if limits.read_bytes > limits.max_bytes:
            limits.ended_by = "too_large"
            raise LimitReached("The answer is too large.")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        limits = _limits()
        if self._has_answered:
            self._has_answered, self._is_used = False, True
        left = memoryview(buffer)
        while left:
            wait_s = _patience(limits)
            try:
                self._sock.settimeout(wait_s)
                left = left[self._sock.send(left) :]
            except TimeoutError:
                continue
            except OSError as error:
                raise httpcore2.WriteError(str(error)) from error

    def close(self) -> None:
        self._sock.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        limits = _limits()
        until = time.monotonic() + CONNECT_LIMIT_S
        try:
            secured = ssl_context.wrap_socket(
                self._sock, server_hostname=server_hostname, do_handshake_on_connect=False
            )
            self._sock = secured
            while True:
                secured.settimeout(_patience(limits, until))
                try:
                    secured.do_handshake()
                    return GuardedStream(secured)
                except TimeoutError as error:
                    if time.monotonic() >= until:
                        raise httpcore2.ConnectTimeout("TLS was not agreed upon in time.") from error
        except (OSError, ValueError) as error:
            self.close()
            raise httpcore2.ConnectError(str(error)) from error
        except BaseException:
            self.close()
            raise

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._sock if isinstance(self._sock, ssl.SSLSocket) else None
        if info == "socket":
            return self._sock
        if info == "is_readable":  # when idle: closed by the server
            return self._sock.fileno() < 0 or _is_ready(self._sock, select.POLLIN, 0.0)
        if info == "client_addr":
            return self._sock.getsockname()
        return self._sock.getpeername() if info == "server_addr" else None

    def _is_new(self) -> bool:
        return self._has_answered or not self._is_used


def _limits() -> CallLimits:
    limits = current_limits()
    if limits is None:
        raise RuntimeError("A provider is only spoken to inside limited(limits): nothing else would bound it.")
    return limits


def _patience(limits: CallLimits, until: float | None = None) -> float:
    """How long the next wait may be, in seconds, above 0. LimitReached when there is no time or no wish left."""
    now = time.monotonic()
    if limits.cancelled is not None and now - limits.looked_at >= LOOK_EVERY_S:
        limits.looked_at = now
        if limits.cancelled():
            limits.ended_by = "cancelled"
            raise LimitReached("The call was cancelled.")
    if now >= limits.deadline:
        limits.ended_by = "deadline"
        raise LimitReached("The answer did not end in time.")
    ends = limits.deadline
    if not limits.read_bytes:
        if now >= limits.first_byte_by:
            limits.ended_by = "first_byte"
            raise LimitReached("The answer did not begin in time.")
        ends = min(ends, limits.first_byte_by)
    if until is not None:
        ends = min(ends, until)
    if limits.cancelled is not None:
        ends = min(ends, limits.looked_at + LOOK_EVERY_S)
    return max(0.001, ends - now)


def _connected(address: Address, port: int, until: float, limits: CallLimits) -> socket.socket:
    """A socket connected to the address by ``until``; OSError (TimeoutError) otherwise."""
    sock = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = sock.connect_ex((str(address), port))
        if code == errno.EINPROGRESS:
            while not _is_ready(sock, select.POLLOUT, _patience(limits, until)):
                if time.monotonic() >= until:
                    raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
    except BaseException:
        sock.close()
        raise
    return sock


def _is_ready(sock: socket.socket, event: int, wait_s: float) -> bool:
    poll = select.poll()
    poll.register(sock, event)
    return bool(poll.poll(wait_s * 1000))
