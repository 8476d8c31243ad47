"""The circuit breaker's machine, without Redis."""

from dataclasses import dataclass

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from apps.llm.resilience.breaker import CLOSED, HALF_OPEN, OPEN, Admission, Circuit, Outcome, Rules, admit, report

RULES = Rules(failures=5, open_ms=30_000, successes=2)


def failed(circuit: Circuit, times: int, now_ms: int = 0) -> Circuit:
    """After so many calls that failed."""
    for _ in range(times):
        circuit, admission = admit(circuit, token="t", now_ms=now_ms, probe_ms=1000, rules=RULES)
        circuit = report(circuit, token="t", epoch=admission.epoch, outcome="failure", now_ms=now_ms, rules=RULES)
    return circuit


@pytest.mark.requirement("llm:breaker")
def test_it_opens_after_five_failures_in_a_row_and_not_before() -> None:
    four = failed(Circuit(), 4)
    well = report(four, token="t", epoch=0, outcome="success", now_ms=0, rules=RULES)

    assert (four.state, well.failures, failed(four, 1).state) == (CLOSED, 0, OPEN)


@pytest.mark.requirement("llm:breaker")
def test_after_thirty_seconds_one_call_tries_it_and_two_that_succeed_close_it() -> None:
    circuit = failed(Circuit(), 5, now_ms=1_000)

    _, too_early = admit(circuit, token="a", now_ms=30_999, probe_ms=500, rules=RULES)
    circuit, probe = admit(circuit, token="a", now_ms=31_000, probe_ms=500, rules=RULES)
    circuit, second = admit(circuit, token="b", now_ms=31_001, probe_ms=500, rules=RULES)
    circuit = report(circuit, token="a", epoch=probe.epoch, outcome="success", now_ms=31_100, rules=RULES)
    after_one = circuit.state
    circuit, next_probe = admit(circuit, token="c", now_ms=31_101, probe_ms=500, rules=RULES)
    circuit = report(circuit, token="c", epoch=next_probe.epoch, outcome="success", now_ms=31_200, rules=RULES)

    assert (too_early.allowed, too_early.retry_in_ms) == (False, 1)
    assert (probe.allowed, probe.is_probe, second.allowed) == (True, True, False)
    assert (after_one, next_probe.is_probe, circuit.state) == (HALF_OPEN, True, CLOSED)


@pytest.mark.requirement("llm:breaker")
def test_a_probe_that_fails_opens_it_for_another_thirty_seconds() -> None:
    circuit = failed(Circuit(), 5)
    circuit, probe = admit(circuit, token="a", now_ms=30_000, probe_ms=500, rules=RULES)

    circuit = report(circuit, token="a", epoch=probe.epoch, outcome="failure", now_ms=30_400, rules=RULES)

    assert (circuit.state, circuit.opened_at_ms) == (OPEN, 30_400)


@pytest.mark.requirement("llm:breaker")
def test_a_probe_whose_process_died_gives_its_place_up_and_its_late_word_counts_for_nothing() -> None:
    circuit = failed(Circuit(), 5)
    circuit, dead = admit(circuit, token="dead", now_ms=30_000, probe_ms=500, rules=RULES)

    circuit, live = admit(circuit, token="live", now_ms=30_500, probe_ms=500, rules=RULES)
    late = report(circuit, token="dead", epoch=dead.epoch, outcome="failure", now_ms=30_600, rules=RULES)

    assert live.is_probe
    assert late == circuit


@pytest.mark.requirement("llm:breaker")
def test_calls_from_before_it_opened_decide_nothing_afterwards() -> None:
    circuit, slow = admit(Circuit(), token="slow", now_ms=0, probe_ms=500, rules=RULES)
    circuit = failed(circuit, 5)

    for outcome in ("success", "failure"):
        assert report(circuit, token="slow", epoch=slow.epoch, outcome=outcome, now_ms=9, rules=RULES) == circuit  # type: ignore[arg-type]


@pytest.mark.requirement("llm:breaker")
def test_a_neutral_end_frees_the_probe_and_decides_nothing() -> None:
    circuit = failed(Circuit(), 5)
    circuit, probe = admit(circuit, token="a", now_ms=30_000, probe_ms=500, rules=RULES)

    circuit = report(circuit, token="a", epoch=probe.epoch, outcome="neutral", now_ms=30_001, rules=RULES)
    _, another = admit(circuit, token="b", now_ms=30_002, probe_ms=500, rules=RULES)

    assert (circuit.state, another.is_probe) == (HALF_OPEN, True)


@dataclass
class UnderWay:
    token: str
    admission: Admission
    until_ms: int


class AnyCourse(RuleBasedStateMachine):
    """Whatever happens in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.circuit, self.now_ms, self.number = Circuit(), 0, 0
        self.calls: list[UnderWay] = []
        self.rules = Rules(failures=2, open_ms=50, successes=2)

    @rule(passed_ms=st.integers(0, 60))
    def time_passes(self, passed_ms: int) -> None:
        self.now_ms += passed_ms

    @rule(probe_ms=st.integers(1, 40))
    def somebody_calls(self, probe_ms: int) -> None:
        self.number += 1
        before, token = self.circuit, str(self.number)
        self.circuit, admission = admit(before, token=token, now_ms=self.now_ms, probe_ms=probe_ms, rules=self.rules)
        if before.state == OPEN and self.now_ms < before.opened_at_ms + self.rules.open_ms:
            assert not admission.allowed
        assert admission.allowed or admission.retry_in_ms > 0
        if admission.allowed:
            self.calls.append(UnderWay(token, admission, self.now_ms + probe_ms))

    @rule(data=st.data(), outcome=st.sampled_from(["success", "failure", "neutral"]))
    def a_call_ends(self, data: st.DataObject, outcome: Outcome) -> None:
        if self.calls:
            ended = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
            self.circuit = report(
                self.circuit, token=ended.token, epoch=ended.admission.epoch, outcome=outcome, now_ms=self.now_ms,
                rules=self.rules,
            )  # fmt: skip

    @invariant()
    def at_most_one_living_probe(self) -> None:
        probes = [
            call for call in self.calls
            if call.admission.is_probe and call.admission.epoch == self.circuit.epoch and call.until_ms > self.now_ms
        ]  # fmt: skip
        assert len(probes) <= 1

    @invariant()
    def an_open_one_was_broken(self) -> None:
        assert self.circuit.state == CLOSED or self.circuit.failures >= self.rules.failures


TestAnyCourse = AnyCourse.TestCase
TestAnyCourse.settings = hypothesis_settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAnyCourse = pytest.mark.requirement("llm:breaker")(TestAnyCourse)
