"""How tasks move a run: each claims, does its phase, and commits cursor, records and events at once."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import connections

from apps.agents.models import Session, SessionStep
from apps.agents.runs import ledger as run_ledger
from apps.agents.runs.records import Move
from apps.audit.models import AuditLog
from kernel.tenant_context import tenant_scope
from tests import run_script
from tests.integration.runs import carrying
from tests.integration.runs.carrying import advance, make_run
from workers.execution import Stopped
from workers.runs.core import Done
from workers.runs.course import perform


@pytest.mark.requirement("runs:durable-steps")
def test_a_run_goes_through_its_phases_and_each_leaves_its_records(principal, engine, effects):
    run = make_run(principal, steps=6, effects=True)

    advance(engine, run.id)

    ended, steps = carrying.row(run), carrying.steps(run)
    assert (ended.status, ended.phase, ended.lease_until, ended.token) == ("succeeded", "done", None, 9)
    assert ended.output_json["text"] == run_script.answer_of(6)
    assert [(step.index, step.attempt, step.status) for step in steps] == [(i, 1, "completed") for i in range(6)]
    assert all(len(step.input_hash) == 64 and step.latency_ms >= 0 for step in steps)
    assert len({step.input_hash for step in steps}) == 6
    assert effects(run) == [(index, 1, what) for index in range(6) for what in ("begun", "done")]
    assert carrying.moves(run) == [(None, "queued"), ("queued", "running"), ("running", "succeeded")]
    kinds = [event.event_type for event in carrying.events(run)]
    assert (kinds.count("intent"), kinds.count("plan"), kinds.count("step"), kinds[-1]) == (1, 1, 6, "end")


@pytest.mark.requirement("runs:delivered-twice")
def test_a_task_delivered_twice_does_nothing_the_second_time(principal, engine, effects):
    run = make_run(principal, steps=2, effects=True)
    done = advance(engine, run.id, tasks=3)

    again = [perform(engine, run.id, phase, index) for phase, index in (("classify", 0), ("plan", 0), ("step", 0))]
    too_early = perform(engine, run.id, "finalize", 0)

    assert done == Done(True, "step", 1, 2)
    assert [one.goes_on for one in (*again, too_early)] == [False] * 4
    assert effects(run) == [(0, 1, "begun"), (0, 1, "done")]
    assert carrying.row(run).next_index == 1


def test_of_many_deliveries_at_once_one_does_the_step(principal, engine, other_engine, effects):
    run = make_run(principal, steps=1, effects=True, ms=50)
    advance(engine, run.id, tasks=2)

    def carry(own: Any) -> bool:
        try:
            return perform(own, run.id, "step", 0).goes_on
        finally:
            connections.close_all()  # back to the pool, which other tests need

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(carry, [engine, other_engine] * 4))

    assert sorted(done) == [False] * 7 + [True]
    assert effects(run) == [(0, 1, "begun"), (0, 1, "done")]


@pytest.mark.requirement("runs:fencing")
def test_whoever_lost_its_lease_writes_nothing(principal, engine, other_engine, admin_url):
    run = make_run(principal, steps=1)
    slow = engine.take(run.id, "classify", 0)
    assert slow is not None
    with psycopg.connect(admin_url, autocommit=True) as superuser:
        superuser.execute("UPDATE agent_runs SET lease_until = NULL, status = 'queued' WHERE id = %s", [run.id])
    quick = other_engine.take(run.id, "classify", 0)
    slow.report("classify", "late news")
    with engine.connections.take() as connection:
        told, ours = run_ledger.append_events(connection, slow.unsent())
        renewed = run_ledger.renew(connection, {run.id: slow.token}, lease_s=10)
        released = run_ledger.release(connection, {run.id: slow.token}, reason="given_back")

    moved = engine.move(slow, {"phase": "plan", "next_index": 0})

    assert not (moved or told or ours or renewed or released)
    assert quick is not None and quick.token == slow.token + 1
    assert other_engine.move(quick, {"phase": "plan", "next_index": 0})
    assert carrying.row(run).phase == "plan"


def test_whoever_was_frozen_for_too_long_knows_it_at_its_next_checkpoint(principal, engine, settings):
    run = make_run(principal, steps=1)
    hold = engine.take(run.id, "classify", 0)
    assert hold is not None
    hold.checkpoint()

    hold.kept(time.monotonic() - settings.LEASE_S)  # so long ago was the last renewal
    with pytest.raises(Stopped):
        hold.checkpoint()

    assert hold.stop_reason == "self_fenced"


@pytest.mark.requirement("runs:streams")
def test_an_answer_that_begins_anew_after_a_warm_shutdown_says_so(principal, engine, other_engine):
    run = make_run(principal, steps=1, say_ms=0)
    done = advance(engine, run.id, tasks=3)
    hold = engine.take(run.id, "finalize", done.index)
    assert hold is not None
    hold.say("Half of ")
    with engine.connections.take() as connection:
        run_ledger.append_events(connection, hold.unsent())

    engine.give_back(hold, reason="given_back")
    advance(other_engine, run.id, done)

    told = [event.event_json for event in carrying.events(run) if event.event_type == "delta"]
    assert told == [{"text": "Half of "}, {"text": run_script.answer_of(1), "restart": True}]


def test_a_move_whose_answer_was_lost_is_recognised(principal, engine):
    run = make_run(principal, steps=1)
    hold = engine.take(run.id, "classify", 0)
    assert hold is not None
    move = Move(run.id, hold.token, "plan", 0, hold.seen_seq, events=hold.unsent())
    with engine.connections.take() as connection:
        first = run_ledger.move(connection, move)
        second = run_ledger.move(connection, move)

        assert first is not None and second is None
        assert engine._came_through(connection, move)


@pytest.mark.parametrize("change", ["status = 'running'", "attempt = 0", "token = 0", "last_seq = 0"])
def test_the_database_refuses_what_no_run_may_do(principal, engine, admin_url, change):
    run = make_run(principal, steps=1)
    advance(engine, run.id)

    with (
        psycopg.connect(admin_url, autocommit=True) as superuser,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        superuser.execute(f"UPDATE agent_runs SET {change} WHERE id = %s", [run.id])


@pytest.mark.requirement("runs:errors")
@pytest.mark.parametrize(
    ("what", "reason"), [("bug", "handler_error"), ("forbid", "forbidden"), ("exhaust", "budget_exhausted")]
)
def test_how_a_phase_fails_is_the_reason_of_its_run(principal, engine, what, reason):
    run = make_run(principal, steps=3, do={"1": what})

    advance(engine, run.id)

    ended = carrying.row(run)
    assert (ended.status, ended.error_json["reason"]) == ("failed", reason)
    assert (ended.error_json["phase"], ended.error_json["index"]) == ("step", 1)
    assert (ended.phase, ended.next_index) == ("step", 1)  # where a resume goes on
    first_output = carrying.steps(run)[0].output["text"]
    assert first_output in str(ended.output_json["outputs"]) + ended.output_json["text"]
    assert "ZeroDivision" not in ended.error_json["message"]
    assert carrying.events(run)[-1].event_json["final"] == "failed"


def test_what_may_pass_is_tried_again_and_then_given_up(principal, engine, effects):
    passes, stays = (make_run(principal, steps=1, effects=True, do={"0": "retry"}, fails=n) for n in (1, 99))

    for run in (passes, stays):
        done = advance(engine, run.id, tasks=2)
        for _ in range(3):
            last = advance(engine, run.id, done)

    assert not last.goes_on
    assert carrying.row(passes).status == "succeeded"
    assert carrying.moves(passes)[2:4] == [("running", "queued"), ("queued", "running")]
    ended = carrying.row(stays)
    assert (ended.status, ended.error_json["reason"]) == ("failed", "unavailable")
    assert effects(stays).count((0, 1, "begun")) == 3


def test_a_phase_to_which_postgresql_hangs_up_is_tried_again_and_not_counted(principal, engine, effects):
    run = make_run(principal, steps=2, effects=True, do={"1": "hang_up"})
    done = advance(engine, run.id, tasks=3)

    hung_up = perform(engine, run.id, "step", 1)
    between = carrying.row(run)
    advance(engine, run.id, done)

    ended = carrying.row(run)
    assert (hung_up.goes_on, between.status, between.tries, between.crashes) == (False, "queued", 0, 0)
    assert between.hinted_at > between.updated_at  # not at once: PostgreSQL may need a moment
    assert (ended.status, ended.output_json["text"]) == ("succeeded", run_script.answer_of(2))


def test_a_run_past_its_deadline_fails_with_what_it_found(principal, engine, admin_url):
    run = make_run(principal, steps=2)
    done = advance(engine, run.id, tasks=3)
    with psycopg.connect(admin_url, autocommit=True) as superuser:
        superuser.execute("UPDATE agent_runs SET deadline_at = now() WHERE id = %s", [run.id])

    advance(engine, run.id, done)

    ended = carrying.row(run)
    assert (ended.status, ended.error_json["reason"]) == ("failed", "deadline")
    assert carrying.steps(run)[0].output["text"] in ended.output_json["text"]


def test_a_step_that_proposes_more_lengthens_the_plan_within_its_bound(principal, engine):
    longer = make_run(principal, steps=3, do={"0": "more"})
    bounded = make_run(principal, steps=3, do={"0": "more"}, max_steps=3)

    done = advance(engine, longer.id, tasks=3)
    advance(engine, longer.id, done)
    advance(engine, bounded.id)

    assert done == Done(True, "step", 1, 4, replanned=True)
    assert [step.index for step in carrying.steps(longer)] == [0, 1, 2, 3]
    assert carrying.row(longer).todos_json[1]["task"] == "one more"
    assert len(carrying.steps(bounded)) == 3
    assert "left out" in carrying.row(bounded).warnings_json[0]


@pytest.mark.requirement("runs:provenance")
def test_an_ended_run_leaves_its_provenance_and_its_answer_in_the_session(principal, engine):
    run = make_run(principal, steps=2)

    advance(engine, run.id)

    with tenant_scope(principal.tenant_id):
        line = AuditLog.objects.get(resource_type="agent_run", resource_id=str(run.id))
        said = list(
            SessionStep.objects.filter(session_id=run.session_id).order_by("seq").values_list("type", "message")
        )
        session = Session.objects.get(id=run.session_id)
    assert (line.action, line.outcome, line.actor) == ("run.completed", "success", principal.sub)
    assert {len(line.details[name]) for name in ("prompt_sha256", "tape_sha256", "output_sha256")} == {64}
    assert said == [("user", run.prompt), ("assistant", run_script.answer_of(2))]
    assert session.last_step_seq == 2


def test_what_cannot_be_stored_fails_the_run_and_not_the_worker(principal, engine, monkeypatch: Any):
    run = make_run(principal, steps=1)
    hold = engine.take(run.id, "classify", 0)
    from workers.runs import errors

    stored = errors.commit(engine, hold, {"phase": "plan", "next_index": 0, "intent": object()})

    assert not stored
    ended = carrying.row(run)
    assert (ended.status, ended.error_json["reason"]) == ("failed", "result_not_storable")
