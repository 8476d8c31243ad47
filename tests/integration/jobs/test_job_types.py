"""What each job type does, and the shapes its results and events have (the contract's 2.4 and 2.5)."""

from datetime import datetime
from typing import Any

import pytest

from tests.clients import Api, SseEvent


def run(api: Api, type_name: str, payload: dict[str, Any]) -> tuple[dict[str, Any], list[SseEvent]]:
    """The ended job and its events, as a stream brought them."""
    job_id = api.submit(type_name, payload)
    events = [event for event in api.events(job_id) if event.type != "comment"]
    return api.job(job_id), events


def progress(events: list[SseEvent]) -> list[Any]:
    return [event.data for event in events if event.type == "progress"]


@pytest.mark.requirement("jobs:lifecycle")
def test_a_demo_job_runs_to_its_end_and_streams(api: Api, worker: Any) -> None:
    job, events = run(api, "demo", {"duration_ms": 1200})

    assert job["status"] == "finished"
    assert set(job["result"]) == {"status", "requested_duration_ms", "actual_duration_ms", "message"}
    assert job["result"]["status"] == "completed"
    assert job["result"]["requested_duration_ms"] == 1200
    assert job["result"]["actual_duration_ms"] >= 1200
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    moves = [(event.data["from"], event.data["to"]) for event in events if event.type == "status"]
    assert moves == [(None, "queued"), ("queued", "running"), ("running", "finished")]
    assert (events[-1].type, events[-1].data["final"]) == ("end", "finished")
    assert datetime.fromisoformat(events[-1].data["completed_at"])
    assert {event.data["job_id"] for event in events if event.type in ("status", "end")} == {job["id"]}


@pytest.mark.requirement("jobs:progress")
def test_progress_says_stage_message_and_percent(api: Api, worker: Any) -> None:
    _, events = run(api, "demo", {"duration_ms": 2000})

    told = progress(events)
    assert all(set(line) == {"stage", "message", "percent"} for line in told)
    percents = [round(line["percent"]) for line in told]
    assert percents == sorted(set(percents))
    assert percents[0] == 0 and set(percents) <= set(range(0, 100, 10))  # a hurried one may be left out


@pytest.mark.requirement("jobs:progress")
def test_fast_progress_is_thinned_out_to_ten_a_second_and_the_last_is_kept(api: Api, worker: Any) -> None:
    job, events = run(api, "long-running", {"duration_ms": 5000, "steps": 1000})

    told = progress(events)
    assert 2 <= len(told) <= 5 + job["exec_latency_ms"] / 100
    assert told[-1] == {"stage": "working", "message": "step 1000 of 1000", "percent": 100}
    assert job["result"]["steps_completed"] == 1000


@pytest.mark.requirement("jobs:handlers")
def test_a_demo_job_of_no_duration_ends_at_once(api: Api, worker: Any) -> None:
    job, _ = run(api, "demo", {"duration_ms": 0})

    assert job["status"] == "finished"
    assert job["result"]["requested_duration_ms"] == 0


@pytest.mark.requirement("jobs:handlers")
def test_a_test_job_gives_back_what_it_was_given(api: Api, worker: Any) -> None:
    payload = {"text": 'naïve ☃ \\u0000 " \n', "numbers": [1, 2.5, 1e-9]}

    job, _ = run(api, "test", payload)

    assert job["status"] == "finished"
    assert set(job["result"]) == {"status", "input", "timestamp", "message"}
    assert (job["result"]["status"], job["result"]["input"]) == ("completed", payload)


@pytest.mark.requirement("jobs:handlers")
def test_a_test_job_fails_when_asked_to(api: Api, worker: Any) -> None:
    job, events = run(api, "test", {"should_fail": True})

    assert (job["status"], job["result"]) == ("failed", None)
    assert job["error"]["reason"] == "asked_to_fail"
    assert job["error"]["message"]
    assert job["dead_lettered_at"] is None
    assert events[-2].data["error"] == job["error"]
    assert events[-1].data["final"] == "failed"


@pytest.mark.requirement("jobs:handlers")
def test_a_long_running_job_takes_its_time_in_steps(api: Api, worker: Any) -> None:
    job, events = run(api, "long-running", {"duration_ms": 5000, "steps": 5})

    assert job["status"] == "finished"
    assert set(job["result"]) == {"status", "steps_completed", "total_duration_ms", "message"}
    assert job["result"]["steps_completed"] == 5
    assert job["result"]["total_duration_ms"] >= 5000
    told = [(line["percent"], line["message"]) for line in progress(events)]
    assert told == sorted(set(told)) and told[-1] == (100, "step 5 of 5")  # a hurried one may be left out
    assert set(told) <= {(20 * n, f"step {n} of 5") for n in range(1, 6)}


@pytest.mark.requirement("jobs:handlers")
def test_an_agent_run_job_makes_a_run_and_brings_its_answer(api: Api, worker: Any) -> None:
    job, _ = run(api, "agent.run", {"prompt": "What is 6 * 7?", "user_id": "u", "metadata": {"any": 1}})

    made = api.get(f"/v1/agent-runs/{job['result']['run_id']}").json
    assert job["status"] == "finished"
    assert (job["result"]["status"], made["status"], made["job_id"]) == ("succeeded", "succeeded", job["id"])
    assert "42" in made["text"]
    assert made["text"] in job["result"]["output"]["text"]
