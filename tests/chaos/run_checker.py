"""The checker of a nemesis run of agent runs: pure, as tests/chaos/checker.py, with rules of its own beside its."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.chaos import checker
from tests.chaos.checker import Event, Violation

TERMINAL = ("succeeded", "failed", "cancelled")
EDGES = {
    (None, "queued"),
    ("queued", "running"),
    *(("queued", status) for status in ("failed", "cancelled")),
    ("running", "queued"),
    *(("running", status) for status in TERMINAL),
}


@dataclass
class RunSnapshot:
    """The database and the queue after everything has come to rest."""

    runs: dict[str, dict[str, Any]]  # id -> status, last_seq, leased, key, text, crashes, wanted (the answer)
    events: dict[str, list[Event]]
    steps: dict[str, list[dict[str, Any]]]  # id -> index, attempt, told_at (when its event was committed)
    effects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # id -> index, attempt, what, token, at
    queue: int = 0
    idle_in_transaction: int = 0


def accepted_runs_ended(records: list[Any], after: RunSnapshot) -> Iterator[Violation]:
    """Every accepted run has one terminal state."""
    for record in records:
        if record["kind"] == "submit" and record["phase"] == "ok":
            found = after.runs.get(record["job_id"])
            if found is None or found["status"] not in TERMINAL:
                yield Violation("accepted_runs_ended", record["job_id"], f"accepted, and now {found}")


def one_run_a_key(records: list[Any], after: RunSnapshot) -> Iterator[Violation]:
    """A key, however often it was sent, is one run."""
    answers: dict[str, set[str]] = {}
    for record in records:
        if record["kind"] == "submit" and record["phase"] == "ok":
            answers.setdefault(record["key"], set()).add(record["job_id"])
    for key, ids in answers.items():
        if len(ids) > 1:
            yield Violation("one_run_a_key", key, f"{len(ids)} runs")
    for key, count in Counter(run["key"] for run in after.runs.values() if run["key"]).items():
        if count > 1:
            yield Violation("one_run_a_key", key, f"{count} rows")


def logs_are_whole(records: list[Any], after: RunSnapshot) -> Iterator[Violation]:
    """Events are 1..n without a gap; one ``end``, the last, equal to the row's status; each move follows the last."""
    for run_id, run in after.runs.items():
        events = after.events.get(run_id, [])
        if [event.seq for event in events] != list(range(1, run["last_seq"] + 1)):
            yield Violation("logs_are_whole", run_id, f"{[event.seq for event in events]}, last_seq {run['last_seq']}")
        ends = [event.data["final"] for event in events if event.type == "end"]
        if run["status"] in TERMINAL and (ends != [run["status"]] or events[-1].type != "end"):
            yield Violation("logs_are_whole", run_id, f"it is {run['status']}, its ends are {ends}")
        state = None
        for event in events:
            if event.type == "status":
                move = (event.data["from"], event.data["to"])
                if move not in EDGES or move[0] != state:
                    yield Violation("logs_are_whole", run_id, f"event {event.seq}: {move} while {state}")
                state = move[1]


def no_finished_step_ran_again(records: list[Any], after: RunSnapshot) -> Iterator[Violation]:
    """Nobody is given a step whose record is committed; and each is committed once. (A frozen worker may wake up and
    begin what it was given before: its token is older than the one that committed.)"""
    for run_id, steps in after.steps.items():
        places = [(step["index"], step["attempt"]) for step in steps]
        if len(set(places)) != len(places):
            yield Violation("no_finished_step_ran_again", run_id, f"steps {places}")
        told = [event.data["index"] for event in after.events.get(run_id, []) if event.type == "step"]
        if len(set(told)) != len(told):
            yield Violation("no_finished_step_ran_again", run_id, f"told as done: {told}")
        done_at: dict[int, datetime] = {step["index"]: step["told_at"] for step in steps}
        begun = [line for line in after.effects.get(run_id, []) if line["what"] == "begun"]
        for line in begun:
            at = done_at.get(line["index"])
            before = [one["token"] for one in begun if at and one["index"] == line["index"] and one["at"] <= at]
            if at is not None and line["at"] > at and line["token"] > max(before, default=0):
                text = f"step {line['index']} began at {line['at']}, and was done at {at}"
                yield Violation("no_finished_step_ran_again", run_id, text)


def answers_are_the_undisturbed_ones(records: list[Any], after: RunSnapshot) -> Iterator[Violation]:
    """A run that succeeded says what one that nobody disturbed says; and nothing but a cancellation stops one."""
    for run_id, run in after.runs.items():
        if run["status"] == "succeeded" and run["text"] != run["wanted"]:
            yield Violation("answers_are_the_undisturbed_ones", run_id, f"{run['text']!r}, not {run['wanted']!r}")
        if run["status"] == "failed":
            yield Violation("answers_are_the_undisturbed_ones", run_id, f"failed: {run['error']}")


def nothing_is_left(records: list[Any], after: RunSnapshot) -> Iterator[Violation]:
    """Afterwards: no lease, an empty queue, no idle transaction."""
    for run_id, run in after.runs.items():
        if run["leased"]:
            yield Violation("nothing_is_left", run_id, f"{run['status']}, leased")
    if after.queue or after.idle_in_transaction:
        yield Violation("nothing_is_left", "servers", f"{after.queue} messages, {after.idle_in_transaction} idle")


def streams_equal_logs(records: list[Any], after: RunSnapshot) -> Iterator[Violation]:
    """As for jobs."""
    return checker.streams_equal_logs(records, checker.Snapshot({}, after.events))


def answers_are_honest(records: list[Any], after: RunSnapshot) -> Iterator[Violation]:
    """As for jobs."""
    return checker.answers_are_honest(records, checker.Snapshot({}, {}))


RULES = (
    accepted_runs_ended,
    one_run_a_key,
    logs_are_whole,
    no_finished_step_ran_again,
    answers_are_the_undisturbed_ones,
    nothing_is_left,
    streams_equal_logs,
    answers_are_honest,
)


def check(records: list[Any], after: RunSnapshot) -> list[Violation]:
    """Every violation of every rule."""
    return [violation for rule in RULES for violation in rule(records, after)]
