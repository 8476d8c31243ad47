"""Proving a chain: every row hashed again, in order, and its end held against the head that the database keeps."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.audit import selectors
from apps.audit.chain import Break, Checker


@dataclass(frozen=True)
class Report:
    """``is_complete`` is false when time ran out first; go on at ``next_seq`` then."""

    tenant_id: UUID
    checked: int
    head_seq: int
    head_hash: str | None
    next_seq: int
    is_complete: bool
    first_broken: Break | None

    @property
    def ok(self) -> bool:
        return self.first_broken is None

    def as_json(self) -> dict[str, Any]:
        return {
            "tenant_id": str(self.tenant_id),
            "ok": self.ok,
            "complete": self.is_complete,
            "checked": self.checked,
            "next_seq": self.next_seq,
            "head": {"seq": self.head_seq, "hash": self.head_hash},
            "first_broken": self.first_broken.as_json() if self.first_broken else None,
        }


def verify_chain(
    tenant_id: UUID, *, from_seq: int = 1, to_seq: int | None = None, limit_s: float | None = None
) -> Report:
    """Check rows ``from_seq`` to ``to_seq`` (to the end by default). Rows written meanwhile are not looked at."""
    deadline = None if limit_s is None else time.monotonic() + limit_s
    head_seq, head_hash, last_seq = selectors.head_of(tenant_id)
    end = head_seq if to_seq is None else min(to_seq, head_seq)
    checker = Checker(from_seq=from_seq)
    fault: Break | None = None
    is_complete = True
    for link in selectors.links(tenant_id, from_seq=from_seq, to_seq=end):
        fault = checker.check(link)
        if fault is not None:
            break
        if deadline is not None and time.monotonic() > deadline and checker.next_seq <= end:
            is_complete = False
            break
    if fault is None and is_complete and checker.next_seq <= end:
        fault = checker.check_end(end, "")
    if fault is None and is_complete and end == head_seq:
        fault = checker.check_end(head_seq, head_hash or "") if head_hash else None
        if fault is None and last_seq > head_seq:
            fault = _beyond(tenant_id, head_seq, last_seq)
    return Report(tenant_id, checker.checked, head_seq, head_hash, checker.next_seq, is_complete, fault)


def _beyond(tenant_id: UUID, head_seq: int, last_seq: int) -> Break:
    """Rows the head knows nothing of: somebody put them there behind the trigger's back, or turned the head back."""
    link = next(selectors.links(tenant_id, from_seq=head_seq + 1, to_seq=last_seq))
    detail = f"The chain's head stands at {head_seq}, and there are rows up to {last_seq}."
    return Break("head_mismatch", link.seq, detail, link.id, link.created_at_us)
