"""The checker of a nemesis run: from what the callers saw and what the database holds to a list of violations.

Pure: it looks at a History's records and a Snapshot, both plain data. One generator a rule; RULES lists them.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Record = dict[str, Any]
TERMINAL = ("finished", "failed", "cancelled")
EDGES = {
    (None, "queued"),
    ("queued", "running"),
    ("queued", "cancelled"),
    ("queued", "failed"),
    ("running", "queued"),
    *(("running", status) for status in TERMINAL),
}


@dataclass(frozen=True)
class Violation:
    """``rule`` is the name of the function that found it; ``about`` a job id, a key or a place."""

    rule: str
    about: str
    text: str

    def __str__(self) -> str:
        return f"{self.rule} {self.about}: {self.text}"


@dataclass(frozen=True)
class Event:
    """One line of a job's log."""

    seq: int
    type: str
    data: dict[str, Any]


@dataclass
class Snapshot:
    """The database and the lists after everything has come to rest."""

    jobs: dict[str, Record]  # id -> status, attempt, last_seq, leased, key, type
    events: dict[str, list[Event]]  # id -> by seq
    effects: dict[str, list[Record]] = field(default_factory=dict)  # id -> token, attempt, accepted, reason
    queues: dict[str, int] = field(default_factory=dict)
    idle_in_transaction: int = 0


Rule = Callable[[list[Record], Snapshot], Iterator[Violation]]


def _of(records: list[Record], kind: str, phase: str) -> Iterator[Record]:
    return (record for record in records if record["kind"] == kind and record["phase"] == phase)


def accepted_jobs_ended(records: list[Record], after: Snapshot) -> Iterator[Violation]:
    """Every accepted submit has one terminal state (P1)."""
    for job_id in dict.fromkeys(record["job_id"] for record in _of(records, "submit", "ok")):
        job = after.jobs.get(job_id)
        if job is None:
            yield Violation("accepted_jobs_ended", job_id, "accepted, but there is no row")
        elif job["status"] not in TERMINAL:
            yield Violation("accepted_jobs_ended", job_id, f"accepted, but still {job['status']}: lost")


def one_job_a_key(records: list[Record], after: Snapshot) -> Iterator[Violation]:
    """A key, however often it was sent, is one job with one answer; an uncertain submit exists 0 or 1 times (P5)."""
    rows = Counter(job["key"] for job in after.jobs.values() if job["key"])
    answers: dict[str, set[tuple[str, str]]] = {}
    for record in _of(records, "submit", "ok"):
        answers.setdefault(record["key"], set()).add((record["job_id"], record.get("body", "")))
    for key, count in rows.items():
        if count > 1:
            yield Violation("one_job_a_key", key, f"{count} jobs")
    for key, seen in answers.items():
        if len(seen) > 1:
            yield Violation("one_job_a_key", key, f"{len(seen)} different answers: {sorted(seen)}")


def logs_are_whole(records: list[Record], after: Snapshot) -> Iterator[Violation]:
    """Events are 1..n without a gap; one ``end``, the last, equal to the row's status."""
    for job_id, job in after.jobs.items():
        events = after.events.get(job_id, [])
        seqs = [event.seq for event in events]
        if seqs != list(range(1, job["last_seq"] + 1)):
            yield Violation("logs_are_whole", job_id, f"events {seqs}, last_seq {job['last_seq']}")
        ends = [event for event in events if event.type == "end"]
        if job["status"] not in TERMINAL:
            if ends:
                yield Violation("logs_are_whole", job_id, f"it has ended, but is {job['status']}")
        elif len(ends) != 1 or events[-1].type != "end":
            yield Violation("logs_are_whole", job_id, f"{len(ends)} ends; the last event is {events[-1:]}")
        elif ends[0].data["final"] != job["status"]:
            yield Violation("logs_are_whole", job_id, f"end says {ends[0].data['final']}, the row {job['status']}")


def stories_make_sense(records: list[Record], after: Snapshot) -> Iterator[Violation]:
    """Each move starts where the one before it ended; none after a terminal one (a cancelled job never starts)."""
    for job_id, events in after.events.items():
        state = None
        for event in events:
            if event.type != "status":
                continue
            move = (event.data["from"], event.data["to"])
            if move not in EDGES or move[0] != state:
                yield Violation("stories_make_sense", job_id, f"event {event.seq}: {move} while {state}")
            state = event.data["to"]


def attempts_only_grow(records: list[Record], after: Snapshot) -> Iterator[Violation]:
    """Started N times means attempt N; the end belongs to the last attempt started: what fencing is for."""
    for job_id, job in after.jobs.items():
        moves = [event.data for event in after.events.get(job_id, []) if event.type == "status"]
        starts = [move["attempt"] for move in moves if move["to"] == "running"]
        if starts != list(range(1, job["attempt"] + 1)):
            yield Violation(
                "attempts_only_grow", job_id, f"started as {starts}, but the row's attempt is {job['attempt']}"
            )
        attempts = [move["attempt"] for move in moves if move.get("attempt") is not None]
        if attempts != sorted(attempts):
            yield Violation("attempts_only_grow", job_id, f"attempts went back: {attempts}")
        last = moves[-1] if moves else {}
        if last.get("from") == "running" and starts and last["attempt"] != starts[-1]:
            text = f"{last['to']} by attempt {last['attempt']}, while attempt {starts[-1]} was the one that ran"
            yield Violation("attempts_only_grow", job_id, text)


def reports_are_told_once(records: list[Record], after: Snapshot) -> Iterator[Violation]:
    """Our handlers never report the same thing twice in an attempt, so a log that does was written twice."""
    for job_id, events in after.events.items():
        attempt, told = 0, set()
        for event in events:
            if event.type == "status":
                attempt = event.data.get("attempt") or attempt
            elif event.type == "progress":
                line = (attempt, event.data["stage"], event.data["message"])
                if line in told:
                    yield Violation("reports_are_told_once", job_id, f"event {event.seq} repeats {line}")
                told.add(line)


def effects_happened_once(records: list[Record], after: Snapshot) -> Iterator[Violation]:
    """A finished ``test`` job left one effect, any other at most one (P2)."""
    for job_id, job in after.jobs.items():
        tries = after.effects.get(job_id, [])
        count = sum(1 for line in tries if line["accepted"])
        wanted = (1,) if job["type"] == "test" and job["status"] == "finished" else (0, 1)
        if count not in wanted:
            yield Violation("effects_happened_once", job_id, f"{job['status']} with {count} effects: {tries}")


def cancelled_jobs_never_start(records: list[Record], after: Snapshot) -> Iterator[Violation]:
    """An answer that says ``cancelled`` was final (P6)."""
    for record in _of(records, "cancel", "ok"):
        job = after.jobs.get(record["job_id"])
        if record["job_status"] in TERMINAL and job is not None and job["status"] != record["job_status"]:
            text = f"the answer to DELETE said {record['job_status']}, it became {job['status']}"
            yield Violation("cancelled_jobs_never_start", record["job_id"], text)


def streams_equal_logs(records: list[Record], after: Snapshot) -> Iterator[Violation]:
    """Every reader that came to the end read the whole log, in order; any other a part from its beginning (P9)."""
    for record in records:
        if record["kind"] != "stream" or record["phase"] not in ("ok", "info", "reset"):
            continue
        about = f"{record['job_id']} reader {record['reader']}"
        if record["phase"] == "reset":
            yield Violation("streams_equal_logs", about, f"was told to reset: {record['data']}")
            continue
        log = [[event.seq, event.type, event.data] for event in after.events.get(record["job_id"], [])]
        seen = record["events"]
        if record["phase"] == "info":
            yield Violation("streams_equal_logs", about, f"never came to its end: {len(seen)} of {len(log)} events")
        if seen != log[: len(seen)] or (record["phase"] == "ok" and len(seen) != len(log)):
            yield Violation("streams_equal_logs", about, f"read {[e[:2] for e in seen]}, log {[e[:2] for e in log]}")


def answers_are_honest(records: list[Record], after: Snapshot) -> Iterator[Violation]:
    """Only 2xx, 4xx, or 503 with Retry-After."""
    for record in _of(records, "answer", "ok"):
        status = record["status"]
        if not (200 <= status < 300 or 400 <= status < 500 or (status == 503 and record.get("retry_after"))):
            text = f"{status}, Retry-After {record.get('retry_after')}, at {record['at_s']} s"
            yield Violation("answers_are_honest", record["of"], text)


def nothing_is_left(records: list[Record], after: Snapshot) -> Iterator[Violation]:
    """Afterwards: no lease, nothing running, empty lists, no idle transaction."""
    for job_id, job in after.jobs.items():
        if job["leased"] or job["status"] == "running":
            yield Violation("nothing_is_left", job_id, f"{job['status']}, leased: {job['leased']}")
    for queue, length in after.queues.items():
        if length:
            yield Violation("nothing_is_left", queue, f"{length} ids")
    if after.idle_in_transaction:
        yield Violation("nothing_is_left", "postgres", f"{after.idle_in_transaction} sessions idle in a transaction")


RULES: tuple[Rule, ...] = (
    accepted_jobs_ended,
    one_job_a_key,
    logs_are_whole,
    stories_make_sense,
    attempts_only_grow,
    reports_are_told_once,
    effects_happened_once,
    cancelled_jobs_never_start,
    streams_equal_logs,
    answers_are_honest,
    nothing_is_left,
)


def check(records: list[Record], after: Snapshot) -> list[Violation]:
    """Every violation of every rule."""
    return [violation for rule in RULES for violation in rule(records, after)]
