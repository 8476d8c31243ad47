"""The process's Redis clients. Redis is a hint and a cache, never the truth: callers survive its absence.

Every wait is bounded. After a failure the synchronous client is left alone for a second, so that a Redis that hangs
costs each process one slow call a second and not one a request.
"""

import threading
import time
from functools import cache
from pathlib import Path

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

LUA_DIR = Path(__file__).parent / "lua"
RETRY_AFTER_S = 1.0
RedisError = redis.RedisError


@cache
def client() -> redis.Redis:
    """The shared synchronous client of this process (thread-safe, pooled)."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=0.5,
        socket_connect_timeout=0.5,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )


@cache
def load_script(name: str) -> redis.commands.core.Script:
    """A Lua script of kernel/lua, run by its hash; its head lists keys and arguments."""
    return client().register_script((LUA_DIR / f"{name}.lua").read_text())


class Availability:
    """Remembers that Redis just failed. ``usable()`` is False for a second after ``failed()``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocked_until = 0.0

    def usable(self) -> bool:
        return time.monotonic() >= self._blocked_until

    def failed(self) -> None:
        with self._lock:
            self._blocked_until = time.monotonic() + RETRY_AFTER_S


availability = Availability()
