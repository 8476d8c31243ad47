"""Deleting a tenant: its agents, runs, steps, logs and tapes are exported and erased, and open runs are ended first."""

import json
import zipfile
from typing import Any

import pytest
import redis

from apps.agents.definitions.services import create_agent
from apps.agents.models import AgentRun
from apps.tenancy import exports
from apps.tenancy.models import Tenant
from kernel.redis_keys import RUNS_EVENTS
from kernel.tenant_context import tenant_scope
from tests.by_hand_runs import HandRun, step_row
from tests.factories import make_principal, make_tenant
from tests.integration.tenants.test_offboarding import attempt, rows_of
from workers.handlers import tenant_offboard

OWNED = ("agent_runs", "agent_versions", "agents", "run_events", "run_tape", "session_steps", "sessions", "steps")


@pytest.fixture(autouse=True)
def changes_spread_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenant_offboard, "CONFIG_SPREADS_IN_S", 0)


def furnish(tenant: Tenant) -> tuple[HandRun, HandRun]:
    """An agent, a run that has ended, with a step and a tape, and one that has not begun."""
    caller = make_principal(tenant)
    create_agent(tenant_id=tenant.id, name="own", fields={}, by=make_principal(tenant, "admin"))
    ended = HandRun(caller, f"secret of {tenant.slug}", agent="own").claim().finish(step=step_row())
    ended.keep({"asked": 1}, {"said": 2})
    return ended, HandRun(caller)


@pytest.mark.requirement("tenants:runs")
def test_what_runs_left_is_exported_and_erased(admin_url: str, redis_client: redis.Redis) -> None:
    tenant, neighbour = make_tenant(), make_tenant()
    ended, _ = furnish(tenant)
    furnish(neighbour)
    before, of_neighbour = rows_of(admin_url, tenant.id), rows_of(admin_url, neighbour.id)

    result = tenant_offboard.run(attempt(tenant))

    after = rows_of(admin_url, tenant.id)
    assert all(before[table] for table in OWNED)
    assert [table for table in OWNED if after.get(table)] == []
    assert rows_of(admin_url, neighbour.id) == of_neighbour
    assert redis_client.exists(RUNS_EVENTS(id=ended.id)) == 0
    with zipfile.ZipFile(exports.path_of(result["export"])) as archive:
        lines: dict[str, list[Any]] = {
            table: [json.loads(line) for line in archive.read(f"{table}.ndjson").splitlines()] for table in OWNED
        }
    assert {table: len(rows) for table, rows in lines.items() if table != "run_events"} == {
        table: before[table] for table in OWNED if table != "run_events"
    }
    assert f"secret of {tenant.slug}" in [run["prompt"] for run in lines["agent_runs"]]
    assert {run["status"] for run in lines["agent_runs"]} == {"succeeded", "cancelled"}


@pytest.mark.requirement("tenants:runs")
def test_a_run_that_does_not_end_holds_the_erasure_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenant_offboard, "JOBS_END_WITHIN_S", 0.2)
    monkeypatch.setattr(tenant_offboard, "ROUND_S", 0.1)
    tenant = make_tenant()
    held = HandRun(make_principal(tenant)).claim()

    with pytest.raises(tenant_offboard.JobsStillRunning):
        tenant_offboard.run(attempt(tenant))

    with tenant_scope(tenant.id):
        run = AgentRun.objects.get(id=held.id)
    assert run.status == "running" and run.cancel_requested_at is not None
