"""The windows as pure arithmetic: with a clock of the test's own, and without Redis."""

import bisect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.rate_limit.local import LocalWindows, share
from kernel.rate_limit.windows import DAY, MINUTE, Limit, Usage, Window, decide

SHORT = Window(slot_ms=500, slots=12)  # six seconds


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def user(limit: int, key: str = "u", window: Window = MINUTE, owner: str = "") -> Limit:
    return Limit("user", key, limit, window, owner)


@pytest.mark.requirement("limits:window")
@given(steps_ms=st.lists(st.integers(0, 1500), max_size=120), limit=st.integers(1, 12))
def test_no_stretch_of_the_windows_length_holds_more_than_the_limit(steps_ms: list[int], limit: int) -> None:
    clock = Clock()
    windows = LocalWindows(clock)
    passed = []

    for step_ms in steps_ms:
        clock.now_s = round(clock.now_s + step_ms / 1000, 3)
        if not windows.take([user(limit, window=SHORT)])[0].wait_ms:
            passed.append(round(clock.now_s * 1000))

    for at, moment in enumerate(passed):
        within = bisect.bisect_left(passed, moment + SHORT.seconds * 1000) - at
        assert within <= limit


@pytest.mark.requirement("limits:window")
@given(steps_ms=st.lists(st.integers(0, 900), min_size=1, max_size=60), limit=st.integers(1, 9))
def test_who_waits_as_told_passes_and_who_comes_earlier_does_not(steps_ms: list[int], limit: int) -> None:
    clock = Clock()
    windows = LocalWindows(clock)

    for step_ms in steps_ms:
        clock.now_s = round(clock.now_s + step_ms / 1000, 3)
        wait_ms = windows.take([user(limit, window=SHORT)])[0].wait_ms
        if wait_ms:
            clock.now_s = round(clock.now_s + (wait_ms - 1) / 1000, 3)
            assert windows.take([user(limit, window=SHORT)])[0].wait_ms
            clock.now_s = round(clock.now_s + 0.002, 3)
            assert not windows.take([user(limit, window=SHORT)])[0].wait_ms


@pytest.mark.requirement("limits:atomic")
def test_a_request_that_one_limit_refuses_is_counted_by_none() -> None:
    windows = LocalWindows(Clock())
    tight, wide = user(2, "tight"), user(10, "wide")

    for _ in range(5):
        windows.take([wide, tight])

    assert windows.take([wide])[0].used == 3  # the two that passed, and this one


@pytest.mark.requirement("limits:window")
def test_a_limit_of_nothing_refuses_everything() -> None:
    usage = LocalWindows(Clock()).take([user(0)])[0]

    assert usage.wait_ms >= MINUTE.seconds * 1000


@pytest.mark.requirement("limits:memory")
def test_a_flood_of_one_scope_is_forgotten_within_it_and_forgets_nobody_of_another() -> None:
    windows = LocalWindows(Clock(), keys_per_scope=100)
    windows.take([user(5)])

    for number in range(1000):
        windows.take([Limit("address", f"a{number}", 5, MINUTE)])

    assert len(windows) == 101
    assert windows.take([user(5)])[0].used == 2


@pytest.mark.requirement("limits:tightest")
def test_of_limits_with_room_the_one_with_the_least_left_is_reported() -> None:
    limits = [user(10), Limit("tenant", "t", 100, MINUTE), Limit("tenant-day", "d", 1000, DAY)]

    decision = decide(limits, [Usage(2, 5000, 0), Usage(97, 4000, 0), Usage(900, 3000, 0)], is_local=False)

    assert (decision.allowed, decision.scope, decision.limit, decision.remaining) == (True, "tenant", 100, 3)
    assert decision.headers() == {
        "X-RateLimit-Limit": "100",
        "X-RateLimit-Remaining": "3",
        "X-RateLimit-Reset": "4",
        "X-RateLimit-Window": "60",
    }


@pytest.mark.requirement("limits:tightest")
def test_of_limits_that_refuse_the_one_that_refuses_longest_is_reported() -> None:
    limits = [user(10), Limit("tenant-day", "d", 1000, DAY)]

    decision = decide(limits, [Usage(10, 9000, 9000), Usage(1000, 70_001, 7_200_001)], is_local=False)

    assert (decision.allowed, decision.scope, decision.remaining) == (False, "tenant-day", 0)
    assert (decision.retry_after_s, decision.window_s) == (7201, 86_400)
    assert decision.headers()["X-RateLimit-Scope"] == "tenant-day"
    assert decision.error().retry_after_s == 7201


@pytest.mark.requirement("limits:redis-down")
@pytest.mark.parametrize(("limit", "processes", "part"), [(600, 4, 150), (3, 4, 1), (0, 4, 0), (7, 2, 3)])
def test_a_processs_share_of_a_limit_is_an_equal_part(limit: int, processes: int, part: int) -> None:
    assert share(user(limit), processes).limit == part
