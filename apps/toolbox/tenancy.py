"""Tenants: which one this is, and for administrators of the platform all of them (contract 7.3, SPEC 2.5)."""

from typing import Annotated, Any, Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from django.utils.text import slugify
from pydantic import Field, JsonValue, StringConstraints

from apps.identity import rbac
from apps.identity.principal import Principal
from apps.identity.standing import is_platform_admin
from apps.ops.offboarding import begin_offboarding
from apps.tenancy import deletion, rights, selectors, services
from apps.tenancy.config import PiiMode, TenantSettings
from apps.tenancy.models import Tenant
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.spec import ToolInput, ToolOutput, tool
from kernel.clock import iso
from kernel.errors import ConflictError

# As the API takes them (apps/tenancy/schemas.py, which knows HTTP).
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"),
]
Slug = Annotated[str, StringConstraints(min_length=2, max_length=63, pattern=r"^[a-z0-9][a-z0-9-]*[a-z0-9]$")]
Email = Annotated[str, StringConstraints(max_length=254, pattern=r"^([^@\s\x00-\x1f]{1,64}@[A-Za-z0-9.-]{1,189})?$")]
Flag = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:-]+$")]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9_.:/@-]+$")]
Sub = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
Ceiling = Annotated[int, Field(ge=0, le=10**15)]
PerMinute = Annotated[int, Field(ge=1, le=10**9)]


class QuotasIn(ToolInput):
    requests_per_day: Ceiling | None = None
    concurrent_jobs: Ceiling | None = None
    concurrent_runs: Ceiling | None = None
    tokens_per_day: Ceiling | None = None
    cost_usd_per_day: float | None = Field(None, ge=0, le=10**9, allow_inf_nan=False)
    budget_warn_percent: int | None = Field(None, ge=1, le=100)


class RateLimitsIn(ToolInput):
    tenant_per_minute: PerMinute | None = None
    user_per_minute: PerMinute | None = None
    users: dict[Sub, PerMinute | None] | None = Field(None, max_length=1000)


class SettingsIn(ToolInput):
    quotas: QuotasIn | None = None
    rate_limits: RateLimitsIn | None = None
    features: dict[Flag, bool | None] | None = Field(None, max_length=200)
    default_model: ModelName | None = None
    pii_mode: PiiMode | None = None


class ManageIn(ToolInput):
    action: Literal["select", "list", "preview_delete", "create", "update", "delete"]
    tenant_id: UUID | None = Field(
        None, description="Which tenant; your own where it is left out. Not for list, create."
    )
    name: Name | None = None
    slug: Slug | None = Field(None, description="For create: a short name, which cannot be changed; else made of name.")
    admin_email: Email | None = None
    metadata: dict[str, JsonValue] | None = Field(
        None, max_length=200, description="Laid over what is there; null removes a member."
    )
    settings: SettingsIn | None = Field(None, description="What shall be different; null removes a member.")
    expected_version: int | None = Field(None, ge=1, description="For update: only if it is still at this version.")
    confirmation: str | None = Field(None, max_length=300, description="For delete: what preview_delete gave.")
    status: Literal["active", "suspended", "deleting"] | None = Field(None, description="For list: only these.")
    prefix: str = Field("", max_length=100, description="For list: how name or slug begin.")
    limit: int = Field(25, ge=1, le=50, description="For list: at most so many, newest first.")


class TenantShown(ToolOutput):
    tenant_id: UUID
    slug: str
    name: str
    status: str
    admin_email: str
    metadata: dict[str, Any]
    settings: dict[str, Any]
    version: int
    created_at: str | None
    updated_at: str | None


class ManageOut(ToolOutput):
    action: str
    tenant: TenantShown | None = None
    tenants: list[TenantShown] | None = None
    total: int | None = None
    is_own: bool | None = Field(None, description="With select: whether it is the tenant that your token names.")
    is_acted_for: bool | None = Field(None, description="With select: whether this call is made for it.")
    advice: str | None = None
    counts: dict[str, int | None] | None = Field(
        None, description="With preview_delete: rows that would go, by table; null: too many to count."
    )
    confirmation: str | None = Field(None, description="Good for ten minutes and this version of the tenant only.")
    expires_at: str | None = None
    job_id: UUID | None = Field(None, description="With delete: the job that exports and then erases the tenant.")


@tool(
    "tenancy.manage",
    effect="destructive",
    title="Tenants",
    permissions=("tenants:read",),
    reading_actions=("select", "list", "preview_delete"),
    example={"action": "select"},
    example_role="admin",
)
def manage(context: ToolContext, given: ManageIn) -> ManageOut:
    """Which tenant you work in, and managing tenants as far as you may.

    select shows a tenant, and how to work for another; list shows those you may see. update changes name, admin_email,
    metadata and settings: your own tenant's as its administrator, within what the platform allows. create, and
    deleting, are for administrators of the platform; delete closes the tenant at once and starts a job that exports
    and erases it: first preview_delete, then delete with its confirmation. An account for a new tenant is made with
    POST /v1/tenants, because its password must not pass through a tool.
    """
    principal = context.principal
    match given.action:
        case "select":
            return _select(principal, _seen(principal, given))
        case "list":
            return _list(principal, given)
        case "create":
            return _create(context, given)
        case "update":
            return _update(principal, given)
        case "preview_delete":
            return _preview(principal, _seen(principal, given))
        case "delete":
            return _delete(principal, given)


def _seen(principal: Principal, given: ManageIn) -> Tenant:
    """The tenant that is meant, if the caller may see it; another's looks like one that never was."""
    tenant_id = given.tenant_id or principal.tenant_id
    rights.require_sight(principal, tenant_id)
    return selectors.get_tenant(tenant_id)


def _select(principal: Principal, tenant: Tenant) -> ManageOut:
    is_acted_for = tenant.id == principal.tenant_id
    if is_acted_for:
        advice = "Everything you do here is done in this tenant."
    else:
        advice = f"A call works for this tenant when its request carries the header X-Tenant-Id: {tenant.slug}."
    if is_acted_for and principal.home_tenant_id is not None:
        advice += " Without the header X-Tenant-Id you work in your own."
    return ManageOut(
        action="select",
        tenant=_shown(tenant),
        is_own=tenant.id == principal.own_tenant_id,
        is_acted_for=is_acted_for,
        advice=advice,
    )


def _list(principal: Principal, given: ManageIn) -> ManageOut:
    if "\0" in given.prefix:
        raise ToolFailed("prefix holds a character that no name has.", code="invalid_prefix")
    tenants, total = selectors.list_tenants(
        only=None if is_platform_admin(principal) else principal.tenant_id,
        statuses=[given.status] if given.status else [],
        prefix=given.prefix,
        after=None,
        limit=given.limit,
    )
    return ManageOut(action="list", tenants=[_shown(tenant) for tenant in tenants[: given.limit]], total=total)


def _create(context: ToolContext, given: ManageIn) -> ManageOut:
    rbac.require(context.principal, "tenants:create")
    rights.require_platform_admin(context.principal)
    if given.name is None:
        raise ToolFailed("A new tenant needs a name.", code="name_missing")
    mark = uuid5(NAMESPACE_URL, f"tenant:{context.idempotency_key}").hex[:8]
    slug = given.slug or f"{slugify(given.name).replace('_', '-')[:54].strip('-') or 'tenant'}-{mark}"
    try:
        tenant = services.create_tenant(
            slug,
            given.name,
            admin_email=given.admin_email or "",
            metadata=given.metadata,
            tenant_settings=_settings(given),
            by=context.principal,
        )
    except ConflictError:
        made = None if given.slug else selectors.tenant_by_slug(slug)  # by this very call, which is repeated
        if made is None:
            raise
        tenant = made
    return ManageOut(action="create", tenant=_shown(tenant))


def _update(principal: Principal, given: ManageIn) -> ManageOut:
    rbac.require(principal, "tenants:update")
    tenant = _seen(principal, given)
    change: dict[str, Any] = {}
    if given.name is not None:
        change["name"] = given.name
    if given.admin_email is not None:
        change["admin_email"] = given.admin_email
    if given.metadata is not None:
        change["metadata"] = given.metadata
    if given.settings is not None:
        change["settings"] = _settings(given)
    if not change:
        raise ToolFailed(
            "Say what shall be different: name, admin_email, metadata or settings.", code="nothing_to_change"
        )
    changed = services.change_tenant(tenant.id, change, by=principal, expected_version=given.expected_version)
    return ManageOut(action="update", tenant=_shown(changed))


def _preview(principal: Principal, tenant: Tenant) -> ManageOut:
    rbac.require(principal, "tenants:delete")
    rights.require_platform_admin(principal)
    counts, confirmation, expires_at = deletion.preview(tenant)
    return ManageOut(
        action="preview_delete",
        tenant=_shown(tenant),
        counts=counts,
        confirmation=confirmation,
        expires_at=iso(expires_at),
    )


def _delete(principal: Principal, given: ManageIn) -> ManageOut:
    rbac.require(principal, "tenants:delete")
    rights.require_platform_admin(principal)
    if given.tenant_id is None:
        raise ToolFailed("Say which tenant shall be deleted with tenant_id.", code="tenant_id_missing")
    tenant = _seen(principal, given)
    deletion.refuse_the_platforms_own(tenant)
    if given.confirmation is None:
        raise ToolFailed(
            "Deleting takes two steps: call preview_delete, look at the counts, and call delete with the confirmation "
            "given there, within ten minutes.",
            code="confirmation_required",
        )
    job_id = begin_offboarding(principal, tenant, confirm=given.confirmation)
    return ManageOut(action="delete", tenant=_shown(selectors.get_tenant(tenant.id)), job_id=job_id)


def _settings(given: ManageIn) -> dict[str, Any]:
    return {} if given.settings is None else given.settings.model_dump(mode="json", exclude_unset=True)


def _shown(tenant: Tenant) -> TenantShown:
    return TenantShown(
        tenant_id=tenant.id,
        slug=tenant.slug,
        name=tenant.name,
        status=tenant.status,
        admin_email=tenant.admin_email,
        metadata=tenant.metadata,
        settings=TenantSettings.model_validate(tenant.settings).model_dump(mode="json"),
        version=tenant.version,
        created_at=iso(tenant.created_at),
        updated_at=iso(tenant.updated_at),
    )
