"""What our engine does for one job, done for one job alone: claim, commit, mirror, result, finish, commit, mirror.

The statements and the mirror are the product's own, so that the peers differ from us only in how work reaches them
and in that they commit each job by itself.
"""

import os
import threading
from uuid import UUID

import django

django.setup()

from apps.jobs import ledger, mirror  # noqa: E402
from apps.jobs.ledger import Outcome  # noqa: E402
from kernel import engine_db  # noqa: E402

LEASE_S = 10.0
_local = threading.local()


def _connection() -> ledger.Connection:
    """One a thread, kept."""
    if not hasattr(_local, "connection"):
        _local.connection = engine_db.connect("bench peer")
    return _local.connection  # type: ignore[no-any-return]


def run_one(job_id: str) -> None:
    """Run a job of type test with an empty payload."""
    connection = _connection()
    claimed = ledger.claim(connection, [UUID(job_id)], worker=f"peer:{os.getpid()}", lease_s=LEASE_S)
    if not claimed:
        return
    mirror.publish(claimed)
    job = claimed[0]
    result = {"status": "completed", "input": job["payload_json"], "message": "Test job completed."}
    closed = ledger.finish(connection, [Outcome(job["id"], job["token"], "finished", result=result)])
    mirror.publish(closed)
