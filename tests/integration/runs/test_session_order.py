"""What a prompt does while another run of its session is open: it is rejected, waits, or interrupts. And quotas."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from django.db import connections

from apps.agents.runs.services import cancel_run, resume_run
from apps.agents.sessions.services import create_session
from apps.tenancy.services import change_tenant
from kernel.errors import ConflictError, RateLimitedError
from tests.clients import wait_for
from tests.integration.runs import carrying
from tests.integration.runs.carrying import advance, make_run


def session_of(principal, when_busy):
    return create_session(principal, fields={"when_busy": when_busy})[0]


@pytest.mark.requirement("runs:session-order")
def test_a_session_that_rejects_has_one_open_run(principal, engine):
    session = session_of(principal, "reject")
    first = make_run(principal, steps=1, session_id=session.id)

    with pytest.raises(ConflictError) as refused:
        make_run(principal, steps=1, session_id=session.id)
    advance(engine, first.id)
    second = make_run(principal, steps=1, session_id=session.id)

    assert (refused.value.code, refused.value.extra["run_id"]) == ("session_busy", str(first.id))
    assert second.waits_for is None


@pytest.mark.requirement("runs:session-order")
def test_prompts_that_wait_run_one_after_the_other_in_their_order(principal, engine, undisturbed):
    session = session_of(principal, "enqueue")
    runs = [make_run(principal, steps=1, session_id=session.id) for _ in range(3)]
    early = [advance(engine, run.id, tasks=1).goes_on for run in runs[1:]]
    undisturbed.clear()

    for run in runs:
        advance(engine, run.id)

    assert [run.waits_for for run in runs] == [None, runs[0].id, runs[1].id]
    assert early == [False, False]
    assert undisturbed == [runs[1].id, runs[2].id]  # each was sent when the one before had ended
    ended = [carrying.row(run) for run in runs]
    assert all(before.finished_at <= after.started_at for before, after in pairwise(ended))


def test_who_waits_for_a_cancelled_run_waits_for_the_one_before(principal, engine, undisturbed):
    session = session_of(principal, "enqueue")
    first, second, third = (make_run(principal, steps=1, session_id=session.id) for _ in range(3))

    cancel_run(principal, second.id)
    between = carrying.row(third).waits_for
    advance(engine, first.id)

    assert between == first.id
    assert carrying.row(third).waits_for is None
    assert third.id in undisturbed


@pytest.mark.requirement("runs:session-order")
def test_a_prompt_after_a_resume_waits_for_the_resumed_run_too(principal, engine, undisturbed):
    session = session_of(principal, "enqueue")
    first, second = (make_run(principal, steps=1, session_id=session.id) for _ in range(2))
    cancel_run(principal, first.id)

    resume_run(principal, first.id)
    third = make_run(principal, steps=1, session_id=session.id)
    undisturbed.clear()
    advance(engine, second.id)

    assert (carrying.row(first).waits_for, third.waits_for) == (None, first.id)
    assert undisturbed == [first.id]
    assert not advance(engine, third.id, tasks=1).goes_on


@pytest.mark.requirement("runs:session-order")
def test_a_prompt_that_interrupts_ends_the_open_ones_first(principal, worker):
    session = session_of(principal, "interrupt")
    first = make_run(principal, steps=1, ms=30_000, session_id=session.id)
    wait_for(lambda: carrying.row(first).phase == "step", what="the first at work")

    second = make_run(principal, steps=1, session_id=session.id)
    ended = carrying.wait_ended(second)

    interrupted = carrying.row(first)
    assert (interrupted.status, ended.status) == ("cancelled", "succeeded")
    assert interrupted.finished_at <= ended.started_at


def test_of_many_prompts_at_once_a_rejecting_session_takes_one(principal, undisturbed):
    session = session_of(principal, "reject")

    def ask(_):
        try:
            return make_run(principal, steps=1, session_id=session.id)
        except ConflictError as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(16)))

    assert sum(not isinstance(answer, str) for answer in answers) == 1
    assert {answer for answer in answers if isinstance(answer, str)} <= {"session_busy", "request_in_progress"}


@pytest.mark.requirement("runs:quota")
def test_a_tenant_has_no_more_open_runs_than_its_quota(principal, tenant, engine):
    change_tenant(tenant.id, {"settings": {"quotas": {"concurrent_runs": 2}}}, by=None)
    runs = [make_run(principal, steps=1) for _ in range(2)]

    with pytest.raises(RateLimitedError) as refused:
        make_run(principal, steps=1)
    advance(engine, runs[0].id)
    third = make_run(principal, steps=1)

    assert (refused.value.code, refused.value.extra["quota"]) == ("quota_exceeded", "concurrent_runs")
    assert third.status == "queued"
