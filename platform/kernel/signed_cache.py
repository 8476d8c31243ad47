"""JSON documents cached in Redis so that nobody else can write them: each is signed for its key, and carries a version.

A document that was edited, moved to another key, or written without the platform's secret is a miss. A version never
gives way to an older one. Redis away is a miss, too: PostgreSQL has the truth.
"""

from collections.abc import Callable

import redis
import structlog
from django.core import signing
from pydantic_core import from_json, to_json

from kernel import metrics
from kernel.redis_client import availability, client, load_script

log = structlog.get_logger("cache")


def _signer(key: str) -> signing.Signer:
    return signing.Signer(salt=f"cache:{key}")


def put(key: str, *, version: int, document: object, ttl_s: int) -> bool:
    """Cache a JSON document under ``key`` unless a newer version is there. False when Redis did not take it."""
    signed = _signer(key).sign(to_json({"version": version, "document": document}).decode())

    def write() -> bool:
        return bool(load_script("put_newer")(keys=[key], args=[version, f"{version}:{signed}", ttl_s]))

    return bool(_attempt(write))


def get(key: str) -> object | None:
    """The cached document; None when there is none that is ours."""
    try:
        held = _attempt(lambda: client().get(key))
        if not isinstance(held, str):
            return None
        found = from_json(_signer(key).unsign(held.partition(":")[2]))
    except (signing.BadSignature, ValueError):  # a UnicodeDecodeError, too
        log.warning("forged_cache_entry", key=key[:100])
        drop(key)
        return None
    document: object = found["document"]
    return document


def drop(key: str) -> None:
    """Forget ``key``."""
    _attempt(lambda: client().delete(key))


def _attempt(talk: Callable[[], object]) -> object | None:
    if not availability.usable():
        return None
    try:
        return talk()
    except redis.RedisError as error:
        availability.failed()
        metrics.REDIS_ERRORS.labels("cache").inc()
        log.warning("cache_unreachable", error=type(error).__name__)
        return None
