"""The tour says so when a stream is not whole."""

import pytest

from devkit.tour import Event, TourError, check, compare

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
        ([STATUS, PROGRESS, Event("3", "end", {"final": "failed"})], "says failed, not finished"),
    ],
)
def test_a_broken_stream_fails_the_tour(events: list[Event], complaint: str) -> None:
    with pytest.raises(TourError, match=complaint):
        check(events)


def test_a_run_is_what_its_stream_told() -> None:
    events = [
        Event("1", "step", {"step_id": "a"}),
        Event("2", "delta", {"text": "Lost wor"}),
        Event("3", "delta", {"text": "There ", "restart": True}),
        Event("4", "delta", {"text": "are 12."}),
    ]

    compare(events, {"text": "There are 12.", "steps": [{"id": "a"}]})


@pytest.mark.parametrize(
    ("text", "steps", "complaint"),
    [("There are 13.", ["a"], "the answer"), ("There are 12.", ["a", "b"], "the steps"), ("", ["a"], "the answer")],
)
def test_a_run_that_is_not_what_its_stream_told_fails_the_tour(text: str, steps: list[str], complaint: str) -> None:
    events = [Event("1", "step", {"step_id": "a"}), Event("2", "delta", {"text": "There are 12."})]

    with pytest.raises(TourError, match=complaint):
        compare(events, {"text": text, "steps": [{"id": step} for step in steps]})
