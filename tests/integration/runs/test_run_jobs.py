"""Jobs of type agent.run: each follows a run to its end, and takes it along when it ends before."""

import psycopg
import pytest

from apps.agents.models import AgentRun
from apps.agents.runs import jobs as run_jobs
from apps.agents.runs.services import cancel_run
from apps.jobs.models import Job
from apps.jobs.services import cancel_job
from kernel.tenant_context import tenant_scope
from tests import run_script
from tests.clients import wait_for
from tests.integration.runs import carrying
from tests.integration.runs.carrying import advance, make_run
from workers.execution import Execution
from workers.handlers import agent_run


@pytest.mark.requirement("runs:job")
def test_a_job_makes_its_run_and_ends_with_its_answer(api, principal, worker):
    job_id = api.submit("agent.run", {"prompt": run_script.prompt(steps=3, ms=100), "max_steps": 4})

    job = api.wait_until(job_id, "finished", "failed")
    told = [event.data["stage"] for event in api.events(job_id) if event.type == "progress"]

    assert job["status"] == "finished", job["error"]
    result = job["result"]
    assert {
        "status",
        "run_id",
        "output",
        "todos",
        "steps",
        "warnings",
        "metrics",
        "elapsed_ms",
        "model",
    } <= result.keys()
    assert (result["status"], result["output"]["text"]) == ("succeeded", run_script.answer_of(3))
    assert [step["action"] for step in result["steps"]] == ["script"] * 3
    assert {"agent_run_started", "orchestrator_init", "step", "finalize"} <= set(told)
    with tenant_scope(principal.tenant_id):
        assert str(AgentRun.objects.get(id=result["run_id"]).job_id) == job_id


@pytest.mark.requirement("runs:job")
def test_a_run_with_its_job_begins_when_the_job_does(api, principal, worker):
    run = make_run(principal, use_jobs=True, steps=2)

    job = api.wait_until(str(run.job_id), "finished", "failed")

    assert (job["status"], job["result"]["run_id"]) == ("finished", str(run.id))
    assert job["payload"]["run_id"] == str(run.id)


@pytest.mark.requirement("runs:job")
def test_workers_that_are_lost_while_its_job_looks_on_do_not_end_a_run(principal, engine, settings):
    run = make_run(principal, use_jobs=True, steps=1)

    with tenant_scope(principal.tenant_id):
        job = Job.objects.get(id=run.job_id)

    assert job.max_attempts > 100 * settings.MAX_ATTEMPTS  # those of its run's steps are counted there


@pytest.mark.requirement("runs:job")
def test_a_failed_run_fails_its_job_and_a_retry_resumes_it(api, worker):
    job_id = api.submit("agent.run", {"prompt": run_script.prompt(steps=2, do={"1": "fail"})})
    failed = api.wait_until(job_id, "finished", "failed")
    run_id = next(iter(runs_of(api)))["id"]

    again = api.submit("agent.run", {"prompt": "go on", "run_id": run_id})
    retried = api.wait_until(again, "finished", "failed")

    assert (failed["status"], failed["error"]["reason"]) == ("failed", "step_failed")
    assert (retried["status"], retried["result"]["run_id"]) == ("finished", run_id)
    assert retried["result"]["output"]["text"] == run_script.answer_of(2)


def runs_of(api):
    answer = api.get("/v1/agent-runs")
    assert answer.status == 200, answer.body
    return answer.json["items"]


@pytest.mark.requirement("runs:job")
@pytest.mark.parametrize("through", ["job", "run"])
def test_whichever_is_cancelled_takes_the_other_along(api, principal, worker, through):
    run = make_run(principal, use_jobs=True, steps=1, ms=30_000)
    wait_for(lambda: carrying.row(run).phase == "step", what="the step")

    cancel_job(principal, run.job_id) if through == "job" else cancel_run(principal, run.id)

    job = api.wait_until(str(run.job_id), "cancelled")
    assert carrying.wait_ended(run).status == "cancelled"
    assert job["result"] == {"cancelled": True}


def test_a_job_that_is_cancelled_while_it_waits_takes_its_run_along(principal, worker, monkeypatch: pytest.MonkeyPatch):
    from apps.jobs import mirror

    monkeypatch.setattr(mirror, "enqueue", lambda *_, **__: True)
    run = make_run(principal, use_jobs=True, steps=1)
    cancel_job(principal, run.job_id)

    ended = carrying.wait_ended(run)

    assert ended.status == "cancelled"
    assert carrying.events(run)[-2].event_json["reason"] == "job_ended"


@pytest.mark.requirement("runs:job")
def test_a_job_that_loses_postgresql_follows_its_run_again(principal, engine, monkeypatch: pytest.MonkeyPatch):
    run = make_run(principal, use_jobs=True, steps=1)
    began, ends = run_jobs.run_of_job, iter([psycopg.OperationalError("the connection is lost"), None])

    def hung_up_once(*arguments):
        if (error := next(ends)) is not None:
            raise error
        return began(*arguments)

    monkeypatch.setattr(run_jobs, "run_of_job", hung_up_once)
    monkeypatch.setattr(agent_run, "AGAIN_S", 0.0)
    advance(engine, run.id)
    with tenant_scope(principal.tenant_id):
        row = Job.objects.filter(id=run.job_id).values().get()

    result = agent_run.run(Execution(row, queue_time_limit_s=60.0, emit=lambda event: None))

    assert (result["status"], result["run_id"]) == ("succeeded", str(run.id))


@pytest.mark.requirement("runs:job")
def test_a_job_follows_no_run_of_others(api, stranger, worker, principal, undisturbed):
    theirs = make_run(principal, steps=1)

    job_id = stranger.submit("agent.run", {"prompt": "look", "run_id": str(theirs.id)})
    job = stranger.wait_until(job_id, "failed", "finished")

    assert (job["status"], job["error"]["reason"]) == ("failed", "run_not_found")
    assert carrying.row(theirs).status == "queued"
