"""Proof: whatever a superuser does to the rows behind the triggers' back is found, and the first link is named."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from apps.audit import trail
from apps.audit.chain import Link, canonical, hash_of
from apps.audit.models import AuditLog
from apps.audit.selectors import links
from apps.audit.upkeep import ensure_partitions, publish_heads
from apps.audit.verification import verify_chain
from kernel.tenant_context import tenant_scope
from tests.integration.audit.chains import ROOT

Connection = psycopg.Connection[Any]
Written = Callable[..., list[AuditLog]]


@contextmanager
def behind_the_triggers(superuser: Connection) -> Iterator[Connection]:
    with superuser.transaction():
        superuser.execute("SET LOCAL session_replication_role = replica")
        yield superuser


def verify_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "manage.py"), "verify_audit", *arguments]
    return subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)


@pytest.mark.requirement("audit:verify")
def test_an_untouched_chain_holds(bare: Any, written: Written) -> None:
    rows = written(7)

    report = verify_chain(bare.id)

    assert (report.ok, report.is_complete, report.checked, report.head_seq) == (True, True, 7, 7)
    assert report.head_hash == bytes(rows[-1].hash).hex()


@pytest.mark.requirement("audit:verify")
def test_python_and_postgresql_make_the_same_text_of_any_details(bare: Any) -> None:
    odd = {"é": 'ü\n\t"\\\x01\x7f\u2028😀', "a": [1, 2.5, 1e-7, -0.0, 10**17, None, True, {}], "bb": {"z": 1, "aa": []}}

    with tenant_scope(bare.id):
        trail.record(tenant_id=bare.id, actor="Zoë \x1f", action="odd", details=odd, error_message="\b\f\r")
    [link] = links(bare.id, from_seq=1, to_seq=1)

    assert hash_of(link) == link.hash
    assert json.loads(canonical(link))[11] == "success"
    assert isinstance(link, Link)


EDITS = {
    "edited": ("UPDATE audit_logs SET actor = 'nobody' WHERE tenant_id = %(t)s AND seq = 3", 3, "hash_mismatch"),
    "edited-details": (
        "UPDATE audit_logs SET details = '{\"number\": 9}' WHERE tenant_id = %(t)s AND seq = 3", 3, "hash_mismatch",
    ),
    "edited-time": (
        "UPDATE audit_logs SET created_at = created_at - interval '1 microsecond' WHERE tenant_id = %(t)s AND seq = 3",
        3, "hash_mismatch",
    ),
    "deleted": ("DELETE FROM audit_logs WHERE tenant_id = %(t)s AND seq = 3", 4, "gap"),
    "beginning-deleted": ("DELETE FROM audit_logs WHERE tenant_id = %(t)s AND seq <= 2", 3, "gap"),
    "tail-cut": ("DELETE FROM audit_logs WHERE tenant_id = %(t)s AND seq > 4", 5, "missing_tail"),
    "all-deleted": ("DELETE FROM audit_logs WHERE tenant_id = %(t)s", 1, "missing_tail"),
    "swapped": (
        "UPDATE audit_logs SET seq = 7 - seq WHERE tenant_id = %(t)s AND seq IN (3, 4)", 3, "hash_mismatch",
    ),
    "inserted": (
        "INSERT INTO audit_logs (tenant_id, seq, actor, action, outcome, prev_hash, hash) SELECT tenant_id, seq, "
        "'eve', 'planted', 'success', prev_hash, hash FROM audit_logs WHERE tenant_id = %(t)s AND seq = 3",
        3, "duplicate",
    ),
    "appended": (
        "INSERT INTO audit_logs (tenant_id, seq, actor, action, outcome, prev_hash, hash) SELECT tenant_id, 7, 'eve', "
        "'planted', 'success', hash, hash FROM audit_logs WHERE tenant_id = %(t)s AND seq = 6", 7, "head_mismatch",
    ),
    "head-turned-back": (
        "UPDATE audit_heads SET seq = 4, hash = (SELECT hash FROM audit_logs WHERE tenant_id = %(t)s AND seq = 4) "
        "WHERE tenant_id = %(t)s", 5, "head_mismatch",
    ),
    "head-deleted": ("DELETE FROM audit_heads WHERE tenant_id = %(t)s", 1, "head_mismatch"),
    "last-rewritten": (
        "UPDATE audit_logs SET hash = sha256('x') WHERE tenant_id = %(t)s AND seq = 6", 6, "hash_mismatch",
    ),
}  # fmt: skip


@pytest.mark.requirement("audit:verify-finds")
@pytest.mark.parametrize("name", EDITS)
def test_what_was_done_to_the_rows_is_found_at_its_first_link(
    superuser: Connection, bare: Any, written: Written, name: str
) -> None:
    statement, seq, fault = EDITS[name]
    written(6)
    assert verify_chain(bare.id).ok

    with behind_the_triggers(superuser):
        superuser.execute(statement, {"t": bare.id})
    report = verify_chain(bare.id)

    assert report.first_broken is not None
    assert (report.first_broken.seq, report.first_broken.fault) == (seq, fault)


@pytest.mark.requirement("audit:verify-finds")
def test_a_row_edited_together_with_its_own_hash_is_found_at_the_next(
    superuser: Connection, bare: Any, written: Written
) -> None:
    written(4)
    [link] = links(bare.id, from_seq=2, to_seq=2)
    forged = hash_of(Link(**{**vars(link), "actor": "nobody"}))

    with behind_the_triggers(superuser):
        superuser.execute(
            "UPDATE audit_logs SET actor = 'nobody', hash = decode(%s, 'hex') WHERE tenant_id = %s AND seq = 2",
            [forged, bare.id],
        )
    report = verify_chain(bare.id)

    assert report.first_broken is not None
    assert (report.first_broken.seq, report.first_broken.fault) == (3, "wrong_prev")


@pytest.mark.requirement("audit:verify")
def test_a_part_of_a_chain_can_be_checked_and_what_lies_outside_is_not_looked_at(
    superuser: Connection, bare: Any, written: Written
) -> None:
    written(9)
    with behind_the_triggers(superuser):
        superuser.execute("UPDATE audit_logs SET actor = 'x' WHERE tenant_id = %s AND seq IN (2, 8)", [bare.id])

    middle = verify_chain(bare.id, from_seq=3, to_seq=7)
    hurried = verify_chain(bare.id, from_seq=3, limit_s=-1.0)

    assert (middle.ok, middle.checked) == (True, 5)
    assert (hurried.ok, hurried.is_complete, hurried.next_seq) == (True, False, 4)


@pytest.mark.requirement("audit:verify-command")
def test_the_command_names_the_first_broken_link_and_ends_with_1(
    superuser: Connection, bare: Any, written: Written
) -> None:
    rows = written(5)
    sound = verify_command("--tenant", str(bare.id))

    with behind_the_triggers(superuser):
        superuser.execute("UPDATE audit_logs SET outcome = 'denied' WHERE tenant_id = %s AND seq = 2", [bare.id])
    broken, as_json = verify_command("--tenant", str(bare.id)), verify_command("--all", "--json")

    assert (sound.returncode, broken.returncode, as_json.returncode) == (0, 1, 1), broken.stderr
    assert "ok, 5 rows" in sound.stdout
    assert f"BROKEN at row 2 (id {rows[1].id}, created_at " in broken.stdout
    by_tenant = {report["tenant_id"]: report for report in map(json.loads, as_json.stdout.splitlines())}
    assert by_tenant[str(bare.id)]["first_broken"]["fault"] == "hash_mismatch"


@pytest.mark.requirement("audit:partitions")
def test_rows_lie_in_their_months_partition_and_late_partitions_take_theirs(
    superuser: Connection, bare: Any, written: Written
) -> None:
    written(3)
    ensure_partitions()
    partitions = superuser.execute(
        "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity FROM pg_inherits i JOIN pg_class c "
        "ON c.oid = i.inhrelid WHERE i.inhparent = 'audit_logs'::regclass"
    ).fetchall()
    where = superuser.execute(
        "SELECT DISTINCT tableoid::regclass::text FROM audit_logs WHERE tenant_id = %s", [bare.id]
    )

    assert len(partitions) >= 5
    assert all(fenced for _, fenced in partitions)
    assert [name.startswith("audit_logs_2") for (name,) in where.fetchall()] == [True]

    # A month whose partition was late: its rows wait in the default partition, and move with their hashes.
    with superuser.transaction():
        superuser.execute(
            "INSERT INTO audit_logs (tenant_id, actor, action, outcome, created_at) "
            "VALUES (%s, 'ada', 'late', 'success', now() + interval '7 months')",
            [bare.id],
        )
        assert _home_of(superuser, bare) == "audit_logs_default"
        superuser.execute("SELECT ensure_audit_partition((now() + interval '7 months')::date)")
        assert _home_of(superuser, bare).startswith("audit_logs_2")
    assert verify_chain(bare.id).ok
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        superuser.execute("DELETE FROM audit_logs WHERE tenant_id = %s", [bare.id])


def _home_of(superuser: Connection, bare: Any) -> str:
    query = "SELECT tableoid::regclass::text FROM audit_logs WHERE tenant_id = %s AND action = 'late'"
    row = superuser.execute(query, [bare.id]).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.requirement("audit:partitions")
def test_the_heads_are_published_to_the_log(written: Written) -> None:
    written(1)

    assert publish_heads() >= 1
