"""Resume: a failed or cancelled run goes on where it stopped; what is done is not done, or paid, again."""

import pytest

from apps.agents.runs.services import cancel_run, create_run, resume_run
from kernel.errors import ConflictError, ForbiddenError, NotFoundError
from kernel.redis_client import client
from kernel.redis_keys import RUNS_EVENTS
from tests import run_script
from tests.factories import make_principal, make_tenant
from tests.integration.runs import carrying
from tests.integration.runs.carrying import AT_FIRST, advance, make_run
from workers.runs.core import Done


@pytest.mark.requirement("runs:resume")
def test_a_cancelled_run_goes_on_at_its_first_step_that_is_not_done(principal, engine, effects):
    run = make_run(principal, steps=5, effects=True)
    advance(engine, run.id, tasks=4)
    cancel_run(principal, run.id)

    resumed = resume_run(principal, run.id)
    where = engine.where(run.id)
    advance(engine, run.id, where)

    ended = carrying.row(run)
    assert (resumed.status, resumed.attempt) == ("queued", 2)
    assert where == Done(True, "step", 2, 5, replanned=True)
    assert (ended.status, ended.output_json["text"]) == ("succeeded", run_script.answer_of(5))
    assert [line for line in effects(run) if line[2] == "done"] == [
        (0, 1, "done"), (1, 1, "done"), (2, 2, "done"), (3, 2, "done"), (4, 2, "done"),
    ]  # fmt: skip
    first, second = ([step for step in carrying.steps(run) if step.attempt == attempt] for attempt in (1, 2))
    assert [step.reused_from for step in second] == [first[0].id, first[1].id, None, None, None]
    assert [step.tokens for step in second[:2]] == [0, 0]
    kinds = [event.event_type for event in carrying.events(run)]
    assert (kinds.count("attempt_end"), kinds.count("end"), kinds[-1]) == (1, 1, "end")


@pytest.mark.requirement("runs:resume")
def test_a_run_whose_step_failed_does_that_step_again_and_takes_over_what_it_did_not_change(principal, engine, effects):
    run = make_run(principal, steps=4, effects=True, do={"2": "fail"})
    advance(engine, run.id)
    failed = carrying.row(run)

    resume_run(principal, run.id)
    advance(engine, run.id, engine.where(run.id))

    ended = carrying.row(run)
    assert (failed.status, failed.error_json["reason"]) == ("failed", "step_failed")
    assert (ended.status, ended.output_json["text"]) == ("succeeded", run_script.answer_of(4))
    done = [line for line in effects(run) if line[2] == "done"]
    assert done == [(0, 1, "done"), (1, 1, "done"), (2, 1, "done"), (3, 1, "done"), (2, 2, "done"), (3, 2, "done")]


@pytest.mark.requirement("runs:resume")
@pytest.mark.parametrize("stay", [False, True], ids=["through the queue", "in one thread"])
def test_a_later_step_with_the_same_input_is_taken_from_the_attempt_that_did_it(
    principal, engine, admin_url, effects, stay: bool
):
    import psycopg

    run = make_run(principal, steps=3, effects=True)
    advance(engine, run.id, tasks=4)
    cancel_run(principal, run.id)
    with psycopg.connect(admin_url, autocommit=True) as superuser:  # as if the attempt had been told to begin earlier
        superuser.execute("UPDATE agent_runs SET next_index = 0 WHERE id = %s", [run.id])

    resume_run(principal, run.id)
    advance(engine, run.id, engine.where(run.id), stay=stay)

    second = [step for step in carrying.steps(run) if step.attempt == 2]
    assert [step.reused_from is not None for step in second] == [True, True, False]
    assert [line[:2] for line in effects(run) if line[2] == "begun"] == [(0, 1), (1, 1), (2, 2)]
    told = [event.event_json["reused"] for event in carrying.events(run) if event.event_type == "step"]
    assert told == [False, False, True, True, False]
    assert carrying.row(run).output_json["text"] == run_script.answer_of(3)


def test_what_cannot_be_resumed_says_why(principal, tenant, engine):
    running, done = make_run(principal, steps=1), make_run(principal, steps=1)
    advance(engine, done.id)
    cancelled = make_run(principal, steps=1)
    cancel_run(principal, cancelled.id)
    admin, stranger = make_principal(tenant, "admin"), make_principal(make_tenant(), "admin")

    refusals = {}
    for name, caller, run, error in (
        ("open", principal, running, ConflictError),
        ("succeeded", principal, done, ConflictError),
        ("admin", admin, cancelled, ForbiddenError),
        ("stranger", stranger, cancelled, NotFoundError),
    ):
        with pytest.raises(error) as caught:
            resume_run(caller, run.id)
        refusals[name] = caught.value.code

    assert refusals == {
        "open": "run_not_ended", "succeeded": "run_succeeded", "admin": "not_the_owner", "stranger": "run_not_found",
    }  # fmt: skip


def test_a_resumed_run_acts_with_the_rights_its_owner_has_then(principal, tenant, engine):
    from dataclasses import replace

    run = make_run(principal, steps=1)
    cancel_run(principal, run.id)
    narrower = replace(principal, scopes=principal.scopes - {"graph:read"})

    resume_run(narrower, run.id)

    assert "graph:read" not in carrying.row(run).principal_json["scopes"]


def test_the_old_end_is_gone_from_the_ring(principal, engine):
    run = make_run(principal, steps=1)
    cancel_run(principal, run.id)

    resume_run(principal, run.id)

    ring = [line for line in client().lrange(RUNS_EVENTS(id=run.id), 0, -1) if '"end"' in line]
    assert ring == []
    assert AT_FIRST.phase == engine.where(run.id).phase


def test_a_request_is_one_run_whoever_repeats_it(principal, undisturbed):
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connections

    fields = {"prompt": run_script.prompt(steps=1)}

    def ask(_):
        try:
            return create_run(principal, fields=fields, idempotency_key="once")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(16)))

    assert len({run.id for run, _ in answers}) == 1
    assert sorted(replayed for _, replayed in answers) == [False] + [True] * 15
