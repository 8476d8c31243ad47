"""How long callers wait for a value that is loaded from elsewhere."""

import threading
from collections.abc import Iterator

import pytest

from apps.identity.reloading import Pace, Reloaded

PACE = Pace(
    fresh_s=0.0,
    overdue_s=0.0,
    expired_s=60.0,
    min_interval_s=0.0,
    after_failure_s=0.0,
    patience_s=0.01,
    patience_with_nothing_s=60.0,
)


@pytest.fixture
def slow() -> Iterator[Reloaded[int]]:
    """Counts its loads: the first takes longer than a caller's patience with a value, others end with the test."""
    loads = iter(range(1, 100))
    ended = threading.Event()

    def load() -> int:
        number = next(loads)
        ended.wait(10 * PACE.patience_s if number == 1 else 120)
        return number

    yield Reloaded("slow", load, (), PACE)
    ended.set()


def test_with_nothing_to_give_out_a_slow_load_is_waited_for(slow: Reloaded[int]) -> None:
    assert slow.get() == 1


def test_what_is_known_is_given_out_instead_of_waiting_for_a_slow_load(slow: Reloaded[int]) -> None:
    slow.get()

    assert slow.get() == 1
