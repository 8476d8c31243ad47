"""Runs that nobody carries on any more are found by their rows: a lease that ran out, a task that fell out of Redis."""

import json
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connections

from apps.agents.runs import dispatch
from apps.agents.runs import sweep as run_sweep
from kernel import engine_db
from kernel.clock import iso, now
from kernel.redis_client import client
from tests.clients import wait_for
from tests.integration.runs import carrying
from tests.integration.runs.carrying import advance, make_run
from workers.runs.sweeper import RunSweeper, run_of


def by_hand(admin_url: str, sql: str, *values: Any) -> None:
    """What no role of the platform may do."""
    with psycopg.connect(admin_url, autocommit=True) as superuser:
        superuser.execute(sql, values)


def lost(tail: UUID | None, present: list[UUID], among: set[UUID]) -> set[UUID]:
    with engine_db.connect("test") as connection:
        return set(run_sweep.lost_tasks(connection, tail=tail, present=present)) & among


def lose_worker(engine: Any, admin_url: str, run: Any, done: Any) -> list[dict[str, Any]]:
    """Claimed, nothing for longer than the lease, and rescued before another's sweeper could: what was told of it."""
    assert engine.take(run.id, done.phase, done.index) is not None
    engine._holds.clear()
    with psycopg.connect(admin_url) as superuser:
        superuser.execute("UPDATE agent_runs SET lease_until = now() - interval '1 ms' WHERE id = %s", [run.id])
        return [line for line in run_sweep.rescue(superuser, max_crashes=3) if line["run_id"] == run.id]


@pytest.mark.requirement("runs:rescue")
def test_a_lost_step_is_done_by_another_and_none_before_it_again(principal, engine, other_engine, admin_url, effects):
    run = make_run(principal, steps=3, effects=True)
    done = advance(engine, run.id, tasks=4)

    told = lose_worker(engine, admin_url, run, done)
    advance(other_engine, run.id, done)

    assert [line["event_json"]["reason"] for line in told] == ["lease_expired"]
    assert carrying.row(run).status == "succeeded"
    assert effects(run) == [(index, 1, what) for index in range(3) for what in ("begun", "done")]
    assert carrying.moves(run)[1:4] == [("queued", "running"), ("running", "queued"), ("queued", "running")]


@pytest.mark.requirement("runs:poison")
def test_a_step_that_loses_its_worker_three_times_in_a_row_fails_the_run(principal, engine, admin_url):
    run = make_run(principal, steps=2)
    done = advance(engine, run.id, tasks=2)
    for _ in range(2):
        lose_worker(engine, admin_url, run, done)
    forgiven = carrying.row(run).crashes
    done = advance(engine, run.id, done, tasks=1)
    for _ in range(3):
        lose_worker(engine, admin_url, run, done)

    ended = carrying.row(run)
    assert forgiven == 2
    assert (ended.status, ended.error_json["reason"], ended.error_json["index"]) == ("failed", "poison", 1)
    assert carrying.events(run)[-1].event_type == "end"


@pytest.mark.requirement("runs:lost-tasks")
def test_a_task_that_fell_out_is_missed_and_a_deep_queue_is_not_flooded(principal, undisturbed, admin_url):
    runs = [make_run(principal, steps=1) for _ in range(4)]
    ids = [run.id for run in runs]
    for age_s, run in zip((40, 30, 20, 10), runs, strict=True):
        by_hand(
            admin_url,
            "UPDATE agent_runs SET hinted_at = now() - make_interval(secs => %s) WHERE id = %s",
            age_s,
            run.id,
        )

    in_their_turn = lost(ids[0], [ids[0]], set(ids))  # the oldest is next: the others wait behind it
    passed_by = lost(ids[2], [ids[2], ids[3]], set(ids))  # the third is next: the first two are gone
    right_after = lost(None, [], set(ids[:2]))  # what was just sent again is not sent once more

    assert in_their_turn == set()
    assert passed_by == {ids[0], ids[1]}
    assert right_after == set()


def test_a_run_that_waits_or_is_held_or_whose_job_has_not_begun_is_not_missed(principal, engine, admin_url):
    held, of_job = make_run(principal, steps=1), make_run(principal, steps=1, use_jobs=True)
    waiting = make_run(principal, steps=1, session_id=held.session_id)
    assert engine.take(held.id, "classify", 0) is not None
    by_hand(
        admin_url,
        "UPDATE agent_runs SET hinted_at = hinted_at - interval '1 hour' WHERE id = ANY(%s)",
        [held.id, waiting.id, of_job.id],
    )

    missed = lost(None, [], {held.id, waiting.id, of_job.id})

    assert missed == set()
    assert waiting.waits_for == held.id


def test_the_sweeper_knows_whom_a_message_is_about():
    run_id = uuid4()

    assert run_of(dispatch.message(run_id).decode()) == run_id
    assert run_of(json.dumps({"headers": {"argsrepr": f"('{run_id}', 3)"}})) == run_id
    assert [run_of(junk) for junk in ("{}", "junk", "[" * 100_000, '{"headers": {"argsrepr": "()"}}')] == [None] * 4


def test_whoever_carries_a_run_without_redis_gives_its_connections_back(principal, engine):
    run = make_run(principal, steps=1)

    RunSweeper(engine)._walk(run.id, "classify", 0)

    assert [held.alias for held in connections.all(initialized_only=True) if held.connection is not None] == []
    assert carrying.row(run).status == "succeeded"


@pytest.mark.requirement("runs:lost-tasks")
def test_a_run_whose_message_is_lost_goes_on_without_anybody_asking(principal, worker, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dispatch, "send", lambda ids, **_: True)
    run = make_run(principal, steps=2)

    ended = carrying.wait_ended(run)

    assert ended.status == "succeeded"


@pytest.mark.requirement("runs:rescue")
def test_redis_emptied_between_two_tasks_stops_nobody(principal, worker):
    run = make_run(principal, steps=4, ms=300)
    wait_for(lambda: carrying.row(run).next_index == 1, what="the first step's end", every_s=0.01)
    client().delete(dispatch.QUEUE)

    ended = carrying.wait_ended(run)

    assert ended.status == "succeeded"
    assert ended.crashes == 0


def test_junk_on_the_queue_harms_nobody(principal, worker):
    client().lpush(dispatch.QUEUE, dispatch.message(uuid4()), dispatch.message("no-uuid"), b"junk")
    run = make_run(principal, steps=1)

    assert carrying.wait_ended(run).status == "succeeded"


def test_old_runs_go_with_all_they_left(principal, engine, admin_url):
    from apps.agents import retention

    old, young = make_run(principal, steps=1), make_run(principal, steps=1)
    for run in (old, young):
        advance(engine, run.id)
    by_hand(admin_url, "UPDATE agent_runs SET finished_at = now() - interval '31 days' WHERE id = %s", old.id)

    retention.clean()

    with psycopg.connect(admin_url) as superuser:
        left = {
            table: superuser.execute(f"SELECT count(*) FROM {table} WHERE run_id = %s", [old.id]).fetchone()
            for table in ("steps", "run_events", "run_tape")
        }
        rows = superuser.execute("SELECT id FROM agent_runs WHERE id = ANY(%s)", [[old.id, young.id]]).fetchall()
    assert set(left.values()) == {(0,)}
    assert rows == [(young.id,)]
    assert iso(now())
