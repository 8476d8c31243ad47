"""Values that a tenant's tools keep in Redis for a while (SPEC 8: cache.*), shared by the tenant's callers.

A key's text stands after the tenant's id and is never a pattern: no text leads out of the tenant's space. Values are
signed for their key; what anybody else wrote is not there. An index of the tenant's own bounds keys and bytes, and is
what lists and prefixes go by: nothing looks through all of Redis. While it is away: UnavailableError, at once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import redis
import structlog
from django.conf import settings
from django.core import signing
from pydantic_core import from_json, to_json

from kernel import metrics
from kernel.errors import ConflictError, UnavailableError, ValidationError
from kernel.redis_client import availability, client, load_script
from kernel.redis_keys import TOOLS_CACHE, TOOLS_CACHE_KEYS, TOOLS_CACHE_SIZES

log = structlog.get_logger("tools")
VALUE_BYTES = 65_536
TTL_MAX_S = TOOLS_CACHE.ttl_s or 0
STEP = 500  # keys that are looked at, or dropped, in one go


@dataclass(frozen=True, slots=True)
class Held:
    """A value that is there."""

    value: Any
    expires_in_s: float


def get(tenant_id: UUID, key: str) -> Held | None:
    """What is kept under the key; None when there is nothing that is ours."""
    name = TOOLS_CACHE(tenant=tenant_id, key=key)
    try:
        found = _script(tenant_id, [name], ["get", key])
        if not found:
            return None
        return Held(from_json(_signer(name).unsign(found[0])), max(0, found[1]) / 1000)
    except (signing.BadSignature, ValueError):  # a UnicodeDecodeError, too
        log.warning("forged_cache_entry", key=name[:100])
        drop(tenant_id, [key])
        return None


def put(tenant_id: UUID, key: str, value: object, *, ttl_s: int) -> int:
    """Keep a JSON value in the place of the one that is there; its bytes.

    ValidationError above VALUE_BYTES, ConflictError when the tenant keeps as much as it may.
    """
    text = to_json(value)
    if len(text) > VALUE_BYTES:
        raise ValidationError(
            f"The value has {len(text):,} bytes; {VALUE_BYTES:,} can be kept. Keep less, or a file.",
            code="cache_value_too_large",
        )
    name = TOOLS_CACHE(tenant=tenant_id, key=key)
    most = (settings.TOOLS_CACHE_KEYS, settings.TOOLS_CACHE_BYTES)
    values = ["put", key, _signer(name).sign(text.decode()), ttl_s, *most, TOOLS_CACHE_KEYS.ttl_s]
    said = _script(tenant_id, [name], values)
    if said != "kept":
        raise ConflictError(
            f"Your tenant keeps as many {said} as it may ({most[0]:,} keys, {most[1]:,} bytes). "
            "Take some away with cache.invalidate, or wait until some expire.",
            code="cache_full",
        )
    return len(text)


def drop(tenant_id: UUID, keys: Sequence[str]) -> int:
    """Forget the keys; how many were there."""
    dropped = 0
    for start in range(0, len(keys), STEP):
        texts = list(keys[start : start + STEP])
        names = [TOOLS_CACHE(tenant=tenant_id, key=text) for text in texts]
        dropped += int(_script(tenant_id, names, ["drop", *texts]))
    return dropped


def drop_prefix(tenant_id: UUID, prefix: str, *, checkpoint: Callable[[], None]) -> int:
    """Forget every key that begins so, in steps; how many were there. ``checkpoint`` may raise between two steps."""
    dropped = 0
    for texts in _steps(tenant_id, 0):
        checkpoint()
        dropped += drop(tenant_id, [text for text in texts if text.startswith(prefix)])
    return dropped


def keys(tenant_id: UUID, prefix: str, *, checkpoint: Callable[[], None]) -> list[str]:
    """Every key that begins so and has not expired, sorted."""
    seconds, microseconds = _talk(lambda: client().time())
    found: set[str] = set()
    for texts in _steps(tenant_id, seconds * 1000 + microseconds // 1000):
        checkpoint()
        found.update(text for text in texts if text.startswith(prefix))
    return sorted(found)


def forget(tenant_id: UUID, *, checkpoint: Callable[[], None]) -> None:
    """Everything of a tenant that is being deleted."""
    drop_prefix(tenant_id, "", checkpoint=checkpoint)
    _talk(lambda: client().delete(*_index(tenant_id)))


def _steps(tenant_id: UUID, since_ms: int) -> Iterator[list[str]]:
    """The texts of keys that expire after that, some at a time; one may come twice."""
    name, cursor = _index(tenant_id)[0], 0
    while True:
        cursor, pairs = _talk(partial(client().zscan, name, cursor, count=STEP))
        yield [text for text, expires_ms in pairs if expires_ms > since_ms]
        if cursor == 0:
            return


def _script(tenant_id: UUID, names: list[str], values: list[Any]) -> Any:
    return _talk(lambda: load_script("tool_cache")(keys=[*_index(tenant_id), *names], args=values))


def _index(tenant_id: UUID) -> tuple[str, str]:
    return TOOLS_CACHE_KEYS(tenant=tenant_id), TOOLS_CACHE_SIZES(tenant=tenant_id)


def _signer(name: str) -> signing.Signer:
    return signing.Signer(salt=f"tools.cache:{name}")


def _talk(ask: Callable[[], Any]) -> Any:
    if availability.usable():
        try:
            return ask()
        except redis.RedisError as error:
            availability.failed()
            metrics.REDIS_ERRORS.labels("tool_cache").inc()
            log.warning("tool_cache_unreachable", error=type(error).__name__)
    raise UnavailableError(
        "The cache cannot be reached right now. Go on without it, or try again in a second.",
        code="cache_unavailable",
        retry_after_s=1,
    )
