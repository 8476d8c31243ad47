"""The one factory of HTTP clients for providers, and what their failures mean."""

import ssl
from collections.abc import Generator, Iterator
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, TypeVar, cast

import httpcore2
import httpx2
from django.conf import settings

from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.net.backend import GuardedBackend, RefusedError, StaleConnection
from apps.llm.net.limits import CallLimits, current_limits, limited

T = TypeVar("T")
KEEP_ALIVE_S = 30.0


class UnwantedAnswer(httpx2.RemoteProtocolError):
    """An HTTP answer of a sort that is not read. The text is ours: nothing in it comes from the provider."""


class GuardedTransport(httpx2.HTTPTransport):
    """HTTP/1.1 over checked connections to one origin. A redirect and a packed answer are refused before anybody reads
    them.
    """

    def __init__(self, base_url: str, pool_size: int) -> None:
        super().__init__(verify=_tls(), trust_env=False)
        self._origin = _origin(httpx2.URL(base_url))
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
        if _origin(request.url) != self._origin:
            raise httpx2.ConnectError("") from RefusedError("The request is for another host than the provider's.")
        limits = current_limits()
        wait_s = settings.LLM_SLOT_WAIT_S if limits is None else min(settings.LLM_SLOT_WAIT_S, limits.left_s)
        request.extensions = {**request.extensions, "timeout": {"pool": wait_s}}
        try:
            response = super().handle_request(request)
        except httpx2.ReadError as error:
            if not isinstance(error.__cause__, StaleConnection):
                raise
            response = super().handle_request(request)  # once: a server that dies of a request shall not get it often
        if response.status_code < 200 or 300 <= response.status_code < 400:
            response.close()
            what = "a redirect: none is followed" if response.status_code >= 300 else "which ends nothing"
            raise UnwantedAnswer(f"It answered {response.status_code}, {what}.")
        if response.headers.get("content-encoding", "").lower() not in ("", "identity"):
            response.close()
            raise UnwantedAnswer("Its answer is packed although it was asked not to do so.")
        return response


def provider_client(*, base_url: str, headers: dict[str, str] | None = None, pool_size: int = 64) -> httpx2.Client:
    """A client for one provider, for use inside ``limited(limits)`` only: all it sends and reads keeps to these limits.

    Nothing comes from the environment: no proxy, no certificate, no netrc. No cookie is kept.
    """
    return httpx2.Client(
        base_url=base_url,
        headers={"Accept-Encoding": "identity", "User-Agent": "cineca-agentic-platform", **(headers or {})},
        transport=GuardedTransport(base_url, pool_size),
        timeout=None,
        follow_redirects=False,
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    )


def stepwise(limits: CallLimits, steps: Iterator[T]) -> Generator[T, None, None]:
    """The same items; each is waited for within ``limits``, also when other streams are read in between.

    Closing this closes ``steps``, also before the first item.
    """
    taken = _taken(limits, steps)
    next(taken)
    return taken


def _taken(limits: CallLimits, steps: Iterator[T]) -> Generator[T, None, None]:
    try:
        yield cast(T, None)  # stepwise leaves it here: a generator that has not begun would not come to its finally
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
            with limited(limits):
                close()


_ENDED = {
    "cancelled": (FailureKind.CANCELLED, "The call was cancelled."),
    "too_large": (FailureKind.TOO_LARGE, "The answer is too large."),
    "first_byte": (FailureKind.TIMEOUT, "The answer did not begin in time."),
    "deadline": (FailureKind.TIMEOUT, "The answer did not end in time."),
}


def failure_of(error: BaseException, limits: CallLimits) -> ProviderFailure:
    """What an exception of the client, or of a library above it, says about the provider.

    No text of the HTTP library is passed on: it quotes headers, and a provider may echo the key in one.
    """
    if limits.ended_by is not None:
        return ProviderFailure(*_ENDED[limits.ended_by])
    for cause in _causes(error):
        failure = _meaning(cause)
        if failure is not None:
            return failure
    return ProviderFailure(FailureKind.GARBAGE, f"The answer cannot be read ({type(error).__name__}).")


def _meaning(cause: BaseException) -> ProviderFailure | None:
    """Of one exception in the chain, outermost first; None: ask the next."""
    match cause:
        case ProviderFailure():
            return cause
        case RefusedError() | UnwantedAnswer():
            kind = FailureKind.UNSUPPORTED if isinstance(cause, RefusedError) else FailureKind.GARBAGE
            return ProviderFailure(kind, str(cause))
        case httpx2.ConnectError() if isinstance(cause.__cause__, RefusedError):
            return None
        case httpx2.PoolTimeout():
            return ProviderFailure(FailureKind.BUSY, "As many calls to it are under way as it may have.")
        case httpx2.TimeoutException() | httpcore2.TimeoutException() | TimeoutError():
            return ProviderFailure(FailureKind.TIMEOUT, "The provider was not reached in time.")
        case httpx2.UnsupportedProtocol() | httpx2.LocalProtocolError():
            return ProviderFailure(FailureKind.UNSUPPORTED, "The request cannot be sent: its URL or a header is wrong.")
        case httpx2.RemoteProtocolError() if "disconnected" in str(cause) or "peer closed" in str(cause):
            return ProviderFailure(FailureKind.CONNECTION, "The connection was cut.")
        case httpx2.RemoteProtocolError():
            return ProviderFailure(FailureKind.GARBAGE, "The answer is no HTTP answer.")
        case httpx2.TransportError():
            return ProviderFailure(FailureKind.CONNECTION, "The provider cannot be reached, or cut the connection.")
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _origin(url: httpx2.URL) -> tuple[str, bytes, int | None]:
    return url.scheme, url.raw_host, url.port


@cache
def _tls() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)
