"""docs/reference/events.md: every event of the logs of jobs and of runs, and what streams add (the tables are in
apps/jobs/event_types.py and apps/agents/runs/event_types.py)."""

import json
from collections.abc import Callable, Sequence

from apps.agents.runs.event_types import RUN_EVENTS
from apps.jobs.event_types import JOB_EVENTS, STREAM_EVENTS, EventType

Table = Callable[[tuple[str, ...], Sequence[tuple[str, ...]]], str]
INTRODUCTION = """# Events

`GET /v1/jobs/{id}/events` and `GET /v1/agent-runs/{id}/events` with `Accept: text/event-stream` are streams of
server-sent events: `id` (the event's number), `event` (its type) and `data` (JSON on one line). The numbers of a log
are 1, 2, 3 without a gap; a client that comes back with `Last-Event-ID` (or `?after=`) gets what it has not seen, and
who has seen the `end` gets 204. `?format=json` gives the same events as pages.

The websockets `/ws/jobs/{id}` and `/ws/agent-runs/{id}` send `{"id": 7, "event": "progress", "data": {...}}`, from
`?after=` on. A program sends its token as `Authorization: Bearer TOKEN`; a page, which cannot, asks for the
subprotocols `agentic.v1` and `bearer.TOKEN`, or sends `{"token": "TOKEN", "after": 7}` as its first message within ten
seconds. They close with 1000 after the `end`, 4401 when the token is not valid (any more), 4403 when it may not, 4404
when there is no such thing, 4400 when something is malformed, 1013 when one should come back; the reason says it in
words.

Clients should pass over types and fields that they do not know.
"""


def events_text(head: str, table: Table) -> str:
    """The page. ``table`` draws one."""
    parts = [head + INTRODUCTION]
    for title, events in (
        ("Events of jobs", JOB_EVENTS),
        ("Events of runs", RUN_EVENTS),
        ("Beside the log", STREAM_EVENTS),
    ):
        parts.append(f"## {title}\n")
        parts.extend(_one(event, table) for event in events.values())  # in the order of a life
    return "\n".join(parts)


def _one(event: EventType, table: Table) -> str:
    rows = [
        (f"`{name}`", field.type, "" if field.always else "not always", field.meaning)
        for name, field in event.fields.items()
    ]
    fields = table(("field", "type", "there", "meaning"), rows) if rows else "Without data.\n"
    example = f"\n```json\n{json.dumps(event.example)}\n```\n" if event.fields else ""
    return f"### `{event.name}`\n\n{event.meaning}\n\n{fields}{example}"
