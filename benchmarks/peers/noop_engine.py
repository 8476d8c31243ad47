"""Our worker with nothing behind it: ``celery -A workers worker --include peers.noop_engine``.

Transport, consumer, engine, batching and handler threads are the product's. The SQL (apps.jobs.ledger), the Redis
mirror and the handler do nothing, so that what is left is the cost of the queue and the engine.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from peers.tally import tally

from apps.jobs import ledger, mirror
from workers.engine.ledger import LedgerThread
from workers.handlers import registry

NOBODY = UUID(int=0)


class NoConnection:
    """Looks like a connection as far as the ledger's thread uses one."""

    autocommit = True
    closed = False

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        yield

    @contextlib.contextmanager
    def pipeline(self) -> Iterator[None]:
        yield

    def close(self) -> None:
        """Nothing is open."""


def _row(job_id: UUID, **more: Any) -> dict[str, Any]:
    return {
        "id": job_id,
        "tenant_id": NOBODY,
        "type": "test",
        "owner_sub": "bench",
        "status": "running",
        "attempt": 1,
        "token": 1,
        "last_seq": 2,
        "lease_owner": "bench",
        "progress_percent": None,
        "priority": 0,
        "crashes": 0,
        "max_attempts": 3,
        "payload_json": {},
        "principal_json": {},
        "request_id": "",
        "queue_latency_ms": 1,
        "exec_latency_ms": 1,
        "event_type": "status",
        "event_json": {},
        "seq_id": 2,
        **more,
    }


def claim(connection: Any, ids: Sequence[UUID], **_: Any) -> list[dict[str, Any]]:
    """Every id is a job and ours."""
    return [_row(job_id) for job_id in ids]


def finish(connection: Any, outcomes: Sequence[ledger.Outcome], **_: Any) -> list[dict[str, Any]]:
    """Every outcome is counted and believed."""
    tally.record(len(outcomes))
    return [_row(outcome.job_id, status=outcome.status, event_type="end") for outcome in outcomes]


ledger.claim = claim  # type: ignore[assignment]
ledger.finish = finish  # type: ignore[assignment]
mirror.publish = lambda rows: True  # type: ignore[assignment]
LedgerThread._connect = lambda self: NoConnection()  # type: ignore[method-assign, assignment, return-value]
registry.HANDLERS["test"] = lambda job: {}
