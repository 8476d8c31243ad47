"""What can be set per tenant: quotas, limits, feature flags, default model, PII mode. One validated document."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

PiiMode = Literal["mask", "hash", "remove", "off"]


class Quotas(BaseModel):
    """Ceilings of a tenant; null: none beyond the platform's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_day: int | None = Field(None, ge=0, description="API requests in any 24 hours.")
    concurrent_jobs: int | None = Field(None, ge=0, description="Jobs that are queued or running at once.")
    concurrent_runs: int | None = Field(None, ge=0, description="Runs of agents that are queued or running at once.")
    tokens_per_day: int | None = Field(None, ge=0, description="Tokens of language models in any 24 hours.")
    cost_usd_per_day: float | None = Field(None, ge=0, description="Money for language models in any 24 hours, USD.")
    file_bytes: int | None = Field(None, ge=0, description="Bytes of all files that are kept at once.")
    budget_warn_percent: int = Field(80, ge=1, le=100, description="From here on calls of language models are warned.")


class RateLimits(BaseModel):
    """Requests a minute; null: the platform's default (config/settings/rate_limits.py)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant_per_minute: int | None = Field(None, ge=1, description="All callers of the tenant together.")
    user_per_minute: int | None = Field(None, ge=1, description="Each caller, whatever its role.")
    users: dict[str, int] = Field(default_factory=dict, description="sub -> requests a minute, for single callers.")


class TenantSettings(BaseModel):
    """The part of a tenant that its administrators configure; stored as one JSON document."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quotas: Quotas = Quotas()
    rate_limits: RateLimits = RateLimits()
    features: dict[str, bool] = Field(default_factory=dict, description="Feature flags by name.")
    default_model: str | None = Field(None, max_length=255, description="Model used when a run names none.")
    pii_mode: PiiMode = "mask"


class TenantConfig(BaseModel):
    """What every layer may ask of a tenant; `tenant:config:{id}` in Redis holds it as JSON."""

    model_config = ConfigDict(frozen=True)

    tenant_id: UUID
    slug: str
    status: str
    settings: TenantSettings = TenantSettings()
    version: int = 1

    @property
    def is_active(self) -> bool:
        return self.status == "active"
