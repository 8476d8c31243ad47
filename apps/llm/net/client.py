"""The one factory of HTTP clients for providers, and what their failures mean."""

import ssl
from collections.abc import Generator, Iterator
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, TypeVar

import httpcore2
import httpx2

from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.net.backend import GuardedBackend, RefusedError
from apps.llm.net.limits import CallLimits, limited

T = TypeVar("T")
KEEP_ALIVE_S = 30.0
DETAIL_CHARS = 300


class GuardedTransport(httpx2.HTTPTransport):
    """HTTP/1.1 over checked connections. A redirect and a packed answer are refused before anybody reads them."""

    def __init__(self, pool_size: int) -> None:
        super().__init__(verify=_tls(), trust_env=False)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=_tls(),
            max_connections=pool_size,
            max_keepalive_connections=pool_size,
            keepalive_expiry=KEEP_ALIVE_S,
            http1=True,
            http2=False,
            network_backend=GuardedBackend(),
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = super().handle_request(request)
        if 300 <= response.status_code < 400:
            response.close()
            raise httpx2.RemoteProtocolError(f"It answered {response.status_code}, a redirect: none is followed.")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            response.close()
            raise httpx2.RemoteProtocolError("Its answer is packed although it was asked not to do so.")
        return response


def provider_client(*, base_url: str, headers: dict[str, str] | None = None, pool_size: int = 64) -> httpx2.Client:
    """A client for one provider. What is sent and read inside ``limited(limits)`` keeps to these limits.

    Nothing comes from the environment: no proxy, no certificate, no netrc. No cookie is kept.
    """
    return httpx2.Client(
        base_url=base_url,
        headers={"Accept-Encoding": "identity", "User-Agent": "cineca-agentic-platform", **(headers or {})},
        transport=GuardedTransport(pool_size),
        timeout=None,
        follow_redirects=False,
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    )


def stepwise(limits: CallLimits, steps: Iterator[T]) -> Generator[T, None, None]:
    """The same items; each is waited for within ``limits``, also when other streams are read in between.

    Closing this closes ``steps``.
    """
    try:
        while True:
            with limited(limits):
                try:
                    item = next(steps)
                except StopIteration:
                    return
            yield item
    finally:
        close: Any = getattr(steps, "close", None)
        if close is not None:
            close()


def failure_of(error: BaseException, limits: CallLimits) -> ProviderFailure:
    """What an exception of the client, or of a library above it, says about the provider."""
    if limits.ended_by == "cancelled":
        return ProviderFailure(FailureKind.CANCELLED, "The call was cancelled.")
    if limits.ended_by == "too_large":
        return ProviderFailure(FailureKind.TOO_LARGE, f"The answer is larger than {limits.max_bytes} bytes.")
    if limits.ended_by == "first_byte":
        return ProviderFailure(FailureKind.TIMEOUT, "The answer did not begin in time.")
    if limits.ended_by == "deadline":
        return ProviderFailure(FailureKind.TIMEOUT, "The answer did not end in time.")
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, RefusedError):
            return ProviderFailure(FailureKind.UNSUPPORTED, str(cause)[:DETAIL_CHARS])
    for cause in causes:
        if isinstance(cause, httpx2.TimeoutException | httpcore2.TimeoutException | TimeoutError):
            return ProviderFailure(FailureKind.TIMEOUT, "The provider was not reached in time.")
        if isinstance(cause, httpx2.RemoteProtocolError) and "disconnected" not in str(cause).lower():
            if limits.read_bytes and "peer closed" in str(cause):
                return ProviderFailure(FailureKind.CONNECTION, "The connection was cut.")
            return ProviderFailure(FailureKind.GARBAGE, f"The answer is no HTTP answer: {cause}"[:DETAIL_CHARS])
        if isinstance(cause, httpx2.TransportError):
            return ProviderFailure(FailureKind.CONNECTION, "The provider cannot be reached, or cut the connection.")
    return ProviderFailure(FailureKind.GARBAGE, f"The answer cannot be read ({type(error).__name__}).")


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


@cache
def _tls() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)
