"""A circuit breaker's decisions (SPEC 11): CLOSED -> OPEN -> HALF_OPEN -> CLOSED.

The same machine runs in Redis (kernel/lua/circuit.lua); a test holds the two against each other. Times are milliseconds
of one clock; nothing here asks for the time.

Rules beyond the textbook:

- Exactly one probe is under way while HALF_OPEN. A prober that died gives its place up after ``probe_ms``.
- A report counts only for the phase in which its call was admitted: ``epoch`` counts the moves, and what was admitted
  before a move no longer decides anything. So a slow call that ends well cannot close a circuit that has opened since,
  and a burst of late failures cannot open it anew.
- A neutral outcome (cancelled, refused by us, the caller's own fault) only gives the probe's place back.
"""

from dataclasses import dataclass, replace
from typing import Literal

State = Literal["CLOSED", "OPEN", "HALF_OPEN"]
Outcome = Literal["success", "failure", "neutral"]
CLOSED: State = "CLOSED"
OPEN: State = "OPEN"
HALF_OPEN: State = "HALF_OPEN"


@dataclass(frozen=True, slots=True)
class Rules:
    """``failures`` in a row open it for ``open_ms``; ``successes`` probes in a row close it."""

    failures: int
    open_ms: int
    successes: int


@dataclass(frozen=True, slots=True)
class Circuit:
    """What is remembered of a provider. ``probe`` is the token of the probe under way, or empty."""

    state: State = CLOSED
    failures: int = 0
    successes: int = 0
    opened_at_ms: int = 0
    probe: str = ""
    probe_until_ms: int = 0
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Admission:
    """``epoch`` goes back with the report. ``retry_in_ms``: when a refused caller may hope."""

    allowed: bool
    is_probe: bool
    epoch: int
    retry_in_ms: int = 0


def admit(circuit: Circuit, *, token: str, now_ms: int, probe_ms: int, rules: Rules) -> tuple[Circuit, Admission]:
    """May this call go out? ``token`` is unique to it; ``probe_ms``: how long it may take if it is the probe."""
    if circuit.state == CLOSED:
        return circuit, Admission(True, False, circuit.epoch)
    if circuit.state == OPEN:
        left_ms = circuit.opened_at_ms + rules.open_ms - now_ms
        if left_ms > 0:
            return circuit, Admission(False, False, circuit.epoch, left_ms)
        circuit = replace(circuit, state=HALF_OPEN, successes=0, probe="", probe_until_ms=0, epoch=circuit.epoch + 1)
    if circuit.probe and now_ms < circuit.probe_until_ms:
        return circuit, Admission(False, False, circuit.epoch, circuit.probe_until_ms - now_ms)
    circuit = replace(circuit, probe=token, probe_until_ms=now_ms + probe_ms)
    return circuit, Admission(True, True, circuit.epoch)


def report(circuit: Circuit, *, token: str, epoch: int, outcome: Outcome, now_ms: int, rules: Rules) -> Circuit:
    """What came of an admitted call."""
    if epoch != circuit.epoch:
        return circuit
    if circuit.state == HALF_OPEN:
        if circuit.probe != token:  # an expired probe whose place was given to another
            return circuit
        circuit = replace(circuit, probe="", probe_until_ms=0)
        if outcome == "failure":
            return _opened(circuit, now_ms)
        if outcome == "success":
            circuit = replace(circuit, successes=circuit.successes + 1)
            if circuit.successes >= rules.successes:
                return Circuit(epoch=circuit.epoch + 1)
        return circuit
    if outcome == "success":
        return replace(circuit, failures=0) if circuit.failures else circuit
    if outcome == "failure" and circuit.state == CLOSED:
        circuit = replace(circuit, failures=circuit.failures + 1)
        if circuit.failures >= rules.failures:
            return _opened(circuit, now_ms)
    return circuit


def _opened(circuit: Circuit, now_ms: int) -> Circuit:
    return Circuit(OPEN, failures=circuit.failures, opened_at_ms=now_ms, epoch=circuit.epoch + 1)
