"""The types of events in the logs of jobs, and what streams say beside a log. docs/reference/events.md shows them.

Who emits an event in Python makes its data by `EventType.data`, so that nothing leaves that is not described here; the
events that the database itself writes (apps/jobs/ledger.py) are held against this table by a test.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class EventField:
    """One field of an event's data. ``always`` False: it is left out where it has nothing to say."""

    type: str
    meaning: str
    always: bool = True


@dataclass(frozen=True, slots=True)
class EventType:
    """One type of event. ``example`` is its data as JSON has it."""

    name: str
    meaning: str
    fields: Mapping[str, EventField]
    example: Mapping[str, Any]
    required: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "required", frozenset(name for name, each in self.fields.items() if each.always))

    def data(self, **said: Any) -> dict[str, Any]:
        """The event's data; TypeError where it is not as described, which is a programming error."""
        if not (self.required <= said.keys() <= self.fields.keys()):
            raise TypeError(f"event {self.name}: {sorted(said)} is not {sorted(self.fields)}")
        return said


def by_name(*types: EventType) -> dict[str, EventType]:
    """A table of them."""
    return {each.name: each for each in types}


_JOB_ID = EventField("uuid", "The job.")
_WHEN = EventField("time", "ISO 8601, UTC, by the database's clock.")
STATUS_VALUES = "queued, running, finished, failed, cancelled"

STATUS = EventType(
    "status",
    "The job moved from one state to another.",
    {
        "job_id": _JOB_ID,
        "from": EventField("text or null", "The state before; null at the first event."),
        "to": EventField("text", f"The state now: {STATUS_VALUES}."),
        "status": EventField("text", "As `to`."),
        "timestamp": _WHEN,
        "attempt": EventField("number", "How often a worker has started it.", always=False),
        "worker": EventField("text or null", "Who has or had it.", always=False),
        "reason": EventField(
            "text", "given_back, lease_expired or forced: its worker was lost or stuck.", always=False
        ),
        "error": EventField("object", "{message, reason, ...} of a failed job.", always=False),
    },
    {
        "job_id": "0b4e7f3e-0f6b-4a57-9d4d-2f1f8f3f6c11",
        "from": "queued",
        "to": "running",
        "status": "running",
        "attempt": 1,
        "worker": "worker-1@node",
        "timestamp": "2026-01-31T12:00:00.000000Z",
    },
)
PROGRESS = EventType(
    "progress",
    "The handler reports how far it is (SPEC 10). At most ten a second; the latest counts.",
    {
        "stage": EventField("text", "A word for the part of the work."),
        "message": EventField("text", "A sentence for people."),
        "percent": EventField("number or null", "0 to 100; null where nobody can tell."),
    },
    {"stage": "working", "message": "step 3 of 10", "percent": 30.0},
)
LOG = EventType(
    "log",
    "A line that the handler wants kept.",
    {"message": EventField("text", "The line.")},
    {"message": "3 open jobs and runs cancelled"},
)
END = EventType(
    "end",
    "The last event. The stream closes after it.",
    {
        "job_id": _JOB_ID,
        "final": EventField("text", "finished, failed or cancelled."),
        "completed_at": _WHEN,
    },
    {
        "job_id": "0b4e7f3e-0f6b-4a57-9d4d-2f1f8f3f6c11",
        "final": "finished",
        "completed_at": "2026-01-31T12:00:03.000000Z",
    },
)
JOB_EVENTS = by_name(STATUS, PROGRESS, LOG, END)

RESET = EventType(
    "reset",
    "Of the stream, not of the log: it has no number. What follows does not join what the client has seen.",
    {
        "job_id": EventField("uuid", "The job, or `run_id`: the run.", always=False),
        "run_id": EventField("uuid", "The run.", always=False),
        "reason": EventField("text", "unknown_event_id: the log never had that number; history_gone: it was deleted."),
        "after": EventField("number", "The last event that the client had."),
    },
    {"job_id": "0b4e7f3e-0f6b-4a57-9d4d-2f1f8f3f6c11", "reason": "unknown_event_id", "after": 1000},
)
HEARTBEAT = EventType(
    "heartbeat",
    "Of the websocket: nothing happened for a while. A stream of server-sent events sends the comment `keep-alive`.",
    {},
    {},
)
STREAM_EVENTS = by_name(RESET, HEARTBEAT)
