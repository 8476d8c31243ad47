"""The checker on hand-made histories: a sound one, and one for each thing that can be wrong."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.chaos.checker import RULES, Event, Snapshot, check

JOB = "00000000-0000-0000-0000-000000000001"
KEY = "key-1"


def status(seq: int, was: str | None, becomes: str, attempt: int | None = None) -> Event:
    return Event(seq, "status", {"from": was, "to": becomes, "status": becomes, "attempt": attempt})


def end(seq: int, final: str) -> Event:
    return Event(seq, "end", {"final": final})


def progress(seq: int, message: str) -> Event:
    return Event(seq, "progress", {"stage": "working", "message": message, "percent": None})


def sound() -> tuple[list[dict[str, Any]], Snapshot]:
    """One job whose first worker was lost; submitted twice under one key; one reader; one refused late effect."""
    log = [
        status(1, None, "queued"),
        status(2, "queued", "running", 1),
        progress(3, "step 1"),
        status(4, "running", "queued", 1),
        status(5, "queued", "running", 2),
        progress(6, "step 1"),
        status(7, "running", "finished", 2),
        end(8, "finished"),
    ]
    accepted = {"kind": "submit", "phase": "ok", "key": KEY, "job_id": JOB, "body": "{}"}
    answer = {"kind": "answer", "phase": "ok", "of": "submit", "at_s": 1.0}
    seen = [[event.seq, event.type, event.data] for event in log]
    records = [
        {"kind": "submit", "phase": "invoke", "key": KEY},
        {**answer, "status": 503, "retry_after": "1"},
        {**answer, "status": 202, "retry_after": None},
        accepted,
        dict(accepted),
        {"kind": "stream", "phase": "ok", "job_id": JOB, "reader": "r1", "events": deepcopy(seen)},
    ]
    row = {"status": "finished", "attempt": 2, "last_seq": 8, "leased": False, "key": KEY, "type": "test"}
    effects = {
        JOB: [
            {"token": 2, "attempt": 2, "accepted": True, "reason": "taken"},
            {"token": 1, "attempt": 1, "accepted": False, "reason": "stale"},
        ]
    }
    return records, Snapshot({JOB: row}, {JOB: log}, effects, {"jobs:queue:test": 0}, 0)


Damage = Callable[[list[dict[str, Any]], Snapshot], Any]


def second_job(records: list[dict[str, Any]], after: Snapshot) -> None:
    after.jobs["other"] = {**after.jobs[JOB]}
    after.events["other"], after.effects["other"] = after.events[JOB], after.effects[JOB]


def cancelled(records: list[dict[str, Any]], after: Snapshot) -> None:
    records.append({"kind": "cancel", "phase": "ok", "job_id": JOB, "answer": 202, "job_status": "cancelled"})


def move(seq: int, was: str, becomes: str, attempt: int) -> Damage:
    return lambda records, after: after.events[JOB].__setitem__(seq - 1, status(seq, was, becomes, attempt))


def stream(events: int | None = None, phase: str = "ok", swap: bool = False) -> Damage:
    def damage(records: list[dict[str, Any]], after: Snapshot) -> None:
        seen = records[-1]["events"][:events]
        records[-1] |= {"events": seen[1::-1] + seen[2:] if swap else seen, "phase": phase}

    return damage


DAMAGES: list[tuple[str, str, Damage]] = [
    ("accepted_jobs_ended", "no row", lambda records, after: after.jobs.clear()),
    ("accepted_jobs_ended", "still queued", lambda records, after: after.jobs[JOB].update(status="queued")),
    ("one_job_a_key", "two jobs", second_job),
    ("one_job_a_key", "two ids", lambda records, after: records[3].update(job_id="other")),
    ("one_job_a_key", "two bodies", lambda records, after: records[3].update(body='{"a": 1}')),
    ("logs_are_whole", "a gap", lambda records, after: after.events[JOB].pop(2)),
    ("logs_are_whole", "no end", lambda records, after: after.events[JOB].pop()),
    ("logs_are_whole", "two ends", lambda records, after: after.events[JOB].__setitem__(6, end(7, "finished"))),
    ("logs_are_whole", "another end", lambda records, after: after.events[JOB].__setitem__(7, end(8, "failed"))),
    ("stories_make_sense", "started twice", move(4, "queued", "running", 1)),
    ("stories_make_sense", "from the end", move(7, "finished", "running", 2)),
    ("attempts_only_grow", "ended by an old attempt", move(7, "running", "finished", 1)),
    ("attempts_only_grow", "the same attempt twice", move(5, "queued", "running", 1)),
    ("attempts_only_grow", "a start nobody told", lambda records, after: after.jobs[JOB].update(attempt=3)),
    ("reports_are_told_once", "repeated", lambda records, after: after.events[JOB].insert(6, progress(7, "step 1"))),
    ("effects_happened_once", "none", lambda records, after: after.effects.clear()),
    ("effects_happened_once", "two", lambda records, after: after.effects[JOB][1].update(accepted=True)),
    ("cancelled_jobs_never_start", "it ran after all", cancelled),
    ("streams_equal_logs", "a hole", lambda records, after: records[-1]["events"].pop(3)),
    ("streams_equal_logs", "not in order", stream(swap=True)),
    ("streams_equal_logs", "cut short", stream(events=5)),
    ("streams_equal_logs", "never ended", stream(events=5, phase="info")),
    ("answers_are_honest", "500", lambda records, after: records[2].update(status=500)),
    ("answers_are_honest", "503 without Retry-After", lambda records, after: records[1].update(retry_after=None)),
    ("nothing_is_left", "a lease", lambda records, after: after.jobs[JOB].update(leased=True)),
    ("nothing_is_left", "an id", lambda records, after: after.queues.update({"jobs:queue:test": 1})),
    ("nothing_is_left", "a transaction", lambda records, after: setattr(after, "idle_in_transaction", 1)),
]


def test_a_sound_run_has_no_violations() -> None:
    assert check(*sound()) == []


@pytest.mark.parametrize(("rule", "what", "damage"), DAMAGES, ids=[f"{rule}: {what}" for rule, what, _ in DAMAGES])
def test_the_rule_finds(rule: str, what: str, damage: Damage) -> None:
    records, after = sound()
    damage(records, after)

    assert rule in {violation.rule for violation in check(records, after)}


def test_every_rule_can_turn_red() -> None:
    assert {rule for rule, _, _ in DAMAGES} == {rule.__name__ for rule in RULES}
