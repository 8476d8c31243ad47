"""What a hash covers, and how a chain is checked. Pure: rows in, the first fault out.

The canonical text is a JSON array on one line, as PostgreSQL prints jsonb: ``", "`` between members, non-ASCII as it
is, the keys of ``details`` by length and then by bytes. Anybody with an export can make it again and hash it.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kernel.clock import iso

FORMAT = 1  # the first member; the trigger of migration 0001 writes the same
NO_HASH = "00" * 32
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encode = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True)
class Link:
    """A stored row, as far as its hash covers it. ``details`` is jsonb's own text; hashes are hexadecimal."""

    tenant_id: str
    seq: int
    prev_hash: str
    id: str
    created_at_us: int
    actor: str
    actor_tenant_id: str | None
    action: str
    resource_type: str
    resource_id: str
    outcome: str
    details: str
    error_message: str
    request_id: str
    correlation_id: str
    trace_id: str
    client_ip: str
    hash: str


@dataclass(frozen=True)
class Break:
    """The first link that does not hold, and what is wrong with it."""

    fault: str
    seq: int
    detail: str
    id: str | None = None
    created_at_us: int | None = None

    def as_json(self) -> dict[str, Any]:
        """With the time as answers show times."""
        body = asdict(self)
        moment_us = body.pop("created_at_us")
        return {**body, "created_at": None if moment_us is None else iso(EPOCH + timedelta(microseconds=moment_us))}


def canonical(link: Link) -> str:
    """The text whose SHA-256 is the row's hash."""
    before = _encode(
        [FORMAT, link.tenant_id, link.seq, link.prev_hash, link.id, link.created_at_us, link.actor,
         link.actor_tenant_id, link.action, link.resource_type, link.resource_id, link.outcome]
    )  # fmt: skip
    after = _encode([link.error_message, link.request_id, link.correlation_id, link.trace_id, link.client_ip])
    return f"{before[:-1]}, {link.details}, {after[1:]}"


def hash_of(link: Link) -> str:
    """Hexadecimal."""
    return hashlib.sha256(canonical(link).encode()).hexdigest()


class Checker:
    """Feed it a chain in order; the first Break is final. From a ``seq`` above 1 the first prev_hash is believed."""

    def __init__(self, *, from_seq: int = 1) -> None:
        self.next_seq = from_seq
        self.last_hash = NO_HASH if from_seq == 1 else None
        self.checked = 0

    def check(self, link: Link) -> Break | None:
        """What is wrong with the next row, None when it continues the chain."""
        fault = self._fault(link)
        if fault is not None:
            return Break(fault[0], link.seq, fault[1], link.id, link.created_at_us)
        self.next_seq, self.last_hash = link.seq + 1, link.hash
        self.checked += 1
        return None

    def _fault(self, link: Link) -> tuple[str, str] | None:
        if link.seq > self.next_seq:
            return "gap", f"Row {self.next_seq} is missing: the next one is {link.seq}."
        if link.seq < self.next_seq:
            return "duplicate", f"There is more than one row {link.seq}."
        if hash_of(link) != link.hash:
            return "hash_mismatch", "The row was changed: it does not have the hash that is stored with it."
        if self.last_hash is not None and link.prev_hash != self.last_hash:
            return "wrong_prev", "It does not continue the row before it: one of the two was replaced."
        return None

    def check_end(self, head_seq: int, head_hash: str) -> Break | None:
        """Whether the chain ends where its head says, once the last row up to the head was fed."""
        if self.next_seq <= head_seq:
            return Break("missing_tail", self.next_seq, f"Rows {self.next_seq} to {head_seq} are missing at the end.")
        if self.last_hash is not None and self.last_hash != head_hash:
            return Break("head_mismatch", head_seq, "The chain's head has another hash than its last row.")
        return None
