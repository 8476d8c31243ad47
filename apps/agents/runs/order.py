"""The order of runs in a session: what a prompt does while another run is open (``sessions.when_busy``).

Everything happens under the lock of the session's row, which whoever ends one of its runs takes first, too. So a run
that is told to wait waits for one that has not ended yet.
"""

import json
from typing import Any
from uuid import UUID

from django.db import connections

from apps.agents.models import AgentRun, Session
from apps.agents.runs import dispatch
from apps.agents.runs import ledger as run_ledger
from apps.agents.runs import mirror as run_mirror
from apps.agents.runs.records import Move, Moved
from apps.agents.states import CANCELLED, QUEUED, RUNNING
from kernel import metrics
from kernel.errors import ConflictError
from kernel.tenant_context import prepared_cursor

LOCK_SESSION = "SELECT 1 FROM sessions WHERE id = %s FOR UPDATE"
REQUEST_CANCEL = """
UPDATE agent_runs SET cancel_requested_at = COALESCE(cancel_requested_at, clock_timestamp())
WHERE id = %s AND status = 'running' AND lease_until IS NOT NULL RETURNING id
"""


def place_in(session: Session) -> tuple[UUID | None, list[Moved]]:
    """Which run a new one of the locked session has to wait for, and what was ended to make room.

    ConflictError (session_busy) where the session rejects a second prompt.
    """
    runs = AgentRun.objects.filter(session_id=session.id, status__in=(QUEUED, RUNNING)).order_by("created_at", "id")
    still_open = _in_turn(dict(runs.values_list("id", "waits_for")))
    if not still_open:
        return None, []
    if session.when_busy == "reject":
        raise ConflictError(
            "Another run of this session is not done. Wait for its end, cancel it, or set when_busy to enqueue.",
            code="session_busy",
            run_id=str(still_open[-1]),
            retry_after_s=1,
        )
    ended: list[Moved] = []
    if session.when_busy == "interrupt":
        for run_id in list(still_open):
            moved, _ = end_or_ask(run_id)
            if moved is not None:
                ended.append(moved)
                still_open.remove(run_id)
    return (still_open[-1] if still_open else None), ended


def _in_turn(waiting: dict[UUID, UUID | None]) -> list[UUID]:
    """The open runs of a session in the order in which they will run; one that was resumed is older than its place."""
    ordered = [run_id for run_id, before in waiting.items() if before not in waiting]
    for run_id in ordered:  # it grows meanwhile
        ordered.extend(next_id for next_id, before in waiting.items() if before == run_id)
    return ordered


def lock_session(session_id: UUID | None) -> None:
    """Before any run of it is ended in this transaction."""
    if session_id is not None:
        with prepared_cursor() as cursor:
            cursor.execute(LOCK_SESSION, [session_id])


def end_or_ask(run_id: UUID) -> tuple[Moved | None, bool]:
    """Cancel a run that nobody holds; ask the worker of one that is held. (None, False): it has just ended, or is
    changing hands. Inside a tenant scope, its session locked."""
    change = Move(run_id, status=CANCELLED)
    for _ in range(3):
        moved = run_ledger.move(connections["default"].connection, change, unheld=True)
        if moved is not None:
            return moved, True
        with prepared_cursor() as cursor:
            if cursor.execute(REQUEST_CANCEL, [run_id]).fetchone() is not None:
                return None, True
    return None, False


def show_ended(ended: list[Moved]) -> None:
    """After the commit: what was told, and the runs that need not wait any longer."""
    for moved in ended:
        metrics.RUNS_ENDED.labels(CANCELLED).inc()
        run_mirror.publish([as_read(row) for row in moved.told])
        dispatch.send(moved.released)


def as_read(row: dict[str, Any]) -> dict[str, Any]:
    """An event as run_mirror takes it: Django's connections hand jsonb over as text."""
    said = row["event_json"]
    return {**row, "event_json": json.loads(said) if isinstance(said, str) else said}
