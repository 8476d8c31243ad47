"""Writing: with the change or not at all, ids from the request, no secrets; and notes that survive an outage."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connections, transaction

from apps.audit import trail
from apps.audit.models import PLATFORM_CHAIN, AuditLog
from apps.audit.rows import row_of
from apps.audit.verification import verify_chain
from apps.audit.writer import Writer, writer
from kernel import engine_db
from kernel.request_context import RequestContext, request_context
from kernel.tenant_context import tenant_scope
from tests.clients import PATIENCE_S
from tests.factories import make_tenant
from tests.integration.audit.chains import ROOT, rows_of

CONTEXT = RequestContext(request_id="req-1", correlation_id="corr-1", trace_id="a" * 32, client_ip="192.0.2.1")


def row(tenant_id: UUID | None, action: str = "thing.refused", **details: Any) -> Any:
    return row_of(
        tenant_id=tenant_id, actor="ada", action=action, resource_type="", resource_id="", outcome="denied",
        details=details, actor_tenant_id=None, error_message="",
    )  # fmt: skip


@pytest.mark.requirement("audit:with-the-change")
def test_a_recorded_row_says_who_did_what_and_within_which_request(bare: Any) -> None:
    with request_context(CONTEXT), tenant_scope(bare.id):
        trail.record(
            tenant_id=bare.id, actor="ada", action="job.cancelled", resource_type="job", resource_id="7",
            details={"why": "because"}, error_message="none",
        )  # fmt: skip

    [stored] = rows_of(bare.id)

    assert (stored.actor, stored.action, stored.resource_type, stored.resource_id) == (
        "ada",
        "job.cancelled",
        "job",
        "7",
    )
    assert (stored.outcome, stored.success, stored.details) == ("success", True, {"why": "because"})
    assert (stored.request_id, stored.correlation_id) == ("req-1", "corr-1")
    assert (stored.trace_id, stored.client_ip, stored.error_message) == ("a" * 32, "192.0.2.1", "none")
    assert (stored.seq, bytes(stored.prev_hash)) == (1, bytes(32))


@pytest.mark.requirement("audit:with-the-change")
def test_a_row_is_gone_with_the_change_that_failed_and_leaves_no_gap(bare: Any) -> None:
    with tenant_scope(bare.id):
        trail.record(tenant_id=bare.id, actor="ada", action="first")
    with pytest.raises(KeyboardInterrupt), tenant_scope(bare.id):
        trail.record(tenant_id=bare.id, actor="ada", action="undone")
        raise KeyboardInterrupt
    with tenant_scope(bare.id):
        trail.record(tenant_id=bare.id, actor="ada", action="second")

    rows = rows_of(bare.id)

    assert [(row.seq, row.action) for row in rows] == [(1, "first"), (2, "second")]
    assert bytes(rows[1].prev_hash) == bytes(rows[0].hash)


@pytest.mark.requirement("audit:with-the-change")
def test_a_row_without_a_transaction_is_a_mistake(bare: Any) -> None:
    with pytest.raises(RuntimeError, match="open transaction"):
        trail.record(tenant_id=bare.id, actor="ada", action="alone")


@pytest.mark.requirement("audit:cross-tenant")
def test_the_engines_door_writes_any_chain_and_says_whose_the_actor_is(bare: Any) -> None:
    home = make_tenant()

    with transaction.atomic(using=engine_db.ALIAS):
        details = {"actor_tenant_id": str(home.id)}
        trail.record(tenant_id=bare.id, actor="root", action="tenant.suspended", details=details)
        trail.record(tenant_id=None, actor="root", action="tenant.deleted", resource_id=str(bare.id))
    with transaction.atomic(using="issuer"):
        trail.record(tenant_id=bare.id, actor="root", action="account.disabled")

    assert [row.action for row in rows_of(bare.id)] == ["tenant.suspended", "account.disabled"]
    assert rows_of(bare.id)[0].actor_tenant_id == home.id
    of_platform = AuditLog.objects.using(engine_db.ALIAS).filter(tenant_id=PLATFORM_CHAIN, resource_id=str(bare.id))
    assert [row.action for row in of_platform] == ["tenant.deleted"]


@pytest.mark.requirement("audit:concurrent")
def test_writers_at_the_same_time_make_one_chain_without_a_gap(bare: Any) -> None:
    def write() -> None:
        try:
            for _ in range(25):
                with tenant_scope(bare.id):
                    trail.record(tenant_id=bare.id, actor="ada", action="thing.done")
                trail.note(tenant_id=bare.id, actor="ada", action="thing.refused")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.flush(10)

    assert [row.seq for row in rows_of(bare.id)] == list(range(1, 201))
    assert verify_chain(bare.id).ok


@pytest.mark.requirement("audit:scrubbed")
def test_secrets_never_reach_the_log(bare: Any) -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
    details = {
        "password": "hunter2", "Authorization": "x", "nested": [{"refresh_token": "y", "apiKey": "z"}],
        "header": f"Bearer {token}", "tokens_per_day": 5, "nul": "a\0b", "half": "\ud800", "id": uuid4(),
        "nan": float("nan"),
    }  # fmt: skip

    with tenant_scope(bare.id):
        trail.record(tenant_id=bare.id, actor=f"who sent {token}", action="thing.done", details=details)
    [stored] = rows_of(bare.id)

    everything = f"{stored.details} {stored.actor}"
    assert not [secret for secret in ("hunter2", "eyJ", "'x'", "'y'", "'z'") if secret in everything]
    assert stored.details["tokens_per_day"] == 5
    assert stored.details["nul"] == "a\ufffdb"
    assert verify_chain(bare.id).ok


@pytest.mark.requirement("audit:scrubbed")
def test_details_are_kept_to_eight_kilobytes(bare: Any) -> None:
    with tenant_scope(bare.id):
        trail.record(tenant_id=bare.id, actor="a", action="b", details={f"k{n}": "é" * 1000 for n in range(50)})

    [stored] = rows_of(bare.id)

    assert stored.details["truncated"] is True
    assert stored.details["size_bytes"] > 8192


@pytest.mark.requirement("audit:notes")
def test_a_note_is_committed_within_a_fraction_of_a_second(bare: Any) -> None:
    with request_context(CONTEXT):
        trail.note(tenant_id=bare.id, actor="ada", action="access.refused", details={"route": "/v1/x"})

    assert writer.flush(2)

    [stored] = rows_of(bare.id)
    assert (stored.action, stored.outcome, stored.request_id) == ("access.refused", "denied", "req-1")


@pytest.mark.requirement("audit:notes")
def test_notes_are_held_while_the_database_is_away_and_say_when_they_were_made(
    bare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, refused, real = Writer(held_max=3), threading.Event(), engine_db.connect

    def away(name: str, **options: Any) -> Any:
        if refused.is_set():
            return real(name, **options)
        refused.set()
        raise psycopg.OperationalError("away")

    monkeypatch.setattr(engine_db, "connect", away)
    monkeypatch.setattr("apps.audit.writer.LATE_S", 0.0)
    noted = row(bare.id)
    noted.noted_at_s = 1e-9
    mine.put(noted)

    assert refused.wait(PATIENCE_S)
    assert mine.flush(5)
    [stored] = rows_of(bare.id)
    assert "noted_at" in stored.details


@pytest.mark.requirement("audit:notes")
def test_what_does_not_fit_is_counted_and_the_count_is_a_row(bare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, may_connect, real = Writer(held_max=2), threading.Event(), engine_db.connect
    asked = threading.Event()

    def slow(name: str, **options: Any) -> Any:
        asked.set()
        assert may_connect.wait(PATIENCE_S)
        return real(name, **options)

    monkeypatch.setattr(engine_db, "connect", slow)
    before = _dropped_rows()
    mine.put(row(bare.id, "kept.in-hand"))
    assert asked.wait(PATIENCE_S)
    for number in range(5):
        mine.put(row(bare.id, f"queued.{number}"))
    may_connect.set()

    assert mine.flush(5)
    assert [stored.action for stored in rows_of(bare.id)] == ["kept.in-hand", "queued.0", "queued.1"]
    [count] = [stored for stored in _dropped_rows() if stored not in before]
    assert count.details["count"] == 3


def _dropped_rows() -> list[AuditLog]:
    return list(AuditLog.objects.using(engine_db.ALIAS).filter(tenant_id=PLATFORM_CHAIN, action="audit.dropped"))


@pytest.mark.requirement("audit:notes")
def test_a_note_whose_commit_was_not_answered_is_stored_once(bare: Any) -> None:
    mine = Writer()
    twice = row(bare.id)
    mine.put(twice)
    assert mine.flush(5)

    mine._unsure = True  # as after a connection that was lost during the commit
    mine.put(twice)
    mine.put(row(bare.id, "another"))

    assert mine.flush(5)
    assert [stored.action for stored in rows_of(bare.id)] == ["thing.refused", "another"]


@pytest.mark.requirement("audit:notes")
def test_a_note_the_database_refuses_does_not_take_the_others_with_it(bare: Any) -> None:
    mine = Writer()
    bad = row(bare.id, "bad")
    bad.columns["outcome"] = "no such outcome"

    for one in (row(bare.id, "before"), bad, row(bare.id, "after")):
        mine.put(one)

    assert mine.flush(5)
    assert [stored.action for stored in rows_of(bare.id)] == ["before", "after"]


@pytest.mark.requirement("audit:notes")
def test_notes_of_a_process_that_ends_and_of_its_forked_child_are_written(bare: Any) -> None:
    program = f"""
import os, uuid, django
django.setup()
from apps.audit import trail
tenant = uuid.UUID("{bare.id}")
trail.note(tenant_id=tenant, actor="parent", action="before.fork")
pid = os.fork()
trail.note(tenant_id=tenant, actor="child" if pid == 0 else "parent", action="after.fork")
if pid:
    os.waitpid(pid, 0)
"""

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        timeout=PATIENCE_S,
    )

    assert done.returncode == 0, done.stderr
    written = sorted((stored.actor, stored.action) for stored in rows_of(bare.id))
    assert written == [("child", "after.fork"), ("parent", "after.fork"), ("parent", "before.fork")]


@pytest.mark.requirement("audit:concurrent")
def test_a_chain_is_as_its_last_number_says(written: Callable[..., list[AuditLog]]) -> None:
    rows = written(3)

    assert [row.seq for row in rows] == [1, 2, 3]
    assert rows[0].created_at <= rows[1].created_at <= rows[2].created_at
