"""Reading runs, inside the caller's tenant: another's run looks like one that never was."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.agents.models import AgentRun, RunEvent, RunStep, TapeEntry
from apps.agents.states import RUN_TERMINAL
from apps.identity.principal import Principal
from apps.jobs.logs import LogRef
from kernel.errors import NotFoundError
from kernel.pagination import Cursor
from kernel.tenant_context import tenant_scope

TOTAL_EXACT_UP_TO = 10_000


@dataclass(frozen=True)
class RunFilter:
    """Which runs of a list are wanted; empty: all. ``owner_sub`` None: every owner's (administrators)."""

    owner_sub: str | None
    statuses: Sequence[str] = ()
    agent: str | None = None
    session_id: UUID | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


def get_run(principal: Principal, run_id: UUID) -> AgentRun:
    """The caller's run, or any of its tenant's for an administrator. NotFoundError otherwise."""
    with tenant_scope(principal.tenant_id):
        run = AgentRun.objects.filter(id=run_id).first()
    if run is None or not (principal.is_admin or run.owner_sub == principal.sub):
        raise NotFoundError("There is no such run.", code="run_not_found")
    return run


def latest_ids(principal: Principal, *, limit: int) -> list[UUID]:
    """Of the caller's own runs, newest first."""
    with tenant_scope(principal.tenant_id):
        runs = AgentRun.objects.filter(tenant_id=principal.tenant_id, owner_sub=principal.sub)
        return list(runs.order_by("-created_at", "-id").values_list("id", flat=True)[:limit])


def list_runs(
    principal: Principal, wanted: RunFilter, *, after: Cursor | None, limit: int
) -> tuple[list[AgentRun], int]:
    """One page, newest first, with one row more than ``limit`` when there is a next; and the total, exact up to
    TOTAL_EXACT_UP_TO."""
    with tenant_scope(principal.tenant_id):
        runs = AgentRun.objects.filter(tenant_id=principal.tenant_id)
        if wanted.owner_sub is not None:
            runs = runs.filter(owner_sub=wanted.owner_sub)
        if wanted.statuses:
            runs = runs.filter(status__in=wanted.statuses)
        if wanted.agent is not None:
            runs = runs.filter(agent_name=wanted.agent)
        if wanted.session_id is not None:
            runs = runs.filter(session_id=wanted.session_id)
        if wanted.created_after is not None:
            runs = runs.filter(created_at__gte=wanted.created_after)
        if wanted.created_before is not None:
            runs = runs.filter(created_at__lt=wanted.created_before)
        total = runs.order_by()[:TOTAL_EXACT_UP_TO].count()
        if after is not None:
            runs = runs.filter(Q(created_at__lt=after.created_at) | Q(created_at=after.created_at, id__lt=after.id))
        return list(runs.order_by("-created_at", "-id")[: limit + 1]), total


def open_run_ids(tenant_id: UUID, *, limit: int = 1000) -> list[UUID]:
    """Runs of the tenant that have not ended, whosever they are."""
    with tenant_scope(tenant_id):
        runs = AgentRun.objects.filter(tenant_id=tenant_id).exclude(status__in=RUN_TERMINAL)
        return list(runs.values_list("id", flat=True)[:limit])


def list_steps(run: AgentRun) -> list[RunStep]:
    """The steps of a run that the caller was allowed to read, in order; of a step that was repeated, every attempt."""
    with tenant_scope(run.tenant_id):
        return list(RunStep.objects.filter(run_id=run.id).order_by("index", "attempt"))


def steps_of(tenant_id: UUID, run_ids: Sequence[UUID]) -> dict[UUID, list[RunStep]]:
    """The steps of several runs, each run's in order."""
    found: dict[UUID, list[RunStep]] = {}
    with tenant_scope(tenant_id):
        for step in RunStep.objects.filter(run_id__in=run_ids).order_by("index", "attempt"):
            found.setdefault(step.run_id, []).append(step)
    return found


def list_tape(run: AgentRun) -> list[TapeEntry]:
    """What models, tools and the graph answered to this run, in the order it asked."""
    with tenant_scope(run.tenant_id):
        return list(TapeEntry.objects.filter(run_id=run.id).order_by("id"))


# -- the log of a run, for its streams: apps/agents/runs/log.py
def ref_of(run: AgentRun) -> LogRef:
    """The log of a run that the caller was allowed to read."""
    return LogRef(run.id, run.tenant_id, run.created_at, run.last_seq, run.status in RUN_TERMINAL)


def events_after(log: LogRef, after_seq: int, *, limit: int = 1000) -> list[dict[str, Any]]:
    """The run's events with a higher number, in order, from PostgreSQL."""
    with tenant_scope(log.tenant_id):
        rows = RunEvent.objects.filter(run_id=log.id, seq_id__gt=after_seq).order_by("seq_id")
        wanted = rows.values("seq_id", "event_type", "event_json", "created_at")[:limit]
        return [dict(row) for row in wanted]


def last_seqs(tenant_id: UUID, ids: Sequence[UUID]) -> dict[UUID, int]:
    """How many events each of these runs has, for streams whose callers were allowed to read them."""
    with tenant_scope(tenant_id):
        return dict(AgentRun.objects.filter(id__in=ids).values_list("id", "last_seq"))
