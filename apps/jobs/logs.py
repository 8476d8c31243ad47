"""What the streams need to know of a log, so that jobs and runs are followed by the same code.

A log is events numbered 1..n without a hole, in PostgreSQL, whose latest stand in a Redis ring too. An ``end`` closes
it; a run that is resumed goes on after its ``end`` and gets another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from apps.identity.principal import Principal
from kernel.errors import BadRequestError
from kernel.redis_keys import Key


@dataclass(frozen=True)
class LogRef:
    """What it takes to read one log. ``created_at`` finds the partition of a job's events."""

    id: UUID
    tenant_id: UUID
    created_at: datetime
    last_seq: int
    ended: bool


class EventsAfter(Protocol):
    """Events with a higher number, in order: {seq_id, event_type, event_json, created_at}."""

    def __call__(self, log: LogRef, after_seq: int, *, limit: int) -> list[dict[str, Any]]: ...


@dataclass(frozen=True)
class LogKind:
    """One family of logs.

    ``noun`` as people say it and ``id_name`` as the API calls its id; ``find`` authorises and reads, NotFoundError for
    what is not the caller's; ``last_seqs`` asks for logs that were authorised before.
    """

    noun: str
    id_name: str
    ring: Key
    find: Callable[[Principal, UUID], LogRef]
    events_after: EventsAfter
    last_seqs: Callable[[UUID, Sequence[UUID]], dict[UUID, int]]

    def parse_id(self, raw: str) -> UUID:
        """An id from an address; BadRequestError when it is no UUID."""
        try:
            return UUID(raw)
        except ValueError as error:
            raise BadRequestError(f"A {self.noun} id is a UUID.", code=f"invalid_{self.id_name}") from error
