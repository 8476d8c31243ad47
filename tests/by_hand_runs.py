"""A run moved by the test itself, with the SQL that workers use: for logs that no phase would make, and no waiting."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db.models.functions import Now

from apps.agents.models import AgentRun, TapeEntry
from apps.agents.runs import ledger as run_ledger
from apps.agents.runs import mirror as run_mirror
from apps.agents.runs import services as run_services
from apps.agents.runs.event_types import DELTA
from apps.agents.runs.records import Move, NewEvent
from apps.agents.states import CLASSIFY
from apps.identity.principal import Principal
from kernel import engine_db
from kernel.clock import now
from kernel.tenant_context import tenant_scope
from tests.by_hand import HandJob

LEASE_S = 3600.0


def step_row(**columns: Any) -> dict[str, Any]:
    """A step as a move writes it: HandRun.finish(step=step_row())."""
    return {
        "id": uuid4(), "index": 0, "action": "model.answer", "status": "completed", "input": None, "output": None,
        "error": None, "input_hash": "0" * 64, "reused_from": None, "tokens": 0, "cost_nano_usd": 0, "latency_ms": 1.0,
        "started_at": now(), "finished_at": now(), **columns,
    }  # fmt: skip


class HandRun:
    """A run in the test's own hands: claim it, let it say something, end it. ``shown=False`` leaves Redis untold."""

    def __init__(self, principal: Principal, prompt: str = "By hand", **fields: Any) -> None:
        self.principal = principal
        asked = {"prompt": prompt, **fields}
        job = HandJob(principal).claim()  # of a job: nothing is sent. Of one that is there, and sweepers leave it alone
        run, _ = run_services.create_run(principal, fields=asked, job_id=job.id)
        self.id, self.last_seq, self.token = run.id, run.last_seq, 0
        self.change(job_id=None, hinted_at=Now() + timedelta(hours=1))
        job.finish()  # else it would be work under way of its tenant's

    def change(self, **columns: Any) -> "HandRun":
        """Columns of its row, behind everybody's back."""
        with tenant_scope(self.principal.tenant_id):
            AgentRun.objects.filter(id=self.id).update(**columns)
        return self

    def claim(self, *, shown: bool = True) -> "HandRun":
        with engine_db.connect("tests") as connection:
            row = run_ledger.claim(
                connection, self.id, phase=CLASSIFY, index=0, worker="hand", lease_s=LEASE_S, limit_s=LEASE_S
            )
        assert row is not None, "the database refused the claim"
        self.token = row["token"]
        told = {
            "run_id": self.id,
            "seq_id": row["last_seq"],
            "event_type": row["event_type"],
            "event_json": row["event_json"],
            "created_at": row["told_at"],
        }
        return self._told([told], shown)

    def say(self, *pieces: str, shown: bool = True) -> "HandRun":
        """A piece of the answer each."""
        return self.tell(*((DELTA.name, DELTA.data(text=text)) for text in pieces), shown=shown)

    def tell(self, *events: tuple[str, dict[str, Any]], shown: bool = True) -> "HandRun":
        """(type, data) each."""
        lines = [
            NewEvent(self.id, self.token, self.last_seq + number, event_type, data)
            for number, (event_type, data) in enumerate(events, start=1)
        ]
        with engine_db.connect("tests") as connection:
            rows, _ = run_ledger.append_events(connection, lines)
        return self._told(rows, shown)

    def finish(
        self, status: str = "succeeded", *, step: dict[str, Any] | None = None, shown: bool = True, **columns: Any
    ) -> "HandRun":
        """``step``: committed before, since the statement that ends a run writes none."""
        if step is not None:
            kept = Move(self.id, self.token, CLASSIFY, 0, self.last_seq, step=step, keep_s=LEASE_S)
            with engine_db.connect("tests") as connection:
                moved = run_ledger.move(connection, kept)
            assert moved is not None and moved.kept is not None, "the database refused the step"
            self.token = moved.kept["token"]
        output = {"text": "Done.", "outputs": [{"type": "text", "text": "Done."}]}
        error = {"message": "by hand", "reason": "by_hand"} if status == "failed" else None
        move = Move(
            self.id, self.token, CLASSIFY, 0, self.last_seq,
            status=status, output=output if status == "succeeded" else None, error=error, **columns,
        )  # fmt: skip
        with engine_db.connect("tests") as connection:
            moved = run_ledger.move(connection, move)
        assert moved is not None, "the database refused the move"
        return self._told(moved.told, shown)

    def keep(self, request: Any, answer: Any, *, place: str = "classify") -> "HandRun":
        """A model's answer on its tape."""
        with tenant_scope(self.principal.tenant_id):
            TapeEntry.objects.create(
                tenant_id=self.principal.tenant_id, run_id=self.id, request_hash="0" * 64, occurrence=0, kind="model",
                place=place, attempt=1, request=request, answer=answer, idempotency_key="k", answered_at=now(),
            )  # fmt: skip
        return self

    def _told(self, rows: list[dict[str, Any]], shown: bool) -> "HandRun":
        assert rows, "the database refused the move"
        self.last_seq = rows[-1]["seq_id"]
        if shown:
            assert run_mirror.publish(rows)
        return self
