"""The platform's state and the time, as far as the caller may see it (SPEC 8, 13; contract 7.3)."""

from dataclasses import asdict
from datetime import UTC, timedelta
from typing import Any, Literal

from django.conf import settings
from django.db.models import Count
from django.db.models.functions import Now
from pydantic import Field

from apps.agents.models import AgentRun
from apps.identity import rbac
from apps.identity.standing import is_platform_admin
from apps.jobs.selectors import job_stats
from apps.ops import probes, queues
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.spec import ToolInput, ToolOutput, tool
from kernel.clock import iso, now
from kernel.tenant_context import tenant_scope

STATE = "platform:read"
WINDOW_H = 24


class NoInput(ToolInput):
    """Nothing is asked for."""


class TimeOut(ToolOutput):
    utc: str = Field(description="ISO 8601, in UTC.")
    weekday: str = Field(description="In English.")


@tool("system.time", effect="read", title="Date and time", example={})
def time(context: ToolContext, given: NoInput) -> TimeOut:
    """The present date and time, in UTC."""
    moment = now().astimezone(UTC)
    return TimeOut(utc=iso(moment), weekday=moment.strftime("%A"))


class Part(ToolOutput):
    name: str
    ok: bool
    status: str = Field(description="ok or down.")
    latency_ms: float | None = Field(None, description="How long the look took; with details.")
    details: dict[str, Any] = Field(default={}, description="What was found out; with details.")


class HealthIn(ToolInput):
    action: Literal["liveness", "readiness", "details"] = "readiness"
    verbose: bool = Field(False, description="With what was found out about each part, as details.")


class HealthOut(ToolOutput):
    action: str
    status: Literal["ok", "degraded", "down"]
    service: str
    version: str
    at: str | None
    parts: list[Part] = []


@tool("system.health", effect="read", title="Health", example={"action": "readiness"})
def health(context: ToolContext, given: HealthIn) -> HealthOut:
    """Whether the platform answers (liveness) and its parts are there (readiness): degraded without an optional one.

    details, or verbose, adds what was found out about each part: for who may read the platform's state.
    """
    is_detailed = given.action == "details" or given.verbose
    if is_detailed:
        rbac.require(context.principal, STATE)
    checks = {} if given.action == "liveness" else probes.check(list(probes.PROBES))
    return HealthOut(
        action=given.action,
        status=_overall(checks),
        service=settings.SERVICE_NAME,
        version=settings.VERSION,
        at=iso(now()),
        parts=_parts(checks, is_detailed=is_detailed),
    )


class ConfigIn(ToolInput):
    names: list[str] = Field(default_factory=list, max_length=100, description="Only names that hold one of these.")
    only_changed: bool = Field(False, description="Only where the value is not the default.")


class SettingShown(ToolOutput):
    name: str
    kind: str
    value: str | None = Field(description="Null where it is not shown.")
    default: str | None = Field(description="Null where it is not shown or there is none.")
    shown: bool
    help: str


class ConfigOut(ToolOutput):
    version: str
    environment: str
    items: list[SettingShown]
    hidden: int = Field(description="How many of them are listed without their value.")


@tool(
    "system.config",
    effect="read",
    title="Settings in force",
    permissions=(STATE,),
    example={"names": ["GRAPH_TIMEOUT"]},
    example_role="operator",
)
def config(context: ToolContext, given: ConfigIn) -> ConfigOut:
    """The settings this process runs with: names, values, defaults and what they mean.

    Secrets are never shown. Texts, addresses and lists are shown to administrators of the platform only; others see
    numbers, switches and choices.
    """
    sees_texts = is_platform_admin(context.principal)
    wanted = [name.upper() for name in given.names]
    items = []
    for setting in sorted(settings.ENV_REGISTRY.values(), key=lambda one: one.name):
        if wanted and not any(name in setting.name for name in wanted):
            continue
        is_shown = not setting.secret and (sees_texts or _is_plain(setting.kind))
        is_changed = setting.shown != (setting.default or "")
        if given.only_changed and not (is_shown and is_changed):
            continue
        items.append(
            SettingShown(
                name=setting.name,
                kind=setting.kind,
                value=setting.shown if is_shown else None,
                default=setting.default if is_shown else None,
                shown=is_shown,
                help=setting.help,
            )
        )
    return ConfigOut(
        version=settings.VERSION,
        environment=settings.ENVIRONMENT,
        items=items,
        hidden=sum(not item.shown for item in items),
    )


def _is_plain(kind: str) -> bool:
    return kind in ("a number", "a whole number", "true or false") or kind.startswith("one of ")


class StatusIn(ToolInput):
    action: Literal["summary", "detailed"] = "summary"
    service: str | None = Field(
        None, max_length=50, description="Only this: a part that system.health names, or queues, jobs or runs."
    )


class Queue(ToolOutput):
    job_type: str
    waiting: int
    waiting_high: int


class StatusOut(ToolOutput):
    action: str
    status: Literal["ok", "degraded", "down"]
    at: str | None
    parts: list[Part]
    queues: list[Queue] | None = Field(None, description="Of all tenants together; null: not asked, or not known now.")
    runs_waiting: int | None = Field(None, description="Tasks of agent runs that wait, of all tenants together.")
    dead_items: int | None = Field(None, description="Things on job queues that were no job.")
    jobs: dict[str, Any] | None = Field(None, description="Your tenant's jobs of the last 24 hours, by status.")
    runs: dict[str, int] | None = Field(None, description="Your tenant's runs of the last 24 hours, by status.")


@tool(
    "system.status",
    effect="read",
    title="State of the platform",
    permissions=(STATE,),
    example={"action": "summary"},
    example_role="operator",
)
def status(context: ToolContext, given: StatusIn) -> StatusOut:
    """How the platform is: its parts, workers, queues, and your tenant's jobs and runs of the last 24 hours.

    summary says what is up and how much waits; detailed also what was found out about each part, queues that are
    empty, and jobs by type. service narrows it to one.
    """
    is_detailed = given.action == "detailed"
    only = None if given.service is None else probes.ALIASES.get(given.service, given.service)
    if only is not None and only not in (*probes.PROBES, "queues", "jobs", "runs"):
        raise ToolFailed(
            f"There is no such part. Known: {', '.join(probes.PROBES)}, queues, jobs, runs.", code="unknown_service"
        )
    checks = probes.check([only] if only in probes.PROBES else [] if only else list(probes.PROBES))
    waiting = queues.depths() if only in (None, "queues") else None
    return StatusOut(
        action=given.action,
        status=_overall(checks),
        at=iso(now()),
        parts=_parts(checks, is_detailed=is_detailed or only is not None),
        queues=None if waiting is None else _queues(waiting, with_empty=is_detailed),
        runs_waiting=None if waiting is None else waiting.runs,
        dead_items=None if waiting is None else waiting.dead,
        jobs=_jobs(context, by_type=is_detailed) if only in (None, "jobs") else None,
        runs=_runs(context) if only in (None, "runs") else None,
    )


def _overall(checks: dict[str, probes.Check]) -> Literal["ok", "degraded", "down"]:
    said = probes.overall(checks)
    return "down" if said == "down" else "ok" if said == "ok" else "degraded"


def _parts(checks: dict[str, probes.Check], *, is_detailed: bool) -> list[Part]:
    return [
        Part(name=name, **asdict(check)) if is_detailed else Part(name=name, ok=check.ok, status=check.status)
        for name, check in checks.items()
    ]


def _queues(found: queues.Depths, *, with_empty: bool) -> list[Queue]:
    every = [
        Queue(job_type=name, waiting=found.jobs[name, "normal"], waiting_high=found.jobs[name, "high"])
        for name in dict.fromkeys(name for name, _ in found.jobs)
    ]
    return [one for one in every if with_empty or one.waiting or one.waiting_high]


def _jobs(context: ToolContext, *, by_type: bool) -> dict[str, Any]:
    stats = job_stats(context.principal, hours=WINDOW_H, owner_sub=None)
    return stats if by_type else {name: value for name, value in stats.items() if name != "by_type"}


def _runs(context: ToolContext) -> dict[str, int]:
    with tenant_scope(context.tenant_id):
        recent = AgentRun.objects.filter(tenant_id=context.tenant_id, created_at__gt=Now() - timedelta(hours=WINDOW_H))
        counted = recent.order_by().values_list("status").annotate(n=Count("*"))
        return dict(counted)
