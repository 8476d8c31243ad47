"""The Redis ring of a log, as SPEC 9.2 has it: its latest events, in order, each as one line of JSON."""

from collections.abc import Sequence
from typing import Any

import redis
from django.conf import settings
from pydantic_core import to_json

from kernel.clock import iso


def event_line(row: dict[str, Any]) -> bytes:
    """One event as the ring holds it and the streams read it."""
    return to_json(
        {
            "seq_id": row["seq_id"],
            "event_type": row["event_type"],
            "event_json": row["event_json"],
            "created_at": iso(row["created_at"]),
        }
    )


def queue_events(pipe: redis.client.Pipeline, key: str, rows: Sequence[dict[str, Any]], last_seq: int) -> None:
    """Add committed events to the ring and let what is beyond its length go. ``rows`` in order; the pipe may wait."""
    pipe.rpush(key, *(event_line(row) for row in rows))
    if last_seq > settings.EVENT_RING_LENGTH:
        pipe.ltrim(key, -settings.EVENT_RING_LENGTH, -1)
