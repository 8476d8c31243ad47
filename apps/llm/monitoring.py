"""A look at every enabled provider once a minute: does it answer, and does it take the key (SPEC 12)?

What was seen is in `provider:health:{provider}` for two minutes. Calls do not ask it: whether a provider is asked is
its circuit breaker's to say. A look costs no tokens.
"""

import json
import random
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any
from uuid import UUID

import pydantic
import structlog
from django.conf import settings
from django.db import connections

from apps.llm.catalogue import config_of
from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.models import Provider
from apps.llm.net.limits import CallLimits
from apps.llm.providers.registry import adapter_for
from kernel import engine_db, metrics
from kernel.clock import iso, now
from kernel.redis_client import RedisError, availability, client
from kernel.redis_keys import PROVIDER_HEALTH

log = structlog.get_logger("llm")
LOOK_LIMIT_S = 2.0
THREADS = 16
UNREACHABLE = frozenset({FailureKind.CONNECTION, FailureKind.TIMEOUT, FailureKind.UNSUPPORTED})

Health = dict[str, Any]


def look_at_all() -> dict[str, int]:
    """Look at every enabled provider, the platform's first: {looked_at, ok, left_out}."""
    rows = list(Provider.objects.using(engine_db.ALIAS).filter(enabled=True))
    random.shuffle(rows)  # what is left out must not be the same ones each time
    rows.sort(key=lambda row: row.tenant_id is not None)
    seen = look_side_by_side(rows)
    return {
        "looked_at": len(seen),
        "ok": sum(health["ok"] for health in seen.values()),
        "left_out": len(rows) - len(seen),
    }


def look_side_by_side(rows: list[Provider]) -> dict[Provider, Health]:
    """What was seen of these, kept. One that hangs costs the others nothing.

    What is not reached before the next round is due is left out.
    """
    pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="look")
    looks = {pool.submit(_look_and_keep, row): row for row in rows}
    done, _ = wait(looks, timeout=settings.LLM_PROVIDER_CHECK_S * 0.8)
    pool.shutdown(wait=False, cancel_futures=True)
    return {looks[look]: health for look in done if (health := _outcome(look, looks[look])) is not None}


def look_at(provider: Provider) -> Health:
    """{ok, reachable, status_code or error, latency_ms, checked_at}; never raises what a provider can cause."""
    began = time.monotonic()
    said: Health
    try:
        adapter_for(config_of(provider)).list_models(CallLimits.within(LOOK_LIMIT_S))
        said = {"ok": True, "reachable": True, "status_code": 200}
    except ProviderFailure as failure:
        said = {"ok": False, "reachable": failure.kind not in UNREACHABLE}
        if failure.status_code is None:
            said["error"] = str(failure.kind)
        else:
            said |= {"reachable": True, "status_code": failure.status_code}
    except pydantic.ValidationError:
        said = {"ok": False, "reachable": False, "error": "invalid_settings"}
    return {**said, "latency_ms": round((time.monotonic() - began) * 1000, 1), "checked_at": iso(now())}


def keep(provider_id: UUID, health: Health) -> None:
    """Remember it for two minutes; without Redis nothing is remembered."""
    if not availability.usable():
        return
    try:
        client().set(PROVIDER_HEALTH(provider=provider_id), json.dumps(health), ex=PROVIDER_HEALTH.ttl_s)
    except RedisError:
        availability.failed()
        metrics.REDIS_ERRORS.labels(where="provider_health").inc()


def health_of(provider_id: UUID) -> Health | None:
    """What the last look saw; None when there was none in the last two minutes."""
    return health_of_all([provider_id])[provider_id]


def health_of_all(provider_ids: Iterable[UUID]) -> dict[UUID, Health | None]:
    """The same for many at once."""
    ids = list(provider_ids)
    if not ids or not availability.usable():
        return dict.fromkeys(ids)
    try:
        held = client().mget([PROVIDER_HEALTH(provider=provider_id) for provider_id in ids])
    except RedisError:
        availability.failed()
        metrics.REDIS_ERRORS.labels(where="provider_health").inc()
        return dict.fromkeys(ids)
    return {provider_id: _read(text) for provider_id, text in zip(ids, held, strict=True)}


def _read(text: str | bytes | None) -> Health | None:
    """What others may have written there must not break a page."""
    try:
        held = json.loads(text or "null")
    except ValueError:
        return None
    return held if isinstance(held, dict) and isinstance(held.get("ok"), bool) else None


def _look_and_keep(provider: Provider) -> Health:
    try:
        health = look_at(provider)
        keep(provider.id, health)
        return health
    finally:
        connections[engine_db.ALIAS].close()  # an adapter that is new here read its key


def _outcome(look: "Future[Health]", provider: Provider) -> Health | None:
    """What was seen; a look that broke by a fault of ours is logged, and the others go on."""
    fault = look.exception()
    if fault is not None:
        log.error("provider_look_failed", provider_id=str(provider.id), type=provider.type, error=type(fault).__name__)
        return None
    return look.result()
