"""The wire shapes of health and of the index."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field


class CheckOut(BaseModel):
    """The state of one part of the platform."""

    ok: bool
    status: str
    latency_ms: float | None = Field(description="How long the look took; null without the scope system:status.")
    details: dict[str, Any] = Field(description="What was found out; empty without the scope system:status.")


class ComponentOut(CheckOut):
    """One part by name."""

    name: str
    time: datetime


class HealthOut(BaseModel):
    """The state of the platform and of its parts."""

    service: str
    version: str
    status: Literal["ok", "degraded", "down"]
    time: datetime
    checks: dict[str, CheckOut]


class IndexOut(BaseModel):
    """What answers here, and where things are."""

    service: str
    version: str
    env: str
    docs: str
    openapi: str
    health: str
    issuer: str
    metrics: str
