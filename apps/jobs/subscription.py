"""One stream's hold on a log's feed: admitted by the layers, counted against its caller, and looked at again."""

import time
from typing import Protocol

from django.conf import settings

from apps.identity.principal import Principal
from apps.jobs.feed import LogFeed, hub
from apps.jobs.logs import LogKind, LogRef
from kernel.errors import BadRequestError, RateLimitedError
from kernel.web.db_calls import in_thread

LOOK_AGAIN_S = 5.0  # with a heartbeat of 15 s and a standing of 5 s: a stream ends within 30 s of its caller's rights

_open_by_caller: dict[tuple[str, str], int] = {}


class Passage(Protocol):
    """One stream's way through the layers, in scope["passage"]: apps/edge/stream_gate.py."""

    def admit(self, token: str) -> Principal:
        """Who this is. UnauthenticatedError, ForbiddenError, RateLimitedError. May wait: call it in a thread."""

    def clean(self, data: bytes) -> bytes:
        """An event's JSON without what its reader's tenant does not want shown."""

    async def still_open(self) -> bool:
        """Whether the caller that was admitted still may be here."""


class Subscription:
    """One stream's hold on a log's feed, counted against its caller."""

    def __init__(self, passage: Passage, kind: LogKind) -> None:
        self.passage = passage
        self.kind = kind
        self.feed: LogFeed | None = None
        self.principal: Principal | None = None
        self._caller: tuple[str, str] | None = None
        self._look_again_at = time.monotonic() + LOOK_AGAIN_S

    async def open(self, token: str, raw_id: str) -> LogRef:
        """Authorise, join the feed. UnauthenticatedError, ForbiddenError, BadRequestError, NotFoundError,
        RateLimitedError."""
        try:
            log_id = self.kind.parse_id(raw_id)
        except BadRequestError:
            await in_thread(self.passage.admit, token)  # a stranger learns nothing of what ids look like
            raise
        held: list[tuple[Principal, LogRef]] = []

        def load() -> LogRef:
            principal = self.passage.admit(token)
            ref = self.kind.find(principal, log_id)
            held.append((principal, ref))
            return ref

        feed = await hub().join(self.kind, log_id, load)
        self.principal, ref = held[0]
        caller = (str(self.principal.tenant_id), self.principal.sub)
        if _open_by_caller.get(caller, 0) >= settings.STREAMS_PER_PRINCIPAL:
            hub().leave(feed)
            raise RateLimitedError(
                "You have too many open streams. Close some.", code="too_many_streams", retry_after_s=5
            )
        _open_by_caller[caller] = _open_by_caller.get(caller, 0) + 1
        self.feed, self._caller = feed, caller
        return ref

    def close(self) -> None:
        if self.feed is not None and self._caller is not None:
            hub().leave(self.feed)
            self.feed = None
            _open_by_caller[self._caller] -= 1
            if not _open_by_caller[self._caller]:
                del _open_by_caller[self._caller]

    async def may_stay(self) -> bool:
        """Whether token, user and tenant are still good; looked up now and then."""
        if time.monotonic() < self._look_again_at:
            return True
        self._look_again_at = time.monotonic() + LOOK_AGAIN_S
        return await self.passage.still_open()

    def idle_s(self) -> float:
        """How long to wait before the next heartbeat, or until the token expires."""
        return max(0.01, min(settings.SSE_HEARTBEAT_S, self.expires_in_s()))

    def expires_in_s(self) -> float:
        """Seconds left of the caller's token."""
        if self.principal is None or not self.principal.expires_at:
            return float("inf")
        return self.principal.expires_at - time.time()
