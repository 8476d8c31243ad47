"""A log's events as server-sent events and over websocket: the same ids, the same resume, the same end (SPEC 6.2).

The two classes of jobs are at the end; whoever has logs of another kind derives its own.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import structlog
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from apps.jobs.feed import StreamEvent, follow
from apps.jobs.job_log import JOB_LOG
from apps.jobs.logs import LogKind, LogRef
from apps.jobs.schemas import parse_event_id
from apps.jobs.subscription import Subscription
from kernel import metrics
from kernel.errors import (
    BadRequestError,
    ForbiddenError,
    NotAcceptableError,
    NotFoundError,
    PlatformError,
    UnauthenticatedError,
)
from kernel.web.problem import as_platform_error
from kernel.web.sse import KEEP_ALIVE, EventStreamConsumer, end, frame

log = structlog.get_logger("streams")
RETRY_DEFAULT_MS, RETRY_MIN_MS, RETRY_MAX_MS = 5000, 1000, 60_000
AUTH_WAIT_S = 10.0
WS_PROTOCOL = "agentic.v1"
WS_TOKEN_PREFIX = "bearer."
CLOSE_UNAUTHENTICATED, CLOSE_FORBIDDEN, CLOSE_NOT_FOUND = 4401, 4403, 4404
CLOSE_BAD_REQUEST, CLOSE_TRY_AGAIN = 4400, 1013
# What a client is told beside the code; the protocol has room for 123 bytes.
CLOSE_REASONS = {
    CLOSE_UNAUTHENTICATED: "No valid token: Authorization header, subprotocol bearer.TOKEN or first message.",
    CLOSE_FORBIDDEN: "Forbidden: missing permission, or a page of another origin.",
    CLOSE_NOT_FOUND: "There is nothing of this id, or it is somebody else's.",
    CLOSE_BAD_REQUEST: 'Malformed: the id is a UUID, after an event\'s number, the first message {"token": TOKEN}.',
    CLOSE_TRY_AGAIN: "Come back with ?after= the last id that you have seen.",
}


class LogEvents(EventStreamConsumer):
    """GET .../{id}/events. ``kind`` says of what; the route names its id as the kind does."""

    kind: LogKind

    async def open(self) -> None:
        query = parse_qs(self.scope.get("query_string", b"").decode("latin-1"))
        self.subscription = Subscription(self.scope["passage"], self.kind)
        self.ref = await self.subscription.open(
            self._token(query), self.scope["url_route"]["kwargs"][self.kind.id_name]
        )
        try:  # what was asked for is nobody's business before it is known who asks
            self._read(query)
        except PlatformError:
            self.subscription.close()
            raise
        if self.ref.ended and self.after == self.ref.last_seq:
            self.status = 204  # it has seen the end; at this answer an EventSource stops coming back

    def _read(self, query: dict[str, list[str]]) -> None:
        accept = self.headers.get("accept", "*/*").lower()
        if not any(kind in accept for kind in ("text/event-stream", "text/*", "*/*")):
            raise NotAcceptableError("Events come as text/event-stream, or as a page with ?format=json.")
        self.after = parse_event_id(self.headers.get("last-event-id") or query.get("after", [None])[0])
        self.retry_ms = _retry_ms(query.get("retry_ms", [None])[0])

    def _token(self, query: dict[str, list[str]]) -> str:
        """The one bearer token of the header; empty, which is no good token, where there is not exactly one."""
        tokens = _bearers(self.scope["headers"])
        in_address = not {"access_token", "token"}.isdisjoint(query)
        return "" if in_address or len(tokens) != 1 else tokens[0]

    async def close(self) -> None:
        self.subscription.close()

    async def frames(self) -> AsyncIterator[bytes]:
        if self.status == 204:
            return
        yield b"retry: %d\n\n" % self.retry_ms
        feed = self.subscription.feed
        assert feed is not None
        after = self.after
        if after:
            metrics.SSE_RESUMES.inc()
        if after > feed.last_seq:
            yield frame(_reset(self.kind, self.ref, "unknown_event_id", after), event="reset")
            after = 0
        last = after
        try:
            async for event in follow(feed, after, self.subscription.idle_s):
                if self.subscription.expires_in_s() <= 0:
                    yield b": token expired\n\n"
                    return
                if not await self.subscription.may_stay():
                    yield b": no longer authorised\n\n"
                    return
                if event is None:
                    metrics.SSE_HEARTBEATS.inc()
                    yield KEEP_ALIVE
                    continue
                if event.seq != last + 1:
                    yield frame(_reset(self.kind, self.ref, "history_gone", last), event="reset")
                last = event.seq
                yield frame(self.subscription.passage.clean(event.data), event=event.type, event_id=event.seq)
                if event.type == "end":
                    metrics.SSE_TERMINAL.inc()
        except PlatformError as error:
            yield frame(_reset(self.kind, self.ref, error.code, last), event="reset")
        except Exception as error:
            if as_platform_error(error) is None:
                raise
            return  # PostgreSQL is away: the client comes back with its last event id


def _bearers(headers: list[tuple[bytes, bytes]]) -> list[str]:
    """The token of each Authorization header; empty for one of another scheme."""
    sent = [value.decode("latin-1").partition(" ") for name, value in headers if name == b"authorization"]
    return [token.strip() if scheme.lower() == "bearer" else "" for scheme, _, token in sent]


def _retry_ms(raw: str | None) -> int:
    """What the client asked for, or a default with jitter, so that a thousand clients do not come back at once."""
    if raw is None:
        return RETRY_DEFAULT_MS + random.randrange(RETRY_DEFAULT_MS // 5)
    if not raw.isascii() or not raw.isdigit() or len(raw) > 8 or not RETRY_MIN_MS <= int(raw) <= RETRY_MAX_MS:
        raise BadRequestError(f"retry_ms must lie between {RETRY_MIN_MS} and {RETRY_MAX_MS}.", code="invalid_retry_ms")
    return int(raw)


def _reset(kind: LogKind, ref: LogRef, reason: str, after: int) -> bytes:
    return json.dumps({kind.id_name: str(ref.id), "reason": reason, "after": after}).encode()


class LogSocket(AsyncWebsocketConsumer):
    """/ws/.../{id}. The token comes in the Authorization header, as subprotocol ``bearer.<token>`` (beside
    ``agentic.v1``) or in the first message {"token": ..., "after": n}; never in the URL. Sends {id, event, data};
    closes with 1000 after the end, 4401 when the token is not valid or expires."""

    channel_layer_alias = None
    kind: LogKind

    async def connect(self) -> None:
        self._subscription = Subscription(self.scope["passage"], self.kind)
        self._task: asyncio.Task[None] | None = None
        self._authenticated = False
        headers = dict(self.scope["headers"])
        query = parse_qs(self.scope.get("query_string", b"").decode("latin-1"))
        if not _origin_allowed(headers.get(b"origin")):
            await self._refuse(CLOSE_FORBIDDEN)
            return
        offered = self.scope.get("subprotocols", [])
        tokens = [name[len(WS_TOKEN_PREFIX) :] for name in offered if name.startswith(WS_TOKEN_PREFIX)]
        tokens += filter(None, _bearers(self.scope["headers"]))
        await self.accept(subprotocol=WS_PROTOCOL if WS_PROTOCOL in offered else None)
        if "token" in query or "access_token" in query or len(tokens) > 1:
            await self._refuse(CLOSE_UNAUTHENTICATED)
        elif tokens:
            await self._begin(tokens[0], query.get("after", [None])[0])
        else:
            self._task = asyncio.create_task(self._expect_token())

    async def _expect_token(self) -> None:
        await asyncio.sleep(AUTH_WAIT_S)
        if not self._authenticated:
            await self._refuse(CLOSE_UNAUTHENTICATED)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self._authenticated:
            return
        try:
            message = json.loads(text_data or "")
            token, after = str(message["token"]), message.get("after")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            await self._refuse(CLOSE_BAD_REQUEST)
            return
        if self._task is not None:
            self._task.cancel()
        await self._begin(token, None if after is None else str(after))

    async def _begin(self, token: str, after: str | None) -> None:
        self._authenticated = True
        try:
            seen = parse_event_id(after)
            ref = await self._subscription.open(token, self.scope["url_route"]["kwargs"][self.kind.id_name])
        except UnauthenticatedError:
            await self._refuse(CLOSE_UNAUTHENTICATED)
        except ForbiddenError:
            await self._refuse(CLOSE_FORBIDDEN)
        except NotFoundError:
            await self._refuse(CLOSE_NOT_FOUND)
        except BadRequestError:
            await self._refuse(CLOSE_BAD_REQUEST)
        except Exception as error:
            if as_platform_error(error) is None:
                raise
            await self._refuse(CLOSE_TRY_AGAIN)
        else:
            self._task = asyncio.create_task(self._stream(seen, ref))

    async def _stream(self, after: int, ref: LogRef) -> None:
        feed = self._subscription.feed
        assert feed is not None
        metrics.SSE_ACTIVE.labels("websocket").inc()
        try:
            if ref.ended and after == ref.last_seq:
                await self.close(code=1000)
                return
            if after > feed.last_seq:
                await self._reset(ref, "unknown_event_id", after)
                after = 0
            async for event in follow(feed, after, self._subscription.idle_s):
                if self._subscription.expires_in_s() <= 0 or not await self._subscription.may_stay():
                    await self._refuse(CLOSE_UNAUTHENTICATED)
                    return
                if event is None:
                    await self._say('{"event":"heartbeat"}')
                    continue
                if event.seq != after + 1:
                    await self._reset(ref, "history_gone", after)
                after = event.seq
                await self._say(_message(event, self._subscription.passage.clean(event.data)))
            metrics.SSE_TERMINAL.inc()
            await self.close(code=1000)
        except TimeoutError:
            metrics.SSE_SLOW_CLOSED.inc()
            await self._refuse(CLOSE_TRY_AGAIN)
        except Exception as error:
            if as_platform_error(error) is None:
                raise
            await self._refuse(CLOSE_TRY_AGAIN)
        finally:
            metrics.SSE_ACTIVE.labels("websocket").dec()
            self._subscription.close()

    async def _reset(self, ref: LogRef, reason: str, after: int) -> None:
        await self._say('{"event":"reset","data":' + _reset(self.kind, ref, reason, after).decode() + "}")

    async def _refuse(self, code: int) -> None:
        await self.close(code=code, reason=CLOSE_REASONS[code])

    async def _say(self, text: str) -> None:
        async with asyncio.timeout(settings.SSE_SEND_TIMEOUT_S):
            await self.send(text_data=text)

    async def disconnect(self, code: int) -> None:
        if self._task is not None and self._task is not asyncio.current_task():
            await end(self._task)
        self._subscription.close()


def _message(event: StreamEvent, data: bytes) -> str:
    return f'{{"id":{event.seq},"event":"{event.type}","data":{data.decode()}}}'


def _origin_allowed(origin: bytes | None) -> bool:
    """A browser always says where a page comes from; a program that says nothing is no browser."""
    if origin is None or origin.decode("latin-1") in settings.CORS_ORIGINS:
        return True
    try:
        host = urlsplit(origin.decode("latin-1")).hostname or ""
    except ValueError:
        return False
    return any(host == allowed.strip("[]") or allowed == "*" for allowed in settings.ALLOWED_HOSTS)


class JobEvents(LogEvents):
    """GET /v1/jobs/{id}/events."""

    kind = JOB_LOG


class JobSocket(LogSocket):
    """/ws/jobs/{id}."""

    kind = JOB_LOG
