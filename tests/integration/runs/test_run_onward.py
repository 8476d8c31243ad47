"""A thread that goes on with its run: the next place is claimed by the statement that commits the last, and every step
is a task of Celery's all the same."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings

from apps.agents.runs.services import cancel_run
from kernel.redis_client import client
from tests import run_script
from tests.clients import wait_for
from tests.integration.runs import carrying
from tests.integration.runs.carrying import advance, make_run
from workers.celery import app
from workers.runs.course import perform


@contextmanager
def task_events() -> Iterator[list[dict[str, Any]]]:
    """What Flower would be told meanwhile."""
    heard: list[dict[str, Any]] = []
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": heard.append})
        thread = threading.Thread(target=receiver.capture, kwargs={"limit": None, "wakeup": True})
        thread.start()
        try:
            wait_for(lambda: heard, what="a worker's first word")
            yield heard
        finally:
            receiver.should_stop = True
            thread.join()


@pytest.mark.requirement("runs:durable-steps")
def test_a_run_that_stays_in_a_thread_leaves_the_same_records(principal, engine, other_engine, effects):
    run = make_run(principal, steps=6, effects=True)

    half_way = advance(engine, run.id, tasks=4, stay=True)
    taken = [other_engine.take(run.id, "step", 2), engine.where(run.id).goes_on]
    advance(engine, run.id, half_way, stay=True)

    assert half_way.kept and taken == [None, False]
    ended, steps = carrying.row(run), carrying.steps(run)
    assert (ended.status, ended.phase, ended.lease_until, ended.token) == ("succeeded", "done", None, 9)
    assert ended.output_json["text"] == run_script.answer_of(6)
    assert [(step.index, step.attempt, step.status) for step in steps] == [(i, 1, "completed") for i in range(6)]
    assert effects(run) == [(index, 1, what) for index in range(6) for what in ("begun", "done")]
    assert carrying.moves(run) == [(None, "queued"), ("queued", "running"), ("running", "succeeded")]
    assert engine.holds() == []


def test_what_a_thread_kept_is_its_own_and_is_given_back_when_it_does_not_go_on(principal, engine, undisturbed):
    run = make_run(principal, steps=2)
    done = advance(engine, run.id, tasks=3, stay=True)
    others: list[bool] = []
    thread = threading.Thread(target=lambda: others.append(perform(engine, run.id, "step", 1).goes_on))
    thread.start()
    thread.join()

    engine.give_back_kept()

    assert (done.kept, others, engine.holds()) == (True, [False], [])
    assert carrying.row(run).lease_until is None and run.id in undisturbed
    assert carrying.moves(run)[-1] == ("running", "queued")
    advance(engine, run.id, done)
    assert carrying.row(run).status == "succeeded"


@pytest.mark.requirement("runs:cancel")
def test_a_cancellation_that_nobody_noticed_in_a_kept_step_is_heard_with_its_commit(principal, engine, effects):
    run = make_run(principal, steps=3, effects=True)
    done = advance(engine, run.id, tasks=3, stay=True)

    answer = cancel_run(principal, run.id)
    done = advance(engine, run.id, done, stay=True)

    assert (answer, done.goes_on, carrying.row(run).status) == (("running", False), False, "cancelled")
    assert effects(run) == [(index, 1, what) for index in range(2) for what in ("begun", "done")]


def test_a_process_that_leaves_begins_no_step_that_it_kept(principal, engine, effects):
    run = make_run(principal, steps=2, effects=True)
    done = advance(engine, run.id, tasks=3, stay=True)

    engine.stopping = True
    done = perform(engine, run.id, done.phase, done.index, may_keep=engine.has_room)

    assert not done.goes_on
    assert (carrying.row(run).status, carrying.row(run).next_index, engine.holds()) == ("queued", 1, [])
    assert effects(run) == [(0, 1, "begun"), (0, 1, "done")]


def test_where_all_threads_are_taken_a_run_goes_through_the_queue(principal, engine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(settings, "RUN_CONCURRENCY", 1)
    run = make_run(principal, steps=1)

    done = advance(engine, run.id, tasks=1, stay=True)

    assert (done.goes_on, done.kept, carrying.row(run).lease_until) == (True, False, None)


def test_every_step_is_a_task_of_its_own_for_flower(principal, worker):
    names = {f"agent_runs.{name}" for name in ("start", "classify", "plan", "step", "finalize")}
    with task_events() as heard:
        run = make_run(principal, steps=3)

        def tasks(kind: str) -> dict[str, dict[str, Any]]:
            found = [event for event in heard if event["type"] == kind]
            return {event["uuid"]: event for event in found}

        def whole() -> bool:
            ours = [uuid for uuid, event in tasks("task-received").items() if str(run.id) in event["args"]]
            return len(ours) == 7 and set(ours) <= set(tasks("task-succeeded"))

        wait_for(whole, what="all tasks of the run being told")

    received = [event for event in tasks("task-received").values() if str(run.id) in event["args"]]
    received.sort(key=lambda event: event["clock"])
    assert {event["name"] for event in received} == names
    assert [event["args"] for event in received if event["name"] == "agent_runs.step"] == [
        f"('{run.id}', {index})" for index in range(3)
    ]
    assert {event["root_id"] for event in received} == {received[0]["uuid"]}
    assert [event["parent_id"] for event in received[1:]] == [event["uuid"] for event in received[:-1]]
    assert {event["uuid"] for event in received} <= set(tasks("task-started"))
    wait_for(lambda: client().hlen("unacked") == 0, what="the message being acknowledged")
