"""What an agent that acts for a caller has at hand, and how far a run or a session is."""

from datetime import UTC
from typing import Any, Literal
from uuid import UUID

from django.conf import settings
from pydantic import BaseModel, ConfigDict, Field

from apps.agents.models import AgentRun, RunStep
from apps.agents.runs import selectors as runs
from apps.agents.runs.shown import text_of
from apps.agents.sessions.selectors import session_document
from apps.agents.states import RUN_TERMINAL
from apps.identity import rbac
from apps.identity.principal import Principal
from apps.llm import defaults
from apps.llm.catalogue import catalogue_of
from apps.tenancy import rates
from apps.tenancy.config import RateLimits, TenantConfig
from apps.tenancy.resolver import tenant_config
from apps.tools import approvals, registry
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.models import PENDING
from apps.tools.policy import TENANT_SAFE_MODE
from apps.tools.spec import ToolInput, ToolOutput, tool
from kernel.clock import iso, now
from kernel.tenant_context import tenant_scope

NANO = 1_000_000_000
MODELS_SHOWN = 100
RUNS_SHOWN, STEPS_SHOWN = 20, 200
TEXT_CHARS, PROMPT_CHARS = 4_000, 500


class ContextIn(ToolInput):
    include_tools: bool = Field(True, description="The tools that you may call.")
    include_models: bool = Field(True, description="The models that you may ask.")
    include_policies: bool = Field(True, description="What is limited, switched off or needs an approval.")
    include_env: bool = Field(True, description="Version, environment and time of the platform.")
    include_tenant: bool = Field(True, description="Your tenant, its quotas and switches.")
    include_user_scopes: bool = Field(True, description="Who you are: roles, scopes, permissions.")


class ContextOut(ToolOutput):
    """A part that was not asked for is null."""

    tools: list[dict[str, Any]] | None = Field(description="{name, title, effect, approval}; tools/list shows schemas.")
    models: list[dict[str, Any]] | None = Field(description="{model, provider, context_window, is_default, ...}.")
    policies: dict[str, Any] | None = Field(description="{read_only, pii_mode, approvals, requests_per_minute, ...}.")
    env: dict[str, Any] | None = Field(description="{version, environment, utc}.")
    tenant: dict[str, Any] | None = Field(description="{id, slug, quotas, features}.")
    user: dict[str, Any] | None = Field(description="{sub, roles, scopes, permissions}.")


@tool("agent.context", effect="read", title="What is at hand", example={"include_tools": True})
def context_(context: ToolContext, given: ContextIn) -> ContextOut:
    """What an agent that acts for you may use: tools, models, limits, the tenant and your rights; no secrets.

    Everything is included unless a switch is set to false. Rights are checked again at each call.
    """
    principal, config = context.principal, tenant_config(context.tenant_id)
    return ContextOut(
        tools=_tools(principal) if given.include_tools else None,
        models=_models(principal) if given.include_models else None,
        policies=_policies(principal, config) if given.include_policies else None,
        env=_env() if given.include_env else None,
        tenant=_tenant(principal, config) if given.include_tenant else None,
        user=_user(principal) if given.include_user_scopes else None,
    )


class StateIn(ToolInput):
    run_id: UUID | None = Field(None, description="A run of yours.")
    session_id: UUID | None = Field(None, description="Or a session of yours. Neither: of the run which calls.")


class RunStateOut(BaseModel):
    """How far a run is."""

    model_config = ConfigDict(extra="forbid")

    run_id: UUID
    status: str = Field(description="queued, running, succeeded, failed or cancelled.")
    phase: str = Field(description="What comes next: classify, plan, step, finalize or done.")
    attempt: int
    agent: str
    prompt: str = Field(description=f"At most {PROMPT_CHARS} characters of it.")
    session_id: UUID | None
    job_id: UUID | None
    waits_for_run: UUID | None = Field(description="The run of its session that must end first.")
    waits_for_approvals: list[UUID] = Field(description="Calls of it that a person has to approve.")
    todos: list[dict[str, Any]] = Field(description="The plan: {task, kind, status, tool}.")
    steps: list[dict[str, Any]] = Field(description="Done: {index, attempt, action, status, latency_ms, error}.")
    text: str = Field(description=f"At most {TEXT_CHARS} characters of the answer; empty while there is none.")
    error: dict[str, Any] | None
    warnings: list[Any]
    refused: bool
    degraded: bool
    used_fallback: bool
    tokens: int
    cost_usd: float
    created_at: str
    started_at: str | None
    finished_at: str | None


class SessionStateOut(BaseModel):
    """How a session stands."""

    model_config = ConfigDict(extra="forbid")

    session_id: UUID
    status: str = Field(description="active, completed, cancelled or failed.")
    title: str
    manager: str | None = Field(description="The agent that leads; null: the default.")
    when_busy: str
    last_step_seq: int = Field(description="How many lines it has; agent.history shows them.")
    expires_at: str
    runs: list[dict[str, Any]] = Field(description="The latest, newest first: {run_id, status, phase, agent}.")
    open_runs: int = Field(description="Of those, the ones that have not ended.")


class StateOut(ToolOutput):
    kind: Literal["run", "session"]
    run: RunStateOut | None
    session: SessionStateOut | None


@tool("agent.state", effect="read", title="State of a run or session",
      permissions=("agent-runs:read", "sessions:read"), example={"run_id": "$run"})  # fmt: skip
def state(context: ToolContext, given: StateIn) -> StateOut:
    """How far one of your runs is, with plan, steps, answer and what it waits for; or how a session of yours stands.

    An agent that names neither sees the run it works for. Others' runs and sessions look like ones that never were.
    """
    if given.run_id is not None and given.session_id is not None:
        raise ToolFailed("Name either run_id or session_id.", code="two_things_named")
    if given.session_id is not None:
        return StateOut(kind="session", run=None, session=_session(context.principal, given.session_id))
    run_id = given.run_id or context.run_id
    if run_id is None:
        raise ToolFailed("This call belongs to no run. Name one in run_id, or a session in session_id.", code="no_run")
    return StateOut(kind="run", run=_run(context.principal, run_id), session=None)


def _tools(principal: Principal) -> list[dict[str, Any]]:
    return [
        {"name": one.spec.name, "title": one.spec.title, "effect": one.effect, "approval": one.approval}
        for one in registry.callable_by(principal)
    ]


def _models(principal: Principal) -> list[dict[str, Any]]:
    if not rbac.may(principal, "models:read"):
        return []
    default = defaults.default_instance(principal.tenant_id, principal.sub)
    return [
        {
            "model": one.name,
            "provider": one.provider.name,
            "context_window": one.context_window,
            "max_output_tokens": one.max_output_tokens,
            "supports_tools": one.supports_tools,
            "is_default": default is not None and one.id == default[0],
        }
        for one in sorted(catalogue_of(principal.tenant_id).usable(), key=lambda one: one.name)[:MODELS_SHOWN]
    ]


def _policies(principal: Principal, config: TenantConfig | None) -> dict[str, Any]:
    features = {} if config is None else config.settings.features
    own = RateLimits() if config is None else config.settings.rate_limits
    return {
        "read_only": settings.TOOLS_READ_ONLY or features.get(TENANT_SAFE_MODE, False),
        "pii_mode": "mask" if config is None else config.settings.pii_mode,
        "approvals": {
            "never": "called at once",
            "tainted": "a person approves, where the wish may come from data and not from the person",
            "always": "a person approves each call",
        },
        "requests_per_minute": rates.user_limit(principal, own),
        "runs_per_minute": rates.caller_run_limit(principal).limit,
    }


def _env() -> dict[str, Any]:
    return {"version": settings.VERSION, "environment": settings.ENVIRONMENT, "utc": iso(now().astimezone(UTC))}


def _tenant(principal: Principal, config: TenantConfig | None) -> dict[str, Any]:
    if config is None:
        return {"id": str(principal.tenant_id)}
    quotas = config.settings.quotas.model_dump(mode="json")
    return {
        "id": str(principal.tenant_id),
        "slug": config.slug,
        "quotas": {name: limit for name, limit in quotas.items() if limit is not None},
        "features": config.settings.features,
    }


def _user(principal: Principal) -> dict[str, Any]:
    return {
        "sub": principal.sub,
        "roles": sorted(principal.roles),
        "scopes": sorted(principal.scopes),
        "permissions": sorted(rbac.permissions_of(principal)),
        "acts_for_another_tenant": principal.home_tenant_id is not None,
    }


def _run(principal: Principal, run_id: UUID) -> RunStateOut:
    run = runs.get_run(principal, run_id)
    steps = runs.list_steps(run)
    with tenant_scope(run.tenant_id):
        waiting = approvals.visible_to(principal).filter(run_id=run.id, status=PENDING, expires_at__gt=now())
        waits_for = list(waiting.values_list("id", flat=True))
    return RunStateOut(
        run_id=run.id,
        status=run.status,
        phase=run.phase,
        attempt=run.attempt,
        agent=run.agent_name,
        prompt=run.prompt[:PROMPT_CHARS],
        session_id=run.session_id,
        job_id=run.job_id,
        waits_for_run=run.waits_for,
        waits_for_approvals=waits_for,
        todos=[{name: todo.get(name) for name in ("task", "kind", "status", "tool")} for todo in run.todos_json or []],
        steps=[_step(step) for step in steps[-STEPS_SHOWN:]],
        text=text_of(run)[:TEXT_CHARS],
        error=run.error_json,
        warnings=run.warnings_json or [],
        refused=run.refused,
        degraded=run.degraded,
        used_fallback=run.used_fallback,
        tokens=sum(step.tokens for step in steps),
        cost_usd=sum(step.cost_nano_usd for step in steps) / NANO,
        created_at=iso(run.created_at) or "",
        started_at=iso(run.started_at),
        finished_at=iso(run.finished_at),
    )


def _step(step: RunStep) -> dict[str, Any]:
    return {
        "index": step.index,
        "attempt": step.attempt,
        "action": step.action,
        "status": step.status,
        "latency_ms": step.latency_ms,
        "error": step.error,
    }


def _session(principal: Principal, session_id: UUID) -> SessionStateOut:
    document = session_document(principal, session_id)
    wanted = runs.RunFilter(owner_sub=document["owner_sub"], session_id=session_id)
    found: list[AgentRun] = runs.list_runs(principal, wanted, after=None, limit=RUNS_SHOWN)[0][:RUNS_SHOWN]
    return SessionStateOut(
        session_id=session_id,
        status=document["status"],
        title=document["title"],
        manager=document["manager"],
        when_busy=document["when_busy"],
        last_step_seq=document["last_step_seq"],
        expires_at=document["expires_at"],
        runs=[
            {"run_id": str(run.id), "status": run.status, "phase": run.phase, "agent": run.agent_name} for run in found
        ],
        open_runs=sum(run.status not in RUN_TERMINAL for run in found),
    )
