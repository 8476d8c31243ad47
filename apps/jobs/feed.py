"""What a process's streams of one log share: the latest events, read once for all of them, and one wake-up a process.

A wake-up says only that there may be more. What is sent is read, in order and without a hole, from the Redis ring while
it holds the range, else from PostgreSQL; so a lost wake-up costs a delay (the poll finds it) and never an event.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import redis
import redis.asyncio
import structlog
from channels.layers import get_channel_layer
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from apps.jobs.logs import LogKind, LogRef
from kernel import metrics
from kernel.errors import NotFoundError
from kernel.redis_keys import WAKE_GROUP
from kernel.web.db_calls import in_thread

log = structlog.get_logger("feed")
CACHED_EVENTS = 64
POLL_S = 5.0
POLL_WITHOUT_REDIS_S = 1.0
PAGE = 500
FIRST_PAGE, PAGE_BYTES = 16, 128 * 1024  # what one stream that is behind holds in memory; small events: larger pages


@dataclass(frozen=True)
class StreamEvent:
    """One event as a stream sends it; ``data`` is its JSON on one line."""

    seq: int
    type: str
    data: bytes


def _event(raw: dict[str, Any]) -> StreamEvent:
    data = json.dumps(raw["event_json"], separators=(",", ":"), ensure_ascii=False).encode()
    return StreamEvent(raw["seq_id"], raw["event_type"], data)


class LogFeed:
    """The tail of one log, and the streams that wait for it."""

    def __init__(self, kind: LogKind, log_id: UUID) -> None:
        self.kind = kind
        self.log_id = log_id
        self.ref: LogRef | None = None
        self.last_seq = 0
        self.tail: deque[StreamEvent] = deque(maxlen=CACHED_EVENTS)
        self.streams = 0
        self.pulse = asyncio.Event()
        self.pulling = asyncio.Lock()
        self.told_seq = 0

    def add(self, events: list[StreamEvent]) -> None:
        """Append what follows directly; wake the streams."""
        for event in events:
            if event.seq == self.last_seq + 1:
                self.tail.append(event)
                self.last_seq = event.seq
        pulse, self.pulse = self.pulse, asyncio.Event()
        pulse.set()

    def cached_after(self, seq: int) -> list[StreamEvent] | None:
        """Events after ``seq`` if the tail reaches back that far, else None."""
        if seq >= self.last_seq:
            return []
        if self.tail and self.tail[0].seq <= seq + 1:
            return [event for event in self.tail if event.seq > seq]
        return None


class Hub:
    """One a process and event loop: every feed, one subscription, one poll."""

    def __init__(self) -> None:
        self.feeds: dict[str, dict[UUID, LogFeed]] = {}  # by the kind's noun, then by id
        self._tasks: list[asyncio.Task[None]] = []
        self._redis = redis.asyncio.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=1.0,
            socket_connect_timeout=0.5,
            retry=Retry(NoBackoff(), 0),
            max_connections=16,
        )

    # -- feeds
    async def join(self, kind: LogKind, log_id: UUID, load: Callable[[], LogRef]) -> LogFeed:
        """The log's feed, with one stream more. ``load`` authorises and reads the row; its errors rise."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._poll())]
        feed = self.feeds.setdefault(kind.noun, {}).setdefault(log_id, LogFeed(kind, log_id))
        feed.streams += 1  # before the row is read: an event after the read wakes this feed
        try:
            ref = await in_thread(load)
            if feed.ref is None:
                feed.ref, feed.last_seq = ref, ref.last_seq
            if max(feed.told_seq, ref.last_seq) > feed.last_seq:
                await self.pull(feed)
        except BaseException:
            self.leave(feed)
            raise
        return feed

    def leave(self, feed: LogFeed) -> None:
        feed.streams -= 1
        kin = self.feeds[feed.kind.noun]
        if feed.streams == 0 and kin.get(feed.log_id) is feed:
            del kin[feed.log_id]

    # -- reading
    async def history(self, feed: LogFeed, after: int, limit: int) -> list[StreamEvent]:
        """A page of events after ``after`` for a stream that is behind the shared tail."""
        events = await self._from_ring(feed, after, limit)
        return await self._from_database(feed, after, limit) if events is None else events

    async def pull(self, feed: LogFeed) -> None:
        """Read what is after the shared tail. One reader at a time; the others find it done."""
        async with feed.pulling:
            while feed.ref is not None:
                events = await self._from_ring(feed, feed.last_seq)
                if not events:
                    events = await self._from_database(feed, feed.last_seq)
                if events:
                    feed.add(events)
                if len(events) < PAGE:
                    return

    async def _from_ring(self, feed: LogFeed, after: int, limit: int | None = None) -> list[StreamEvent] | None:
        """Events after ``after`` from Redis, the first ``limit`` or else to the end; None when it does not hold them
        in one piece."""
        key = feed.kind.ring(id=feed.log_id)
        try:
            start, end = -CACHED_EVENTS, -1
            if limit is not None:  # the ring's first event tells where the next one lies
                start = after + 1 - json.loads(await self._redis.lindex(key, 0) or "{}")["seq_id"]
                end = start + limit - 1
                if start < 0:
                    return None
            lines = await self._redis.lrange(key, start, end)
            events = {event.seq: event for event in map(_event, map(json.loads, lines)) if event.seq > after}
            seqs = sorted(events)
        except (redis.RedisError, OSError):
            metrics.REDIS_ERRORS.labels("ring").inc()
            return None
        except (ValueError, TypeError, KeyError):  # gone, or not what we write
            return None
        if not seqs or seqs[0] != after + 1 or seqs[-1] - seqs[0] + 1 != len(seqs):
            if seqs:
                metrics.SSE_GAPS.inc()
            return None
        return [events[seq] for seq in seqs]

    async def _from_database(self, feed: LogFeed, after: int, limit: int = PAGE) -> list[StreamEvent]:
        assert feed.ref is not None
        return [_event(row) for row in await in_thread(feed.kind.events_after, feed.ref, after, limit=limit)]

    # -- waking
    async def _listen(self) -> None:
        """The process's one subscription. Redis may come and go."""
        layer = get_channel_layer()
        while True:
            try:
                channel = await layer.new_channel()
                await layer.group_add(WAKE_GROUP, channel)
                while True:
                    message = await layer.receive(channel)
                    for log_id, seq in message["jobs"].items():
                        self._told(UUID(log_id), seq)
            except (redis.RedisError, OSError) as error:
                log.warning("wakeups_interrupted", error=type(error).__name__)
                await asyncio.sleep(1)

    def _told(self, log_id: UUID, seq: int) -> None:
        for kin in self.feeds.values():
            feed = kin.get(log_id)
            if feed is not None and seq > feed.told_seq:
                feed.told_seq = seq
                if feed.ref is not None and seq > feed.last_seq:
                    self._pull_soon(feed)

    def _pull_soon(self, feed: LogFeed) -> None:
        task = asyncio.create_task(self._try_pull(feed))
        self._tasks.append(task)
        task.add_done_callback(self._tasks.remove)

    async def _try_pull(self, feed: LogFeed) -> None:
        """Pull; PostgreSQL may be away, then the poll tries again."""
        try:
            await self.pull(feed)
        except Exception as error:  # noqa: BLE001 - a background read must not end the process's streams
            log.warning("pull_failed", **{feed.kind.id_name: str(feed.log_id)}, error=type(error).__name__)

    async def _poll(self) -> None:
        """Wake-ups are at most once, and a worker may die between its commit and its wake-up. This asks the rows."""
        asked_at = 0.0
        while True:
            await asyncio.sleep(POLL_WITHOUT_REDIS_S)
            now = asyncio.get_running_loop().time()
            if now - asked_at < POLL_S and await self._redis_answers():
                continue
            asked_at = now
            together: dict[tuple[str, UUID], list[LogFeed]] = {}
            for feed in (feed for kin in self.feeds.values() for feed in kin.values()):
                if feed.ref is not None:
                    together.setdefault((feed.kind.noun, feed.ref.tenant_id), []).append(feed)
            for (_, tenant_id), feeds in together.items():
                await self._poll_tenant(tenant_id, feeds)

    async def _redis_answers(self) -> bool:
        try:
            return bool(await self._redis.ping())
        except (redis.RedisError, OSError):
            return False

    async def _poll_tenant(self, tenant_id: UUID, feeds: list[LogFeed]) -> None:
        try:
            last = await in_thread(feeds[0].kind.last_seqs, tenant_id, [feed.log_id for feed in feeds])
        except Exception as error:  # noqa: BLE001 - PostgreSQL may be away: the streams hold, and are asked again
            log.warning("poll_failed", error=type(error).__name__)
            return
        for feed in feeds:
            if last.get(feed.log_id, 0) > feed.last_seq:
                await self._try_pull(feed)


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}


def hub() -> Hub:
    """This event loop's hub."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        for old in [known for known in _hubs if known.is_closed()]:
            del _hubs[old]
        _hubs[loop] = Hub()
    return _hubs[loop]


async def follow(feed: LogFeed, after: int, idle_s: Callable[[], float]) -> Any:
    """Yield events after ``after``, in order, to the end; None when nothing came for ``idle_s()`` seconds.

    An ``end`` that more events follow is an earlier attempt's: somebody resumed the run. NotFoundError when the log's
    history has been deleted under the stream.
    """
    cursor, limit = after, FIRST_PAGE
    while True:
        pulse = feed.pulse  # before the look, so that an event in between is not slept through
        events = feed.cached_after(cursor)
        if events is None:
            events = await hub().history(feed, cursor, limit)
            if not events:
                raise NotFoundError(f"The {feed.kind.noun}'s events are gone.", code="history_gone")
            size_bytes = sum(len(event.data) for event in events)
            limit = max(4, limit // 2) if size_bytes > PAGE_BYTES else min(PAGE, limit * 2)
        for event in events:
            cursor = event.seq
            yield event
            if event.type == "end" and event.seq >= feed.last_seq:
                return
        if not events:
            try:
                async with asyncio.timeout(idle_s()):
                    await pulse.wait()
            except TimeoutError:
                yield None
