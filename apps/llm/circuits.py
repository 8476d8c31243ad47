"""Each provider's circuit breaker and its limit of calls at once, shared by all processes through Redis (R34).

One round trip before a call and one after it. While Redis is away, each process decides by itself with the same
machine: a provider may then get some more calls than it should, but no call fails because of it.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import redis
import structlog
from django.conf import settings

from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.providers.base import ProviderConfig
from apps.llm.resilience import breaker
from apps.llm.resilience.breaker import Circuit, Outcome, Rules
from kernel import metrics
from kernel.redis_client import availability, client, load_script
from kernel.redis_keys import CIRCUIT, CIRCUIT_SLOTS

log = structlog.get_logger("llm")
SUCCESS: Outcome = "success"
FAILURE: Outcome = "failure"
NEUTRAL: Outcome = "neutral"
FIRST_PAUSE_S = 0.005  # while waiting for a free slot; each pause is longer than the one before
LONGEST_PAUSE_S = 0.1
BUSY_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to make one call. ``local``: given by this process, Redis being away."""

    provider_id: UUID
    token: str
    epoch: int
    is_probe: bool
    local: bool = False


@dataclass(frozen=True, slots=True)
class CircuitView:
    """How a provider stands. ``retry_in_s``: until a call may try it again; 0 unless it is OPEN."""

    state: str
    failures: int
    under_way: int
    retry_in_s: float


def acquire(
    provider: ProviderConfig,
    *,
    hold_s: float,
    wait_s: float | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Permit:
    """Leave for a call of at most ``hold_s``, after waiting up to ``wait_s`` for a free slot.

    ProviderFailure: CIRCUIT_OPEN, BUSY, or CANCELLED while waiting.
    """
    wait_until = time.monotonic() + (settings.LLM_SLOT_WAIT_S if wait_s is None else wait_s)
    token, pause_s = uuid4().hex, FIRST_PAUSE_S
    while True:
        given = _in_redis(lambda: _acquire(provider, token, hold_s))
        verdict, is_probe, epoch, retry_in_ms, before, after = given or _local.acquire(provider, token, hold_s)
        _tell(provider.id, provider.name, before, after)
        if verdict == "ok":
            return Permit(provider.id, token, int(epoch), bool(is_probe), local=given is None)
        if verdict == "open":
            raise ProviderFailure(
                FailureKind.CIRCUIT_OPEN,
                f"{provider.name} failed too often just now and is left alone for a moment.",
                retry_after_s=max(0.001, int(retry_in_ms) / 1000),
            )
        if cancelled is not None and cancelled():
            raise ProviderFailure(FailureKind.CANCELLED, "The call was cancelled.")
        left_s = wait_until - time.monotonic()
        if left_s <= 0:
            raise ProviderFailure(
                FailureKind.BUSY,
                f"{provider.name} has {provider.max_concurrency} calls under way, as many as it may.",
                retry_after_s=BUSY_RETRY_S,
            )
        time.sleep(min(pause_s, left_s))
        pause_s = min(LONGEST_PAUSE_S, pause_s * 1.5)


def release(permit: Permit, outcome: Outcome) -> None:
    """The call is over. What cannot be reported is forgotten: its slot and its probe expire."""
    if permit.local:
        before, after = _local.release(permit, outcome)
    else:
        before, after = _in_redis(lambda: _release(permit, outcome)) or ("", "")
    _tell(permit.provider_id, "", before, after)


def view(provider_id: UUID) -> CircuitView:
    """How the provider stands now; CLOSED when nothing is known of it."""
    seen = _in_redis(lambda: _view(provider_id))
    return seen or _local.view(provider_id)


def states(provider_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The state of each; none while Redis is away."""

    def look() -> dict[UUID, str]:
        pipe = client().pipeline(transaction=False)
        for provider_id in provider_ids:
            pipe.hget(CIRCUIT(provider=provider_id), "state")
        return {key: held or breaker.CLOSED for key, held in zip(provider_ids, pipe.execute(), strict=True)}

    return _in_redis(look) or {}


def reset(provider_id: UUID) -> None:
    """As if it had never failed; calls under way are no longer counted."""
    _in_redis(lambda: client().delete(CIRCUIT(provider=provider_id), CIRCUIT_SLOTS(provider=provider_id)))
    _local.forget(provider_id)


def _rules() -> Rules:
    return Rules(
        settings.LLM_BREAKER_FAILURES, round(settings.LLM_BREAKER_OPEN_S * 1000), settings.LLM_BREAKER_SUCCESSES
    )


def _acquire(provider: ProviderConfig, token: str, hold_s: float) -> Any:
    rules, limits = _rules(), (round(hold_s * 1000), provider.max_concurrency)
    return _run(provider.id, "acquire", token, "", rules.failures, rules.open_ms, rules.successes, *limits)


def _release(permit: Permit, outcome: Outcome) -> Any:
    rules, result = _rules(), (permit.epoch, outcome)
    return _run(
        permit.provider_id, "release", permit.token, "", rules.failures, rules.open_ms, rules.successes, *result
    )


def _run(provider_id: UUID, *arguments: object) -> Any:
    keys = [CIRCUIT(provider=provider_id), CIRCUIT_SLOTS(provider=provider_id)]
    return load_script("circuit")(keys=keys, args=[str(argument) for argument in arguments])


def _view(provider_id: UUID) -> CircuitView:
    held: Any = client().hmget(CIRCUIT(provider=provider_id), "state", "failures", "opened_at_ms")
    seconds, micros = client().time()
    now_ms = seconds * 1000 + micros // 1000
    under_way: Any = client().zcount(CIRCUIT_SLOTS(provider=provider_id), now_ms, "+inf")
    state = held[0] or breaker.CLOSED
    left_ms = int(held[2] or 0) + _rules().open_ms - now_ms if state == breaker.OPEN else 0
    return CircuitView(state, int(held[1] or 0), int(under_way), max(0.0, left_ms / 1000))


def _in_redis(talk: Callable[[], Any]) -> Any:
    """What Redis answers; None while it is away."""
    if not availability.usable():
        return None
    try:
        return talk()
    except redis.RedisError as error:
        availability.failed()
        metrics.REDIS_ERRORS.labels("circuit").inc()
        log.warning("circuit_state_unreachable", error=type(error).__name__)
        return None


def _tell(provider_id: UUID, name: str, before: str, after: str) -> None:
    if before == after:
        return
    metrics.CIRCUIT_MOVES.labels(after).inc()
    log.warning("circuit_moved", provider_id=str(provider_id), provider=name, was=before, now=after)


class _Local:
    """The same for this process alone. Slots are counted, not timed: their calls end in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._circuits: dict[UUID, Circuit] = {}
        self._under_way: dict[UUID, int] = {}

    def acquire(self, provider: ProviderConfig, token: str, hold_s: float) -> tuple[str, int, int, int, str, str]:
        with self._lock:
            circuit = self._circuits.get(provider.id, Circuit())
            if self._under_way.get(provider.id, 0) >= provider.max_concurrency:
                return "busy", 0, circuit.epoch, 0, circuit.state, circuit.state
            after, admission = breaker.admit(
                circuit, token=token, now_ms=_now_ms(), probe_ms=round(hold_s * 1000), rules=_rules()
            )
            self._circuits[provider.id] = after
            if admission.allowed:
                self._under_way[provider.id] = self._under_way.get(provider.id, 0) + 1
            verdict = "ok" if admission.allowed else "open"
            probe = int(admission.is_probe)
            return verdict, probe, admission.epoch, admission.retry_in_ms, circuit.state, after.state

    def release(self, permit: Permit, outcome: Outcome) -> tuple[str, str]:
        with self._lock:
            circuit = self._circuits.get(permit.provider_id, Circuit())
            self._under_way[permit.provider_id] = max(0, self._under_way.get(permit.provider_id, 0) - 1)
            after = breaker.report(
                circuit, token=permit.token, epoch=permit.epoch, outcome=outcome, now_ms=_now_ms(), rules=_rules()
            )
            self._circuits[permit.provider_id] = after
            return circuit.state, after.state

    def view(self, provider_id: UUID) -> CircuitView:
        with self._lock:
            circuit, under_way = self._circuits.get(provider_id, Circuit()), self._under_way.get(provider_id, 0)
        left_ms = circuit.opened_at_ms + _rules().open_ms - _now_ms() if circuit.state == breaker.OPEN else 0
        return CircuitView(circuit.state, circuit.failures, under_way, max(0.0, left_ms / 1000))

    def forget(self, provider_id: UUID) -> None:
        with self._lock:
            self._circuits.pop(provider_id, None)
            self._under_way.pop(provider_id, None)


def _now_ms() -> int:
    return round(time.monotonic() * 1000)


_local = _Local()
