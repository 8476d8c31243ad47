"""The table of states in Python. tests/integration/queue/test_state_machine.py holds the database's against it."""

from itertools import product

import pytest

from apps.jobs.states import STATUSES, TERMINAL, TRANSITIONS
from kernel.errors import ConflictError
from kernel.state_machine import Transitions


@pytest.mark.requirement("jobs:state-machine")
def test_a_terminal_state_leads_nowhere() -> None:
    for old, new in product(TERMINAL, STATUSES):
        with pytest.raises(ConflictError):
            TRANSITIONS.check(old, new)


@pytest.mark.requirement("jobs:state-machine")
def test_every_state_is_in_the_table_and_can_be_reached() -> None:
    assert set(TRANSITIONS.moves) == set(STATUSES)
    assert set().union(*TRANSITIONS.moves.values()) == set(STATUSES)


@pytest.mark.requirement("jobs:state-machine")
def test_a_state_nobody_knows_cannot_be_left_or_entered() -> None:
    for old, new in (("paused", "running"), ("queued", "paused")):
        with pytest.raises(ConflictError):
            TRANSITIONS.check(old, new)


@pytest.mark.requirement("jobs:state-machine")
def test_a_table_knows_its_own_ends() -> None:
    assert Transitions({"a": frozenset({"b"}), "b": frozenset()}).terminal == {"b"}
