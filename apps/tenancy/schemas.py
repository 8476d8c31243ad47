"""The wire shapes of /v1/tenants (contract 1.6 as a superset)."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from apps.tenancy.config import PiiMode, Quotas, RateLimits, TenantSettings
from apps.tenancy.models import Tenant
from apps.tenancy.onboarding import FirstAdmin
from kernel.clock import iso
from kernel.errors import BadRequestError, PreconditionFailedError, PreconditionRequiredError
from kernel.web.etag import strong_etag
from kernel.web.fields import RequestBody

# Names are for people: any characters but control characters, stored and shown as they are.
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"),
]
Slug = Annotated[str, StringConstraints(min_length=2, max_length=63, pattern=r"^[a-z0-9][a-z0-9-]*[a-z0-9]$")]
Email = Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s\x00-\x1f]{1,64}@[A-Za-z0-9.-]{1,189}$")]
Username = Annotated[str, StringConstraints(min_length=3, max_length=150, pattern=r"^[A-Za-z0-9@.+_-]+$")]
Flag = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:-]+$")]
Sub = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9_.:/@-]+$")]
_STRICT = ConfigDict(extra="forbid", strict=True)
Status = Literal["active", "suspended", "deleting"]


class QuotasChange(RequestBody):
    """Ceilings; null takes one away."""

    model_config = _STRICT

    requests_per_day: int | None = Field(None, ge=0, le=10**12)
    concurrent_jobs: int | None = Field(None, ge=0, le=10**9)
    concurrent_runs: int | None = Field(None, ge=0, le=10**9)
    tokens_per_day: int | None = Field(None, ge=0, le=10**15)
    cost_usd_per_day: float | None = Field(None, ge=0, le=10**9, allow_inf_nan=False)
    budget_warn_percent: int | None = Field(None, ge=1, le=100)


class RateLimitsChange(RequestBody):
    """Requests a minute; null goes back to the platform's default."""

    model_config = _STRICT

    tenant_per_minute: int | None = Field(None, ge=1, le=10**9)
    user_per_minute: int | None = Field(None, ge=1, le=10**9)
    users: dict[Sub, Annotated[int, Field(ge=1, le=10**9)] | None] | None = Field(None, max_length=1000)


class SettingsChange(RequestBody):
    """What shall be different; whatever is left out stays."""

    model_config = _STRICT

    quotas: QuotasChange | None = None
    rate_limits: RateLimitsChange | None = None
    features: dict[Flag, bool | None] | None = Field(None, max_length=200)
    default_model: ModelName | None = None
    pii_mode: PiiMode | None = None


class FirstAdminCreate(RequestBody):
    """The account of the first administrator at the built-in issuer."""

    model_config = _STRICT

    email: Email
    username: Username | None = Field(None, description="The e-mail address when absent.")


class TenantCreate(RequestBody):
    """Body of POST /v1/tenants."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "name": "Genomics laboratory",
                    "slug": "genomics",
                    "admin_email": "ada@genomics.example",
                    "settings": {"quotas": {"concurrent_jobs": 100}, "pii_mode": "mask"},
                }
            ]
        },
    )

    name: Name
    slug: Slug | None = Field(None, description="Short name; made from the name when absent. Cannot be changed.")
    admin_email: Email | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict, max_length=200)
    settings: SettingsChange = Field(default_factory=SettingsChange)
    admin: FirstAdminCreate | None = Field(None, description="Also make an account; its password is answered once.")


class TenantChange(RequestBody):
    """Body of PATCH /v1/tenants/{id}: what shall be different; null removes a member of metadata or settings."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"metadata": {"contact": "room 4"}, "settings": {"pii_mode": "hash"}}]},
    )

    name: Name | None = None
    admin_email: Email | None = None
    metadata: dict[str, JsonValue] | None = Field(None, max_length=200)
    settings: SettingsChange | None = None

    def as_change(self) -> dict[str, Any]:
        """What apps.tenancy.services.change_tenant takes."""
        change = self.model_dump(mode="json", exclude_unset=True)
        if change.get("name", "") is None:
            del change["name"]  # a tenant cannot be without one
        if change.get("admin_email", "") is None:
            change["admin_email"] = ""
        return change


class SettingsOut(BaseModel):
    """Settings in force."""

    quotas: Quotas
    rate_limits: RateLimits
    features: dict[str, bool]
    default_model: str | None
    pii_mode: PiiMode


class TenantOut(BaseModel):
    """A tenant."""

    id: UUID
    name: str
    slug: str
    status: Status
    admin_email: str
    metadata: dict[str, Any]
    settings: SettingsOut
    version: int
    etag: str
    created_at: datetime
    updated_at: datetime


class FirstAdminOut(BaseModel):
    """The first administrator's account."""

    id: UUID
    username: str
    initial_password: str = Field(description="Shown this once.")


class TenantCreated(TenantOut):
    """Answer of POST /v1/tenants."""

    admin: FirstAdminOut | None


class TenantPage(BaseModel):
    """Answer of GET /v1/tenants."""

    items: list[TenantOut]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_page_token: str | None


class DeletionPreview(BaseModel):
    """What deleting would erase; null counts are too large to count at once."""

    tenant: TenantOut
    counts: dict[str, int | None]
    confirmation: str = Field(description="For DELETE ?confirm=; good for ten minutes and for this version only.")
    expires_at: datetime


class OffboardingAccepted(BaseModel):
    """Answer of the second DELETE: the job that exports and erases."""

    tenant_id: UUID
    status: Status
    job_id: UUID


def tenant_etag(tenant: Tenant) -> str:
    """Changes with every change."""
    return strong_etag(tenant.id, tenant.version)


def tenant_out(tenant: Tenant) -> dict[str, Any]:
    """A tenant as the API shows it."""
    return {
        "id": tenant.id,
        "name": tenant.name,
        "slug": tenant.slug,
        "status": tenant.status,
        "admin_email": tenant.admin_email,
        "metadata": tenant.metadata,
        "settings": TenantSettings.model_validate(tenant.settings).model_dump(mode="json"),
        "version": tenant.version,
        "etag": tenant_etag(tenant).strip('"'),
        "created_at": iso(tenant.created_at),
        "updated_at": iso(tenant.updated_at),
    }


def first_admin_out(admin: FirstAdmin | None) -> dict[str, str] | None:
    """The account, with its password."""
    return None if admin is None else {"id": admin.id, "username": admin.username, "initial_password": admin.password}


def version_meant(header: str | None, tenant: Tenant, *, required: bool) -> int | None:
    """The version that If-Match names: the present one, or an error; None for * and for an absent, optional header."""
    if header is None:
        if required:
            raise PreconditionRequiredError("Say with If-Match which version you mean to change: the ETag you read.")
        return None
    candidates = [part.strip().removeprefix("W/").strip('"') for part in header.split(",")]
    if "*" in candidates:
        return None
    if tenant_etag(tenant).strip('"') not in candidates:
        raise PreconditionFailedError(
            "The tenant was changed since you read it. Read it again and repeat your change.",
            current_version=tenant.version,
        )
    return tenant.version


def parse_tenant_id(raw: str) -> UUID:
    """A tenant id from the path; BadRequestError when it is no UUID."""
    if not re.fullmatch(r"[0-9a-fA-F-]{32,36}", raw):
        raise BadRequestError("A tenant id is a UUID.", code="invalid_tenant_id")
    try:
        return UUID(raw)
    except ValueError as error:
        raise BadRequestError("A tenant id is a UUID.", code="invalid_tenant_id") from error
