"""The tour says so when a stream is not whole."""

import pytest

from devkit.tour import Event, TourError, check

STATUS = Event("1", "status", {"to": "running"})
PROGRESS = Event("2", "progress", {"percent": 50})
END = Event("3", "end", {"final": "finished"})


def test_a_whole_stream_passes() -> None:
    check([STATUS, PROGRESS, END])


def test_an_end_without_a_number_passes() -> None:
    check([STATUS, PROGRESS, Event("", "end", {"final": "finished"})])


@pytest.mark.parametrize(
    ("events", "complaint"),
    [
        ([], "did not end"),
        ([STATUS, PROGRESS], "did not end"),
        ([STATUS, END], "gap"),
        ([PROGRESS, STATUS, END], "out of order"),
        ([STATUS, STATUS, PROGRESS, END], "out of order"),
        ([STATUS, PROGRESS, Event("3", "end", {"final": "failed"})], "ended as failed"),
    ],
)
def test_a_broken_stream_fails_the_tour(events: list[Event], complaint: str) -> None:
    with pytest.raises(TourError, match=complaint):
        check(events)
