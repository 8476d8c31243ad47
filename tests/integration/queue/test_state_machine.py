"""The database's own word on what may happen to a job, whoever asks."""

from collections.abc import Iterator
from itertools import product
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from apps.identity.principal import Principal
from apps.jobs import ledger, sweep
from apps.jobs.ledger import NewEvent, Outcome
from apps.jobs.states import STATUSES, TERMINAL, TRANSITIONS
from kernel import engine_db
from kernel.errors import ConflictError
from tests.by_hand import HandJob, make_row

EDGES = [(old, new) for old, new in product(STATUSES, STATUSES) if old != new]
LEGAL = [(old, new) for old, new in EDGES if new in TRANSITIONS.moves[old]]
ILLEGAL = [edge for edge in EDGES if edge not in LEGAL]


@pytest.fixture
def superuser(admin_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Whom row-level security does not bind. The trigger does."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        yield connection


@pytest.mark.requirement("jobs:state-machine")
@pytest.mark.parametrize(("old", "new"), ILLEGAL)
def test_a_move_outside_the_table_is_refused_by_the_database(
    principal: Principal, superuser: psycopg.Connection[Any], old: str, new: str
) -> None:
    job_id = make_row(principal, status=old)

    with pytest.raises(psycopg.errors.CheckViolation, match=f"{old} cannot become {new}"):
        superuser.execute("UPDATE jobs SET status = %s WHERE id = %s", [new, job_id])
    with pytest.raises(ConflictError):
        TRANSITIONS.check(old, new)


@pytest.mark.requirement("jobs:state-machine")
@pytest.mark.parametrize(("old", "new"), LEGAL)
def test_a_move_of_the_table_is_taken(
    principal: Principal, superuser: psycopg.Connection[Any], old: str, new: str
) -> None:
    job_id = make_row(principal, status=old)

    changed = superuser.execute("UPDATE jobs SET status = %s WHERE id = %s", [new, job_id])

    assert changed.rowcount == 1
    TRANSITIONS.check(old, new)


@pytest.mark.requirement("jobs:state-machine")
def test_the_table_has_the_edges_of_the_specification() -> None:
    assert set(LEGAL) == {
        ("queued", "running"),
        ("queued", "cancelled"),
        ("queued", "failed"),
        ("running", "finished"),
        ("running", "failed"),
        ("running", "cancelled"),
        ("running", "queued"),
    }
    assert TRANSITIONS.terminal == TERMINAL


@pytest.mark.requirement("jobs:state-machine")
def test_a_status_nobody_knows_is_refused(principal: Principal, superuser: psycopg.Connection[Any]) -> None:
    job_id = make_row(principal)

    with pytest.raises(psycopg.errors.CheckViolation):
        superuser.execute("UPDATE jobs SET status = 'paused' WHERE id = %s", [job_id])


@pytest.mark.requirement("jobs:state-machine")
@pytest.mark.parametrize("column", ["last_seq", "token", "attempt"])
def test_counters_only_grow(principal: Principal, superuser: psycopg.Connection[Any], column: str) -> None:
    job = HandJob(principal).claim()

    with pytest.raises(psycopg.errors.CheckViolation, match="only grow"):
        superuser.execute(f"UPDATE jobs SET {column} = {column} - 1 WHERE id = %s", [job.id])


@pytest.mark.requirement("jobs:one-end")
def test_a_second_end_is_refused_by_the_database(principal: Principal, superuser: psycopg.Connection[Any]) -> None:
    job = HandJob(principal).claim().finish()

    with pytest.raises(psycopg.errors.UniqueViolation):
        superuser.execute(
            "INSERT INTO job_events (job_id, seq_id, job_created_at, tenant_id, event_type, event_json) "
            "SELECT id, last_seq + 1, created_at, tenant_id, 'end', '{}' FROM jobs WHERE id = %s",
            [job.id],
        )


@pytest.mark.requirement("jobs:one-end")
def test_a_sequence_number_is_used_once(principal: Principal, superuser: psycopg.Connection[Any]) -> None:
    job = HandJob(principal).claim()

    with pytest.raises(psycopg.errors.UniqueViolation):
        superuser.execute(
            "INSERT INTO job_events (job_id, seq_id, job_created_at, tenant_id, event_type, event_json) "
            "SELECT id, last_seq, created_at, tenant_id, 'log', '{}' FROM jobs WHERE id = %s",
            [job.id],
        )


@pytest.mark.requirement("jobs:fencing")
def test_events_written_again_after_a_lost_answer_are_stored_once(principal: Principal) -> None:
    job = HandJob(principal).claim()
    events = [NewEvent(job.id, job.token, job.last_seq + n, "log", {"message": str(n)}) for n in (1, 2, 3)]

    with engine_db.connect("tests") as connection:
        first, _ = ledger.append_events(connection, events[:2])
        again, ours = ledger.append_events(connection, events)
        nothing_new, still_ours = ledger.append_events(connection, events)

    assert [row["seq_id"] for row in first] == [events[0].seq, events[1].seq]
    assert [row["seq_id"] for row in again] == [events[2].seq]
    assert nothing_new == []
    assert ours == still_ours == {job.id}


@pytest.mark.requirement("jobs:fencing")
def test_an_end_whose_answer_was_lost_is_recognised_as_ours(principal: Principal) -> None:
    job = HandJob(principal).claim()
    mine = Outcome(job.id, job.token, "finished", result={"by": "hand"})
    others = Outcome(job.id, job.token - 1, "finished", result={"by": "the frozen one"})

    with engine_db.connect("tests") as connection:
        told = ledger.finish(connection, [mine])
        again = ledger.finish(connection, [mine])
        recognised = ledger.closed_with(connection, [mine])
        foreign = ledger.closed_with(connection, [others])

    assert again == foreign == []
    assert recognised == told
    assert [row["event_type"] for row in recognised] == ["status", "end"]


@pytest.mark.requirement("jobs:rescue")
def test_a_lease_that_ran_out_while_postgresql_was_away_is_nobodys_crash(
    principal: Principal, superuser: psycopg.Connection[Any]
) -> None:
    job = HandJob(principal).claim(lease_s=3600)
    away = "SELECT pg_postmaster_start_time() - interval '1 second'"
    superuser.execute(f"UPDATE jobs SET crashes = 2, lease_until = ({away}) WHERE id = %s", [job.id])

    with engine_db.connect("tests") as connection:
        moved = [row for row in sweep.rescue(connection) if row["id"] == job.id]

    row = superuser.execute("SELECT status, crashes FROM jobs WHERE id = %s", [job.id]).fetchone()
    assert row is not None
    assert row[0] != "failed"  # the shared worker may have swept it, and run it, first
    assert row[1] == 2
    assert all(line["status"] == "queued" for line in moved)


@pytest.mark.requirement("jobs:fencing")
def test_a_write_with_an_old_token_matches_nothing(principal: Principal, superuser: psycopg.Connection[Any]) -> None:
    job = HandJob(principal).claim()
    old_token = job.token
    superuser.execute("UPDATE jobs SET status = 'queued' WHERE id = %s", [job.id])
    job.claim()

    with engine_db.connect("tests") as connection:
        late = NewEvent(job.id, old_token, job.last_seq + 1, "log", {"message": "late"})
        told, ours = ledger.append_events(connection, [late])
        closed = ledger.finish(connection, [Outcome(job.id, old_token, "finished", result={"by": "the frozen one"})])
        renewed = ledger.renew(connection, {job.id: old_token}, lease_s=10)
        freed = ledger.release(connection, {job.id: old_token})

    assert (told, ours, closed, renewed, freed) == ([], set(), [], {}, [])
    row = superuser.execute("SELECT status, token, result_json FROM jobs WHERE id = %s", [job.id]).fetchone()
    assert row == ("running", job.token, None)


@pytest.mark.requirement("jobs:fencing")
def test_a_job_that_is_claimed_cannot_be_claimed_again(principal: Principal) -> None:
    job = HandJob(principal).claim()

    with engine_db.connect("tests") as connection:
        again = ledger.claim(connection, [job.id], worker="another", lease_s=10)

    assert again == []


@pytest.mark.requirement("jobs:handlers")
@pytest.mark.parametrize("value", [object(), {"text": "\ud800"}, print], ids=["an object", "half a pair", "a function"])
def test_a_result_that_has_no_json_is_refused_like_one_the_database_refuses(value: Any) -> None:
    with engine_db.connect("tests") as connection, pytest.raises(psycopg.Error):
        ledger.finish(connection, [Outcome(uuid4(), 1, "finished", result=value)])
