"""The layers around /mcp: what Django's middleware does for a view, in the same order and by the same functions.

Layer 1 is stricter than elsewhere: a request that names a web page of another origin, or a host we are not, is refused
before anything is looked up (DNS rebinding). Layer 6's limits hold for the body; what it says the schemas of the tools
judge. Layer 7 is in apps/mcp: tools' results are scrubbed by the pipeline, everything else by `Passage.clean`.
"""

import hashlib
import time
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import structlog
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from apps.edge.auth import TOKEN_PARAMETERS
from apps.edge.cors import PREFLIGHT_VARY, CorsPolicy
from apps.edge.input_guard import MAX_DEPTH, nesting_exceeds
from apps.edge.measure import KNOWN_METHODS
from apps.edge.stream_gate import Passage, entering
from apps.identity.bearer import bearer_token
from apps.identity.tokens import TokenRefusedError
from apps.mcp.application import METHOD, McpApplication, MethodNotAllowed
from apps.mcp.metadata import challenge
from apps.mcp.visits import Visit
from apps.tools import registry
from kernel import metrics
from kernel.errors import (
    BadRequestError,
    ForbiddenError,
    PlatformError,
    UnauthenticatedError,
    UnsupportedMediaTypeError,
)
from kernel.web.asgi import Application, Message, Receive, Scope, Send, as_raw, send_problem
from kernel.web.db_calls import in_thread
from kernel.web.problem import as_platform_error

log = structlog.get_logger("edge")
NAMES, UNDERSCORES = "names", "underscores"  # /mcp?names=underscores
UNFORESEEN = "An unexpected error happened. Quote the correlation id when you report it."


class McpGate:
    """Stands before the application, which it hands the body and the visit; other paths go on to ``rest``."""

    def __init__(self, application: McpApplication, rest: Application) -> None:
        self.application, self.rest = application, rest
        policy = CorsPolicy.from_settings()
        asked = (*policy.request_headers, *settings.MCP_REQUEST_HEADERS)
        shown = (*policy.exposed_headers, "WWW-Authenticate")
        self.cors = replace(policy, methods=(METHOD, "OPTIONS"), request_headers=asked, exposed_headers=shown)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != settings.MCP_PATH:
            await self.rest(scope, receive, send)
            return
        began = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        name = f"MCP {scope['method']}"
        with entering(scope, settings.MCP_PATH, self.cors, name=name, method=METHOD) as passage:
            answer = _Answer(send, passage)
            try:
                await self._pass(scope, receive, answer, passage)
            except Exception as error:
                await _refuse(error, scope, answer, passage)
        method = scope["method"] if scope["method"] in KNOWN_METHODS else "other"
        metrics.HTTP_REQUESTS.labels(method, settings.MCP_PATH, answer.status).inc()
        metrics.HTTP_DURATION.labels(method, settings.MCP_PATH).observe(time.perf_counter() - began)

    async def _pass(self, scope: Scope, receive: Receive, answer: "_Answer", passage: Passage) -> None:
        sent = passage.sent
        _check_host(sent.get("host", ""))
        self._check_origin(sent.get("origin"), f"{scope['scheme']}://{sent['host']}")
        if scope["method"] == "OPTIONS" and "access-control-request-method" in sent:
            await self._preflight(sent, answer)
            return
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        token = _token(scope, query)
        await in_thread(_admit, passage, token)
        underscores = _wants_underscores(query)
        body = b""
        if scope["method"] == METHOD:
            _check_type(sent.get("content-type", ""))
            arrived = await _body(receive)
            if arrived is None:
                return
            body = arrived
            if nesting_exceeds(body, MAX_DEPTH):
                raise BadRequestError(f"The body is nested deeper than {MAX_DEPTH} levels.", code="too_deep")
        visit = Visit(passage, hashlib.sha256(token.encode()).hexdigest(), underscores)
        await self.application(scope, receive, answer.send, body=body, visit=visit)

    def _check_origin(self, origin: str | None, asked: str) -> None:
        """A web page may only come from where CORS says, or from ourselves; anything else sends none. ``asked``: the
        origin that was asked, whose host is one of ours."""
        public = urlsplit(settings.PUBLIC_URL)
        ours = (None, asked, f"{public.scheme}://{public.netloc}")
        if origin in ours or self.cors.headers(origin):
            return
        raise ForbiddenError("Web pages of this origin may not come here.", code="origin_refused")

    async def _preflight(self, sent: dict[str, str], answer: "_Answer") -> None:
        asked = sent.get("access-control-request-headers", "")
        headers = {
            **self.cors.preflight_headers(sent.get("origin"), asked),
            "Vary": ", ".join(PREFLIGHT_VARY),
            "Content-Length": "0",
        }
        await answer.send({"type": "http.response.start", "status": 204, "headers": as_raw(headers)})
        await answer.send({"type": "http.response.body", "body": b""})


class _Answer:
    """What goes out, with the headers that the passage has gathered by the time it starts."""

    def __init__(self, send: Send, passage: Passage) -> None:
        self._send, self._passage = send, passage
        self.status = 0  # until it starts

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = {name.lower() for name, _ in message.get("headers", ())}
            gathered = [(name, value) for name, value in as_raw(self._passage.headers) if name not in own]
            message = {**message, "headers": [*message.get("headers", ()), *gathered]}
        await self._send(message)


def stdio_passage() -> Passage:
    """The passage of who speaks over standard input: without address, headers and web pages."""
    return Passage(settings.MCP_PATH, {}, "", METHOD)


def _admit(passage: Passage, token: str) -> None:
    registry.callable_by(passage.admit(token))  # which may wait for PostgreSQL; what follows is on the event loop


def _check_host(host: str) -> None:
    domain, _ = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        raise BadRequestError("The API does not answer to this host name.", code="unknown_host")


def _check_type(content_type: str) -> None:
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise UnsupportedMediaTypeError("Send the body as application/json.")


def _token(scope: Scope, query: dict[str, list[str]]) -> str:
    """The one bearer token of the one Authorization header; empty, which is no good token, for anything else."""
    given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
    if len(given) != 1 or not TOKEN_PARAMETERS.isdisjoint(query):
        return ""
    try:
        return bearer_token(given[0])
    except TokenRefusedError:
        return ""


def _wants_underscores(query: dict[str, list[str]]) -> bool:
    if query and query != {NAMES: [UNDERSCORES]}:
        raise BadRequestError(f"The address takes ?{NAMES}={UNDERSCORES} or nothing.", code="unknown_parameter")
    return bool(query)


async def _body(receive: Receive) -> bytes | None:
    """The whole body, which apps/edge/body_limit.py bounds; None when the client left, or was told that it is too
    much."""
    pieces = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(pieces)


async def _refuse(error: Exception, scope: Scope, answer: _Answer, passage: Passage) -> None:
    """The error as problem+json; of an answer that has begun nothing can be taken back."""
    problem = as_platform_error(error)
    if problem is None:
        log.error("unhandled_error", path=scope["path"], method=scope["method"], exc_info=error)
        problem = PlatformError(UNFORESEEN)
    if answer.status:
        return
    headers = {}
    if isinstance(problem, UnauthenticatedError):
        headers["WWW-Authenticate"] = challenge(had_token="authorization" in passage.sent)
    if isinstance(problem, MethodNotAllowed):
        headers["Allow"] = METHOD
    await send_problem(answer.send, problem, instance=scope["path"], headers=headers)
