"""The wire shapes of what models and their books answer: defaults, trials, usage."""

import hashlib
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from apps.llm.catalogue import InstanceConfig
from apps.llm.money.ceilings import Budget
from apps.llm.money.usage import Standing, UsageReport
from apps.llm.types import NANO_USD, CompletionResult
from kernel.clock import iso

QUOTAS = {"day_nano_usd": "cost_usd_per_day", "day_tokens": "tokens_per_day"}  # ceiling -> the quota that sets it


class ChatDefaultOut(BaseModel):
    """The instance that answers."""

    model_config = ConfigDict(protected_namespaces=())

    instance_id: UUID
    name: str
    provider_id: UUID
    model_id: str


class DefaultOut(BaseModel):
    """Answer of GET /v1/models/defaults; the header X-Default-Scope says whose default it is."""

    chat: ChatDefaultOut
    default_instance_id: UUID
    etag: str


class DefaultChanged(BaseModel):
    """Answer of PATCH /v1/models/defaults."""

    ok: bool
    message: str
    instance_id: UUID | None
    instance_name: str | None


class InstanceDeleted(BaseModel):
    """Answer of DELETE /v1/models/instances/{id}."""

    id: UUID
    deleted: bool
    defaults_removed: int = Field(description="Defaults that named it: of users, the tenant, or the platform.")


class WarmedUp(BaseModel):
    """Answer of POST /v1/models/instances/{id}/warm-up."""

    id: UUID
    instance_name: str
    loaded: bool
    loaded_at: str | None
    latency_ms: float


class UsageOut(BaseModel):
    """Tokens of a call."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    is_estimated: bool = Field(description="The provider did not count: the platform did.")


class CostOut(BaseModel):
    """Money of a call."""

    usd: float
    priced_by: Literal["instance", "catalogue", "free", "unknown"]


class TrialOut(BaseModel):
    """Answer of POST /v1/models/instances/{id}/tests."""

    model_config = ConfigDict(protected_namespaces=())

    ok: bool
    text: str
    data: Any = Field(description="The parsed answer where a response_schema was given.")
    finish_reason: str
    provider: str
    provider_id: UUID
    instance_id: UUID
    instance_name: str
    model_id: str
    usage: UsageOut
    cost: CostOut
    latency_ms: float
    attempts: int
    budget_warnings: list[str] = Field(description="Budgets that are nearly spent.")
    call_id: UUID


class UsageRowOut(BaseModel):
    """Calls that belong together."""

    key: str
    calls: int
    failed: int
    lost: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cost_usd: float


class UsageReportOut(BaseModel):
    """Answer of GET /v1/models/usage."""

    since: str
    until: str
    group_by: str
    all_users: bool
    items: list[UsageRowOut]
    totals: UsageRowOut
    total: int = Field(description="How many groups there are; the dearest are shown.")


class BudgetOut(BaseModel):
    """A ceiling of 24 hours."""

    name: str = Field(description="The tenant's quota: cost_usd_per_day or tokens_per_day.")
    unit: Literal["usd", "tokens"]
    limit: float
    spent: float
    held: float
    left: float
    warning: str | None


class StandingOut(BaseModel):
    """Answer of GET /v1/models/budget: what the tenant spent in the last 24 hours, and what its ceilings leave."""

    spent_usd: float
    spent_tokens: int
    held_usd: float = Field(description="Of calls that are under way.")
    held_tokens: int
    budgets: list[BudgetOut]
    warnings: list[str]


def default_etag(instance: InstanceConfig, scope: str) -> str:
    """Quoted, as the predecessor made it: 16 digits of a digest of scope, instance and provider."""
    text = f"{scope}:{instance.id}:{instance.name}:{instance.provider.id}:{instance.model_id}"
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'


def default_out(instance: InstanceConfig, scope: str) -> dict[str, Any]:
    """A default as GET shows it."""
    return {
        "chat": {
            "instance_id": instance.id,
            "name": instance.name,
            "provider_id": instance.provider.id,
            "model_id": instance.model_id,
        },
        "default_instance_id": instance.id,
        "etag": default_etag(instance, scope).strip('"'),
    }


def trial_out(result: CompletionResult) -> dict[str, Any]:
    """A completion as a trial shows it."""
    return {
        "ok": True,
        "text": result.text,
        "data": result.data,
        "finish_reason": result.finish_reason,
        "provider": result.provider,
        "provider_id": result.provider_id,
        "instance_id": result.instance_id,
        "instance_name": result.instance,
        "model_id": result.model_id,
        "usage": {
            "input_tokens": result.usage.input_tokens,
            "output_tokens": result.usage.output_tokens,
            "total_tokens": result.usage.total_tokens,
            "is_estimated": result.usage.is_estimated,
        },
        "cost": {"usd": result.cost.usd, "priced_by": result.cost.priced_by},
        "latency_ms": result.latency_ms,
        "attempts": len(result.attempts),
        "budget_warnings": list(result.budget_warnings),
        "call_id": result.call_id,
    }


def usage_out(
    report: UsageReport, *, since: datetime, until: datetime, group_by: str, all_users: bool
) -> dict[str, Any]:
    """A report as the API shows it."""
    return {
        "since": iso(since),
        "until": iso(until),
        "group_by": group_by,
        "all_users": all_users,
        "items": [row.as_json() for row in report.rows],
        "totals": report.totals.as_json(),
        "total": report.groups,
    }


def standing_out(standing: Standing) -> dict[str, Any]:
    """The tenant's budgets as the API shows them."""
    return {
        "spent_usd": standing.spent_nano_usd / NANO_USD,
        "spent_tokens": standing.spent_tokens,
        "held_usd": standing.held_nano_usd / NANO_USD,
        "held_tokens": standing.held_tokens,
        "budgets": [_budget_out(QUOTAS[name], budget) for name, budget in standing.budgets.items()],
        "warnings": list(standing.warnings),
    }


def _budget_out(name: str, budget: Budget) -> dict[str, Any]:
    unit = NANO_USD if budget.unit == "usd" else 1
    amounts = {part: getattr(budget, part) / unit for part in ("limit", "spent", "held", "left")}
    return {"name": name, "unit": budget.unit, **amounts, "warning": budget.warning}
