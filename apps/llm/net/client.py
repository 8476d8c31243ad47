"""The one HTTP client for providers, and what its failures mean (docs/adr/0013)."""

import ssl
from collections.abc import Generator, Mapping
from functools import cache
from typing import NoReturn
from urllib.parse import urlsplit

import httpcore2
import httpx2
from django.conf import settings

from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.net.addresses import PORTS
from apps.llm.net.backend import GuardedBackend, RefusedError, StaleConnection
from apps.llm.net.limits import CallLimits, limited

KEEP_ALIVE_S = 30.0
ERRORS = (
    httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, httpcore2.UnsupportedProtocol,
)  # fmt: skip


class ProviderClient:
    """HTTP/1.1 to one provider, for many threads. All that is sent and read keeps to the limits of the call that it is
    for, and every failure is a ProviderFailure.

    A path is only ever appended to ``base_url``: nothing else says where a request goes. No redirect is followed, no
    packed answer read, no cookie kept, and nothing taken from the environment: no proxy, no certificate, no netrc.
    """

    def __init__(self, *, base_url: str, headers: Mapping[str, str] | None = None, pool_size: int = 64) -> None:
        try:
            parts = urlsplit(base_url)
            self._scheme, self._host = parts.scheme.encode("ascii"), (parts.hostname or "").encode("ascii")
            self._port, self._path = parts.port, parts.path.rstrip("/").encode("ascii") + b"/"
        except ValueError as error:  # a row that was changed behind our back: checked_url lets no such address in
            raise ProviderFailure(FailureKind.UNSUPPORTED, "Its address is not a URL.") from error
        named = b"[%b]" % self._host if b":" in self._host else self._host
        if self._port is not None and self._port != PORTS.get(parts.scheme):
            named = b"%b:%d" % (named, self._port)
        self._headers = [
            (b"Host", named),
            (b"Accept", b"*/*"),
            (b"Accept-Encoding", b"identity"),
            (b"User-Agent", b"cineca-agentic-platform"),
            *((name.encode("ascii"), value.encode("utf-8")) for name, value in (headers or {}).items()),
        ]
        self._pool = httpcore2.ConnectionPool(
            ssl_context=_tls(),
            max_connections=pool_size,
            max_keepalive_connections=pool_size,
            keepalive_expiry=KEEP_ALIVE_S,
            http1=True,
            http2=False,
            network_backend=GuardedBackend(),
        )

    def ask(self, method: str, path: str, limits: CallLimits, document: bytes | None = None) -> "Answer":
        """One request, of a JSON document perhaps. The answer's body is still to be read; it must be closed."""
        request = httpcore2.Request(
            method,
            httpcore2.URL(
                scheme=self._scheme, host=self._host, port=self._port, target=self._path + path.encode("ascii")
            ),
            headers=self._headers if document is None else [*self._headers, *_describing(document)],
            content=document,
            extensions={"timeout": {"pool": min(settings.LLM_SLOT_WAIT_S, limits.left_s)}},
        )
        with limited(limits):
            try:
                try:
                    response = self._pool.handle_request(request)
                except StaleConnection:
                    # Once: a server that dies of a request shall not get it often.
                    response = self._pool.handle_request(request)
            except ERRORS as error:
                _fail(error, limits)
        answer = Answer(response, limits)
        if unwanted := answer.why_unwanted():
            answer.close()
            raise ProviderFailure(FailureKind.GARBAGE, unwanted)
        return answer

    def close(self) -> None:
        self._pool.close()


class Answer:
    """An answer whose body comes as it is read, once: in ``pieces``, or as a ``body``."""

    def __init__(self, response: httpcore2.Response, limits: CallLimits) -> None:
        self.status = response.status
        self._response, self._limits = response, limits

    def header(self, name: bytes) -> str | None:
        """By its name in lower case; the first of several."""
        found = next((value for own, value in self._response.headers if own.lower() == name), None)
        return None if found is None else found.decode("latin-1")

    def pieces(self) -> Generator[bytes, None, None]:
        """As they come. Each is waited for within the call's limits, also when other streams are read in between."""
        steps = self._response.iter_stream()
        while True:
            with limited(self._limits):
                try:
                    piece = next(steps, None)
                except ERRORS as error:
                    _fail(error, self._limits)
            if piece is None:
                return
            yield piece

    def body(self) -> bytes:
        """All of it; then it is closed."""
        try:
            return b"".join(self.pieces())
        finally:
            self.close()

    def close(self) -> None:
        """Give the connection back, or cut it while something is still to come."""
        self._response.close()

    def why_unwanted(self) -> str:
        """A sentence on an answer of a sort that is not read; empty for the others."""
        if self.status < 200 or 300 <= self.status < 400:
            what = "a redirect: none is followed" if self.status >= 300 else "which ends nothing"
            return f"It answered {self.status}, {what}."
        if (self.header(b"content-encoding") or "").lower() not in ("", "identity"):
            return "Its answer is packed although it was asked not to do so."
        return ""


_ENDED = {
    "cancelled": (FailureKind.CANCELLED, "The call was cancelled."),
    "too_large": (FailureKind.TOO_LARGE, "The answer is too large."),
    "first_byte": (FailureKind.TIMEOUT, "The answer did not begin in time."),
    "deadline": (FailureKind.TIMEOUT, "The answer did not end in time."),
}


def _fail(error: Exception, limits: CallLimits) -> NoReturn:
    """Raise what an error of the HTTP library says about the provider.

    None of its texts is passed on: they quote headers, and a provider may echo the key in one.
    """
    kind, detail = _ENDED[limits.ended_by] if limits.ended_by is not None else _meaning(error)
    raise ProviderFailure(kind, detail) from error


def _meaning(error: Exception) -> tuple[FailureKind, str]:
    match error:
        case RefusedError():
            return FailureKind.UNSUPPORTED, str(error)
        case httpcore2.PoolTimeout():
            return FailureKind.BUSY, "As many calls to it are under way as it may have."
        case httpcore2.TimeoutException():
            return FailureKind.TIMEOUT, "The provider was not reached in time."
        case httpcore2.UnsupportedProtocol() | httpcore2.LocalProtocolError():
            return FailureKind.UNSUPPORTED, "The request cannot be sent: its URL or a header is wrong."
        case httpcore2.RemoteProtocolError() if "disconnected" in str(error) or "peer closed" in str(error):
            return FailureKind.CONNECTION, "The connection was cut."
        case httpcore2.ProtocolError():
            return FailureKind.GARBAGE, "The answer is no HTTP answer."
    return FailureKind.CONNECTION, "The provider cannot be reached, or cut the connection."


def _describing(document: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % len(document))]


@cache
def _tls() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)
