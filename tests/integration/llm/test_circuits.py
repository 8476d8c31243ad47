"""The circuit breaker and the slots in Redis: Lua against Python, and eight processes at once."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.llm import circuits
from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.providers.base import ProviderConfig
from apps.llm.resilience.breaker import Circuit, Rules, admit, report
from kernel.redis_client import availability, client, load_script
from kernel.redis_keys import CIRCUIT, CIRCUIT_SLOTS

PROCESSES = 8
OPEN_S = 0.3
HOLD_S = 60.0
fork = multiprocessing.get_context("fork")  # children use Redis only, which notices that it was forked
Record = tuple[int, float, float, bool, bool]  # the circuit's epoch, from, until, is it a probe, did it go well


def provider(**changes: Any) -> ProviderConfig:
    """One that nobody else knows."""
    return replace(ProviderConfig(uuid4(), None, "p", "openai", "", 1), **changes)


def hold(mine: ProviderConfig) -> circuits.Permit:
    return circuits.acquire(mine, hold_s=HOLD_S, wait_s=0)


def fail(mine: ProviderConfig, times: int) -> None:
    for _ in range(times):
        circuits.release(hold(mine), "failure")


@hypothesis_settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 60), st.integers(1, 40), st.sampled_from(["call", "success", "failure", "neutral"]),
            st.integers(0, 9),
        ),
        max_size=40,
    )
)  # fmt: skip
@pytest.mark.requirement("llm:breaker-shared")
def test_lua_and_python_decide_alike(steps: list[tuple[int, int, str, int]]) -> None:
    rules, name, now_ms, circuit = Rules(2, 50, 2), uuid4(), 1_700_000_000_000, Circuit()
    calls: list[tuple[str, int]] = []

    def run(*arguments: object) -> list[Any]:
        keys = [CIRCUIT(provider=name), CIRCUIT_SLOTS(provider=name)]
        answer: list[Any] = load_script("circuit")(keys=keys, args=list(arguments))
        return answer

    for number, (passed_ms, hold_ms, what, which) in enumerate(steps):
        now_ms += passed_ms
        head = (str(number), now_ms, rules.failures, rules.open_ms, rules.successes)
        if what == "call":
            circuit, said = admit(circuit, token=str(number), now_ms=now_ms, probe_ms=hold_ms, rules=rules)
            verdict, is_probe, epoch, retry_in_ms, _, after = run("acquire", *head, hold_ms, 10_000)
            assert (verdict == "ok", bool(is_probe), after) == (said.allowed, said.is_probe, circuit.state)
            assert (int(epoch), int(retry_in_ms)) == (said.epoch, said.retry_in_ms)
            if said.allowed:
                calls.append((str(number), said.epoch))
        elif calls:
            token, epoch = calls.pop(which % len(calls))
            circuit = report(circuit, token=token, epoch=epoch, outcome=what, now_ms=now_ms, rules=rules)  # type: ignore[arg-type]
            assert run("release", token, *head[1:], epoch, what)[1] == circuit.state


def crowd(work: Callable[[Any], None], arguments: list[Any]) -> list[Any]:
    """Run ``work`` in a process for each argument; what they put into the queue, until each has put None."""
    queue: Any = fork.SimpleQueue()
    processes = [fork.Process(target=work, args=((argument, queue),), daemon=True) for argument in arguments]
    for process in processes:
        process.start()
    seen, ended = [], 0
    while ended < len(processes):
        record = queue.get()
        ended += record is None
        if record is not None:
            seen.append(record)
    for process in processes:
        process.join(60)
    return seen


def keep_calling(given_: Any) -> None:
    """A caller that never gives up, at a provider that is well once two probes failed, until it serves them all."""
    (mine, failed_probes, served), queue = given_
    give_up_at = time.monotonic() + 200
    while served.value < PROCESSES and time.monotonic() < give_up_at:
        try:
            permit = hold(mine)
        except ProviderFailure:
            time.sleep(0.002)
            continue
        began = time.monotonic()
        time.sleep(0.003)
        is_well = failed_probes.value >= 2
        queue.put((permit.epoch, began, time.monotonic(), permit.is_probe, is_well))
        circuits.release(permit, "success" if is_well else "failure")
        if is_well != permit.is_probe:
            with (counted := served if is_well else failed_probes).get_lock():
                counted.value += 1
    queue.put(None)


@pytest.mark.requirement("llm:breaker-shared")
def test_eight_processes_send_one_probe_at_a_time_and_nothing_while_it_is_open(settings: Any) -> None:
    settings.LLM_BREAKER_OPEN_S = OPEN_S
    mine, counts = provider(max_concurrency=100), (fork.Value("i", 0), fork.Value("i", 0))

    records: list[Record] = sorted(crowd(keep_calling, [(mine, *counts)] * PROCESSES), key=lambda one: one[1])

    storm = [one for one in records if one[0] == records[0][0]]
    trial = [one for one in records if one[3]]
    closed_at = trial[-1][2]
    between = [one for one in records if one not in storm and not one[3] and one[1] < closed_at]
    failed_probes = [one for one in trial if not one[4]]
    resumed = next(one[1] for one in records if not one[3] and one[1] >= closed_at)
    sys.stdout.write(
        f"{len(storm)} calls before it opened, {len(trial)} probes, "
        f"served again {resumed - failed_probes[-1][2]:.3f} s after the last that failed\n"
    )
    assert 5 <= len(storm) <= 5 + PROCESSES
    assert between == []
    assert all(later[1] >= earlier[2] for earlier, later in pairwise(trial)), "two probes at once"
    assert len(failed_probes) >= 2
    for failed in failed_probes:
        after = next(one for one in records if one[1] > failed[1] and one not in storm)
        assert after[1] - failed[2] >= OPEN_S - 0.005, "a call while it was open"
    assert [one[4] for one in trial[-2:]] == [True, True], "closed by something else than two good probes"


def hold_and_die(given_: Any) -> None:
    mine, queue = given_
    queue.put(hold(mine).is_probe)
    queue.put(None)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How many seconds later it is for the circuits, for those who are forked from here on too."""
    ahead_s, run = [0.0], circuits._run

    def run_later(provider_id: UUID, action: str, token: str, _: str, *more: object) -> Any:
        seconds, micros = client().time()
        return run(provider_id, action, token, round((seconds + ahead_s[0]) * 1000) + micros // 1000, *more)

    monkeypatch.setattr(circuits, "_run", run_later)
    return ahead_s


@pytest.mark.requirement("llm:breaker-shared")
def test_a_killed_prober_blocks_nobody_for_longer_than_its_call_might_have_lasted(
    settings: Any, clock: list[float]
) -> None:
    mine = provider()
    fail(mine, 5)
    clock[0] += settings.LLM_BREAKER_OPEN_S

    was_probe = crowd(hold_and_die, [mine])
    with pytest.raises(ProviderFailure) as refused:
        hold(mine)
    clock[0] += HOLD_S
    permit = hold(mine)

    assert (was_probe, permit.is_probe) == ([True], True)
    assert refused.value.kind is FailureKind.CIRCUIT_OPEN


def take_slots(given_: Any) -> None:
    (mine, times), queue = given_
    for _ in range(times):
        permit = circuits.acquire(mine, hold_s=HOLD_S, wait_s=200)
        queue.put((time.monotonic(), 1))
        time.sleep(0.002)
        queue.put((time.monotonic(), -1))
        circuits.release(permit, "success")
    queue.put(None)


@pytest.mark.requirement("llm:concurrency")
def test_eight_processes_together_keep_to_a_providers_limit_of_calls() -> None:
    mine = provider(max_concurrency=3)

    records = sorted(crowd(take_slots, [(mine, 20)] * PROCESSES))

    under_way = most = 0
    for _, step in records:
        under_way += step
        most = max(most, under_way)
    held = [hold(mine) for _ in range(3)]
    with pytest.raises(ProviderFailure):
        hold(mine)
    assert most <= len(held)
    assert circuits.view(mine.id).under_way == len(held)


@pytest.mark.requirement("llm:concurrency")
def test_a_full_provider_says_so_and_a_killed_callers_slot_comes_back(clock: list[float]) -> None:
    mine = provider(max_concurrency=1)

    crowd(hold_and_die, [mine])
    with pytest.raises(ProviderFailure) as full:
        hold(mine)
    clock[0] += HOLD_S
    permit = hold(mine)

    assert full.value.kind is FailureKind.BUSY
    circuits.release(permit, "success")


@pytest.mark.requirement("llm:breaker-shared")
def test_the_hash_shows_the_state_and_reset_forgets_it(settings: Any) -> None:
    mine = provider()

    fail(mine, 5)
    shown: Any = client().hgetall(CIRCUIT(provider=mine.id))
    seen = circuits.view(mine.id)
    circuits.reset(mine.id)

    assert (shown["state"], shown["failures"], seen.state) == ("OPEN", "5", "OPEN")
    assert 0 < seen.retry_in_s <= settings.LLM_BREAKER_OPEN_S
    assert circuits.view(mine.id).state == "CLOSED"


@pytest.mark.requirement("llm:breaker-local")
def test_while_redis_is_away_each_process_decides_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = provider(max_concurrency=2)
    monkeypatch.setattr(availability, "usable", lambda: False)

    held = [hold(mine), hold(mine)]
    with pytest.raises(ProviderFailure) as full:
        hold(mine)
    for permit in held:
        circuits.release(permit, "failure")
    fail(mine, 3)
    with pytest.raises(ProviderFailure) as opened:
        hold(mine)

    assert [full.value.kind, opened.value.kind] == [FailureKind.BUSY, FailureKind.CIRCUIT_OPEN]
    assert circuits.view(mine.id).state == "OPEN"


def test_a_provider_is_named_by_its_id() -> None:
    mine = provider(id=UUID(int=7))

    assert CIRCUIT(provider=mine.id) == "circuit:00000000-0000-0000-0000-000000000007"
