"""Cancelling runs: at once where nobody is at work, within two seconds where somebody is, once in any case."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connection, connections

from apps.agents.runs import sweep as run_sweep
from apps.agents.runs.services import cancel_run
from kernel import engine_db
from kernel.tenant_context import current_tenant_id
from tests import run_script
from tests.clients import wait_for
from tests.factories import make_principal
from tests.integration.runs import carrying
from tests.integration.runs.carrying import advance, make_run
from workers.runs.core import Done
from workers.runs.course import perform


@pytest.mark.requirement("runs:cancel")
def test_a_run_that_nobody_works_on_is_cancelled_at_once(principal, engine, effects):
    queued, between = make_run(principal, steps=2, effects=True), make_run(principal, steps=2, effects=True)
    done = advance(engine, between.id, tasks=3)

    answers = [cancel_run(principal, run.id) for run in (queued, between)]
    again = cancel_run(principal, queued.id)

    assert answers == [("cancelled", False)] * 2
    assert again == ("cancelled", True)
    assert not advance(engine, queued.id).goes_on and not advance(engine, between.id, done).goes_on
    assert effects(queued) == []
    assert effects(between) == [(0, 1, "begun"), (0, 1, "done")]
    assert carrying.moves(queued) == [(None, "queued"), ("queued", "cancelled")]
    assert carrying.events(between)[-1].event_json["final"] == "cancelled"


@pytest.mark.requirement("runs:cancel")
@pytest.mark.parametrize("script", [{"ms": 60_000}, {"do": {"0": "spin"}}])
def test_a_run_at_work_ends_within_its_time(principal, worker, script):
    run = make_run(principal, steps=1, **script)
    wait_for(lambda: carrying.row(run).phase == "step" and carrying.row(run).lease_until, what="the step")
    asked_at = time.monotonic()

    answer = cancel_run(principal, run.id)
    ended = carrying.wait_ended(run)

    took_s = time.monotonic() - asked_at
    assert answer == ("running", False)
    assert ended.status == "cancelled"
    assert took_s < 30, "its step takes a minute, or for ever"
    assert carrying.events(run)[-1].event_json["final"] == "cancelled"


@pytest.mark.requirement("runs:cancel")
def test_cancel_against_finish_has_one_end_whoever_is_first(principal, engine, other_engine):
    runs = [make_run(principal, steps=1) for _ in range(40)]

    def carry(run):
        try:
            return advance(engine, run.id)
        finally:
            connections.close_all()  # back to the pool, which other tests need

    def cancel(run):
        try:
            time.sleep(random.uniform(0, 0.12))
            return cancel_run(principal, run.id)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        carried = [pool.submit(carry, run) for run in runs]
        answers = [pool.submit(cancel, run) for run in runs]
        for one in carried:
            one.result()
    told = [one.result()[0] for one in answers]
    for run in runs:  # one that was asked while its last task had it: its next claim ends it, or the sweeper
        wait_for(lambda run=run: _settle(engine, run), what="its end")

    statuses = [carrying.row(run).status for run in runs]
    assert set(statuses) <= {"succeeded", "cancelled"}
    for run, status, answer in zip(runs, statuses, told, strict=True):
        ends = [event for event in carrying.events(run) if event.event_type == "end"]
        assert [end.event_json["final"] for end in ends] == [status]
        assert answer in (status, "running")


def _settle(engine, run) -> bool:
    now = carrying.row(run)
    if now.status in ("succeeded", "cancelled"):
        return True
    with engine_db.connect("test") as connection:
        run_sweep.force_cancel(connection, grace_s=0.0)
    return False


def test_a_cancellation_that_no_phase_had_time_to_notice_ends_the_run_at_its_next_task(principal, engine, effects):
    run = make_run(principal, steps=3, effects=True)
    hold = engine.take(run.id, "classify", 0)
    answer = cancel_run(principal, run.id)
    engine.move(hold, {"phase": "plan", "next_index": 0})
    engine.let_go(hold)

    done = advance(engine, run.id, Done(True, "plan", 0))

    assert answer == ("running", False)
    assert not done.goes_on
    assert carrying.row(run).status == "cancelled"
    assert effects(run) == []


def test_a_phase_that_ignores_its_cancellation_is_fenced_off(principal, engine, admin_url):
    run = make_run(principal, steps=1)
    hold = engine.take(run.id, "classify", 0)
    answer = cancel_run(principal, run.id)
    with psycopg.connect(admin_url) as superuser:  # in one transaction, before another's sweeper could
        superuser.execute(
            "UPDATE agent_runs SET cancel_requested_at = now() - interval '1 minute' WHERE id = %s", [run.id]
        )
        told = [row for row in run_sweep.force_cancel(superuser, grace_s=9.5) if row["run_id"] == run.id]

    assert answer == ("running", False)
    assert [row["event_type"] for row in told] == ["status", "end"]
    assert not engine.move(hold, {"phase": "plan", "next_index": 0})
    assert carrying.row(run).status == "cancelled"


def test_a_thread_whose_phase_was_interrupted_carries_the_next_run(principal, engine):
    torn, sound = make_run(principal, steps=1, do={"0": "torn"}), make_run(principal, steps=1)
    done = advance(engine, torn.id, tasks=2)

    def carry():
        perform(engine, torn.id, done.phase, done.index)
        try:
            advance(engine, sound.id)
            return current_tenant_id(), connection.in_atomic_block
        finally:
            connections.close_all()  # back to the pool, which other tests need

    with ThreadPoolExecutor(1) as pool:
        left = pool.submit(carry)
        hold = wait_for(lambda: next((held for held in engine.holds() if held.place == "step 0"), None), what="a hold")
        wait_for(run_script.TORN.is_set, what="the step being in its scope")
        hold.stop("cancelled")
        hold.interrupt()

    assert left.result() == (None, False)
    assert [carrying.row(run).status for run in (torn, sound)] == ["cancelled", "succeeded"]


def test_an_administrator_cancels_anothers_run_on_record(principal, tenant, undisturbed):
    from apps.audit.models import AuditLog
    from kernel.tenant_context import tenant_scope

    run = make_run(principal, steps=1)

    cancel_run(make_principal(tenant, "admin"), run.id)

    with tenant_scope(principal.tenant_id):
        line = AuditLog.objects.get(resource_id=str(run.id))
    assert line.action == "run.cancelled_by_admin"
