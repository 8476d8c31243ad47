"""One question for all limits of a request. Redis answers for all processes; while it is away each answers for itself.

The local answer starts from nothing and allows a process ``1 / WEB_PROCESSES`` of each limit, so an outage of Redis
neither lets everybody through nor locks everybody out. It says so in a header and in `rate_limit_checks_total`.
"""

from collections.abc import Sequence
from dataclasses import replace

import redis
import structlog
from django.conf import settings

from kernel import metrics
from kernel.rate_limit.local import LocalWindows, share
from kernel.rate_limit.windows import Decision, Limit, Usage, decide
from kernel.redis_client import availability, client, load_script

log = structlog.get_logger("rate_limit")
_local = LocalWindows()


def take(limits: Sequence[Limit]) -> Decision:
    """Count one request against all of ``limits``, or, when one of them is used up, against none."""
    usages = _ask_redis(limits) if availability.usable() else None
    is_local = usages is None
    if usages is None:
        limits = [share(limit, settings.WEB_PROCESSES) for limit in limits]
        usages = _local.take(limits)
    decision = decide(limits, usages, is_local=is_local)
    metrics.RATE_LIMIT_CHECKS.labels("local" if is_local else "redis", "true" if decision.allowed else "false").inc()
    if not decision.allowed:
        metrics.RATE_LIMIT_EXCEEDED.labels(decision.scope).inc()
    return decision


def look(limits: Sequence[Limit]) -> list[Usage]:
    """How much of each limit is used; nothing is counted. Without Redis, what this process alone counted."""
    full = [replace(limit, limit=0) for limit in limits]  # what refuses counts nothing
    usages = _ask_redis(full) if limits and availability.usable() else None
    return _local.take(full) if usages is None else usages


def forget(limits: Sequence[Limit]) -> bool:
    """Begin the counts of these limits anew; only those of their owners. False when Redis, and so every other process,
    kept them."""
    _local.forget(limits)
    if not availability.usable():
        return False
    pipe = client().pipeline(transaction=False)
    for limit in limits:
        slots = (f"{limit.owner}{number}" for number in range(limit.window.slots + 1))
        pipe.hdel(limit.key, f"{limit.owner}now", *slots)
    try:
        pipe.execute()
    except redis.RedisError as error:
        metrics.REDIS_ERRORS.labels("rate_limit").inc()
        if not isinstance(error, redis.ResponseError):
            availability.failed()
        return False
    return True


def _ask_redis(limits: Sequence[Limit]) -> list[Usage] | None:
    """None when Redis gave no usable answer, which costs one slow call a second and process."""
    arguments: list[str | int] = []
    for limit in limits:
        arguments += (limit.limit, limit.window.slots, limit.window.slot_ms, limit.owner)
    try:
        answer = load_script("sliding_window")(keys=[limit.key for limit in limits], args=arguments)
    except redis.RedisError as error:
        metrics.REDIS_ERRORS.labels("rate_limit").inc()
        if not isinstance(error, redis.ResponseError):  # an answer, if a bad one, shows that Redis is there
            availability.failed()
            log.warning("rate_limit_local", error=type(error).__name__)
        return None
    return [Usage(*answer[at : at + 3]) for at in range(0, len(answer), 3)]
