"""A job moved by the test itself, with the SQL that workers use: for states and logs no handler would make."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db.models.functions import Now
from django.utils import timezone
from psycopg.rows import dict_row

from apps.identity.principal import Principal
from apps.jobs import ledger, mirror
from apps.jobs.event_types import STATUS
from apps.jobs.ledger import NewEvent, Outcome
from apps.jobs.models import Job, JobEvent
from kernel import engine_db
from kernel.clock import iso
from kernel.tenant_context import tenant_scope

NO_HANDLER = "parked"  # a type that no worker takes and no sweeper looks for
LEASE_S = 3600.0


def make_row(principal: Principal, *, type_name: str = NO_HANDLER, **columns: Any) -> UUID:
    """A queued job with its first event, whose id nobody has put on a list and no sweeper will."""
    with tenant_scope(principal.tenant_id):
        job = Job.objects.create(
            tenant_id=principal.tenant_id,
            type=type_name,
            owner_sub=principal.sub,
            principal_json=principal.as_json(),
            hinted_at=timezone.now() + timedelta(hours=1),
            last_seq=1,
            **columns,
        )
        job.refresh_from_db()
        JobEvent.objects.create(
            job_id=job.id,
            seq_id=1,
            job_created_at=job.created_at,
            tenant_id=principal.tenant_id,
            event_type="status",
            event_json=STATUS.data(
                job_id=str(job.id), **{"from": None}, to="queued", status="queued", timestamp=iso(job.created_at)
            ),
            created_at=Now(),
        )
    return job.id


class HandJob:
    """A job in the test's own hands: claim it, let it report, end it. ``shown=False`` leaves Redis untold."""

    def __init__(self, principal: Principal, **columns: Any) -> None:
        self.id = make_row(principal, **columns)
        self.token = 0
        with engine_db.connect("tests") as connection, connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(
                "SELECT id, jobs.tenant_id, type, owner_sub, status, attempt, last_seq, lease_owner, progress_percent, "
                "seq_id, event_type, event_json, job_events.created_at FROM jobs JOIN job_events ON job_id = id "
                "WHERE id = %s",
                [self.id],
            )
            self._told(cursor.fetchall(), shown=True)

    def claim(self, *, lease_s: float = LEASE_S, shown: bool = True) -> "HandJob":
        with engine_db.connect("tests") as connection:
            rows = ledger.claim(connection, [self.id], worker=f"hand-{uuid4().hex[:6]}", lease_s=lease_s)
        self.token = rows[0]["token"]
        return self._told(rows, shown)

    def report(self, *messages: str, shown: bool = True) -> "HandJob":
        """One log event a message."""
        events = [
            NewEvent(self.id, self.token, self.last_seq + number, "log", {"message": message})
            for number, message in enumerate(messages, start=1)
        ]
        with engine_db.connect("tests") as connection:
            rows, _ = ledger.append_events(connection, events)
        return self._told(rows, shown)

    def finish(self, status: str = "finished", *, dead: bool = False, shown: bool = True) -> "HandJob":
        error = {"message": "by hand", "reason": "by_hand"} if status == "failed" else None
        outcome = Outcome(self.id, self.token, status, result={"by": "hand"}, error=error, dead=dead)
        with engine_db.connect("tests") as connection:
            rows = ledger.finish(connection, [outcome])
        return self._told(rows, shown)

    def _told(self, rows: list[dict[str, Any]], shown: bool) -> "HandJob":
        assert rows, "the database refused the move"
        self.last_seq = rows[-1]["seq_id"]
        if shown:
            assert mirror.publish(rows)
        return self
