"""The layers around a stream: Django's middleware does not see server-sent events and websockets, so this does what
layers 1 to 8 do, in their order and by their functions.

CORS, trace and errors need no caller and are there from the first byte. Layers 3 to 5 are in `Passage.admit`, which the
consumer calls once it has a token: a websocket may bring it in its first message. The input is a job's id and a number,
which the consumer checks itself.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from opentelemetry.trace import SpanKind

from apps.edge.auth import authorise, note_refusal
from apps.edge.cors import CorsPolicy
from apps.edge.output_guard import scrub_event
from apps.edge.rate_limit import check_address, check_rate
from apps.edge.tenant import HEADER, config_for, note_acting, principal_for
from apps.edge.trace import response_headers
from apps.identity.principal import Principal
from apps.identity.tokens import TokenRefusedError, verify
from apps.tenancy.config import TenantConfig
from apps.tenancy.resolver import tenant_config
from kernel import tracing
from kernel.errors import ForbiddenError, PlatformError, UnauthenticatedError, UnavailableError
from kernel.ids import request_id_of
from kernel.web.asgi import Application, Message, Receive, Scope, Send, as_raw, headers_of
from kernel.web.client_address import client_address
from kernel.web.db_calls import in_thread

log = structlog.get_logger("edge")
LOOKED_S = 5.0  # streams of one token share a look for this long
LOOKED_MAX = 4096
_looked: dict[tuple[str, object], tuple[float, bool]] = {}  # (token, tenant) -> (when, was it good); the loop's alone


class Passage:
    """One stream's way through: what it may, and what its answer's headers say."""

    def __init__(self, route: str, sent: dict[str, str], address: str, method: str = "GET") -> None:
        self.route = route
        self.method = method
        self.sent = sent
        self.address = address
        self.headers: dict[str, str] = {}
        self.config: TenantConfig | None = None
        self.principal: Principal | None = None
        self._token = ""

    def admit(self, token: str) -> Principal:
        """Layers 3 to 5. UnauthenticatedError, ForbiddenError, RateLimitedError. Waits: call it in a thread."""
        self._token = token
        try:
            self.principal = self._identify(token)
            structlog.contextvars.bind_contextvars(tenant_id=str(self.principal.tenant_id))
            decision = check_rate(self.principal, self.method, self.route, _known_config(self.principal))
            self.headers.update(decision.headers())
            if not decision.allowed:
                raise decision.error()
            caller = self.principal = principal_for(self.principal, self.sent.get(HEADER.lower()))
            self.config = config_for(caller)
            authorise(caller, self.method, self.route)
        except (UnauthenticatedError, ForbiddenError) as problem:
            reason = problem.reason if isinstance(problem, TokenRefusedError) else problem.code
            log.info("stream_refused", reason=reason, route=self.route)
            note_refusal(
                self.principal, status=problem.http_status, reason=reason, method=self.method, route=self.route
            )
            raise
        if caller.home_tenant_id is not None:
            note_acting(caller, method=self.method, route=self.route)
        return caller

    def _identify(self, token: str) -> Principal:
        try:
            return verify(token)
        except TokenRefusedError:
            decision = check_address(self.address)
            if not decision.allowed:
                raise decision.error() from None
            raise

    def clean(self, data: bytes, route: str | None = None) -> bytes:
        """Layer 7, for one event. ``route``: what the route of that template exists to show stays."""
        shown_as = self.route if route is None else route
        return scrub_event(data, principal=self.principal, config=self.config, route=shown_as.lstrip("/"))

    async def still_open(self) -> bool:
        """Whether token, user and tenant are still good. What cannot be looked up right now is."""
        now = time.monotonic()
        key = (self._token, self.principal and self.principal.tenant_id)
        looked_at, good = _looked.get(key, (float("-inf"), True))
        if now - looked_at < LOOKED_S:
            return good
        if len(_looked) >= LOOKED_MAX:
            _looked.clear()
        _looked[key] = (now, good)  # while one stream looks the others need not
        good = await in_thread(self._look)
        _looked[key] = (now, good)
        return good

    def _look(self) -> bool:
        try:
            verify(self._token)
            if self.principal is not None:
                self.config = config_for(self.principal)
        except (UnauthenticatedError, ForbiddenError):
            return False
        except (PlatformError, DatabaseError):
            return True
        return True


def _known_config(principal: Principal) -> TenantConfig | None:
    """None when it cannot be known: the platform's own limits hold, and layer 5 says what is wrong."""
    try:
        return tenant_config(principal.tenant_id)
    except (UnavailableError, DatabaseError):
        return None


class StreamGate:
    """Wraps a consumer. ``route`` is the template whose rights and limits hold for it, without the leading slash: a
    websocket of a job's events needs what their event stream needs."""

    def __init__(self, consumer: Application, route: str) -> None:
        self.consumer = consumer
        self.route = f"/{route}"
        self.cors = CorsPolicy.from_settings()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with entering(scope, self.route, self.cors, name=f"STREAM {self.route}") as passage:
            await self.consumer({**scope, "passage": passage}, receive, _outward(send, passage))


@contextmanager
def entering(scope: Scope, route: str, cors: CorsPolicy, *, name: str, method: str = "GET") -> Iterator[Passage]:
    """Layers 1 and 2, which need no caller: a passage with the headers of CORS and trace, inside the span ``name``."""
    sent = headers_of(scope)
    request_id = request_id_of(sent.get("x-request-id"))
    peer = (scope.get("client") or ("",))[0]
    address = client_address(peer, sent.get("x-forwarded-for", ""), settings.TRUSTED_PROXIES)
    passage = Passage(route, sent, address, method)
    passage.headers.update(cors.headers(sent.get("origin")), Vary="Origin")
    with tracing.span(
        name,
        kind=SpanKind.SERVER,
        traceparent=sent.get("traceparent", ""),
        tracestate=sent.get("tracestate", ""),
        request_id=request_id,
        correlation_id=request_id_of(sent.get("x-correlation-id"), request_id),
        client_ip=address,
    ) as context:
        passage.headers.update(response_headers(context))
        yield passage


def _outward(send: Send, passage: Passage) -> Send:
    """``send``, with the headers that the passage has gathered by the time the answer starts."""

    async def outward(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.accept"):
            message = {**message, "headers": [*message.get("headers", ()), *as_raw(passage.headers)]}
        await send(message)

    return outward
