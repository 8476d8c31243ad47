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


class Source:
    """Counts its loads, each of which takes so long; ``taken_away`` ends the one under way."""

    def __init__(self) -> None:
        self.loads, self.takes_s = 0, 10 * PACE.patience_s
        self.taken_away = threading.Event()
        self.reloaded = Reloaded("slow", self._load, (), PACE)

    def _load(self) -> int:
        self.loads += 1
        self.taken_away.wait(self.takes_s)
        return self.loads


@pytest.fixture
def slow() -> Iterator[Source]:
    source = Source()
    yield source
    source.taken_away.set()


def test_with_nothing_to_give_out_a_slow_load_is_waited_for(slow: Source) -> None:
    assert slow.reloaded.get() == 1


def test_what_is_known_is_given_out_instead_of_waiting_for_a_slow_load(slow: Source) -> None:
    slow.reloaded.get()

    slow.takes_s = 120.0

    assert slow.reloaded.get() == 1


def test_for_what_the_known_value_lacks_a_slow_load_is_waited_for(slow: Source) -> None:
    slow.reloaded.get()

    assert (slow.reloaded.reload() or 0) >= 2
