"""Every event that jobs tell is one of the reference's, with its fields, and every one of the reference is told."""

import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from apps.agents.runs.event_types import RUN_EVENTS
from apps.identity.principal import Principal
from apps.jobs.event_types import JOB_EVENTS, RESET, STREAM_EVENTS, EventType
from apps.jobs.models import JobEvent
from kernel.tenant_context import tenant_scope
from tests.by_hand import HandJob, make_row
from tests.clients import Api
from tests.streams import Stream

ROOT = Path(__file__).resolve().parents[3]
TOLD_IN_SQL = re.compile(r"'(\w+)',\s+jsonb_build_object\('(?:job|run)_id'")


def faults(event: EventType | None, data: dict[str, Any]) -> list[str]:
    if event is None:
        return ["unknown type"]
    missing, more = event.required - data.keys(), data.keys() - event.fields.keys()
    return [f"without {name}" for name in sorted(missing)] + [f"with {name}" for name in sorted(more)]


@pytest.mark.requirement("runs:event-types")
def test_every_event_that_jobs_tell_is_as_the_reference_says(api: Api, worker: Any, principal: Principal) -> None:
    ids = [
        api.submit("demo", {"duration_ms": 50}),
        api.submit("test", {"should_fail": True}),
        str(HandJob(principal).claim().report("a line").finish().id),
        str(make_row(principal)),
    ]
    api.delete(f"/v1/jobs/{ids[-1]}")
    for job_id in ids:
        api.wait_until(job_id, "finished", "failed", "cancelled")

    with tenant_scope(principal.tenant_id):
        rows = list(JobEvent.objects.filter(job_id__in=[UUID(job_id) for job_id in ids]).order_by("job_id", "seq_id"))
    wrong = {
        (row.event_type, fault) for row in rows for fault in faults(JOB_EVENTS.get(row.event_type), row.event_json)
    }
    assert wrong == set()
    assert {row.event_type for row in rows} == set(JOB_EVENTS)


@pytest.mark.requirement("runs:event-types")
def test_what_the_databases_statements_tell_is_in_the_reference() -> None:
    told = {
        (noun, name)
        for noun, places in (("job", ["apps/jobs"]), ("run", ["apps/agents", "workers/runs"]))
        for place in places
        for path in sorted((ROOT / place).rglob("*.py"))
        for name in TOLD_IN_SQL.findall(path.read_text())
    }

    assert told == {("job", "status"), ("job", "end"), ("run", "status"), ("run", "end")}


@pytest.mark.requirement("runs:event-types")
def test_examples_of_the_reference_have_its_fields() -> None:
    events = [*JOB_EVENTS.values(), *RUN_EVENTS.values(), *STREAM_EVENTS.values()]

    assert [(event.name, fault) for event in events for fault in faults(event, dict(event.example))] == []
    assert all(event.meaning.endswith(".") for event in events)


@pytest.mark.requirement("runs:event-types")
def test_an_event_that_is_not_as_described_is_not_told() -> None:
    progress = JOB_EVENTS["progress"]

    assert progress.data(stage="a", message="b", percent=None) == {"stage": "a", "message": "b", "percent": None}
    with pytest.raises(TypeError):
        progress.data(stage="a", message="b")
    with pytest.raises(TypeError):
        progress.data(stage="a", message="b", percent=1, more="c")


@pytest.mark.requirement("runs:event-types")
def test_a_streams_own_event_is_as_the_reference_says(api: Api, principal: Principal) -> None:
    with Stream(api, HandJob(principal).claim().finish().id, after=1000) as stream:
        reset = stream.next()

    assert (reset.id, reset.type, faults(RESET, reset.data)) == (None, "reset", [])
