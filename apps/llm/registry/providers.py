"""Writing providers. A key is for one host: where the host changes, the key goes, unless a new one comes along."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pydantic
from django.db.models import Q

from apps.identity.principal import Principal
from apps.llm import keys
from apps.llm.documents import ProviderSettings
from apps.llm.models import ModelInstance, Provider
from apps.llm.net.addresses import checked_url
from apps.llm.registry import rights
from apps.llm.registry.transactions import audit, require_version, save_version, writing
from kernel import engine_db
from kernel.errors import ConflictError, NotFoundError, ValidationError
from kernel.faults import faults_of

NAME_TAKEN = "A provider of this name exists already."
PLATFORMS = "The platform's providers are"
SHOWN_NAMES = 10


@dataclass(frozen=True)
class Changed:
    """A provider after its change, and whether its key went with the old host."""

    provider: Provider
    key_cleared: bool


def register_provider(
    *,
    tenant_id: UUID | None,
    name: str,
    type: str,
    by: Principal | None,
    base_url: str = "",
    api_key: str = "",
    config: dict[str, Any] | None = None,
    priority: int = 100,
    enabled: bool = True,
) -> Provider:
    """A new provider of the tenant, or the platform's (None). ConflictError when the name is taken there."""
    rights.require_owner(by, tenant_id, PLATFORMS)
    address = checked_address(type, base_url)
    require_key_fits(type, api_key)
    row = Provider(
        tenant_id=tenant_id,
        name=name,
        type=type,
        base_url=address,
        config=checked_config(config or {}),
        priority=priority,
        enabled=enabled,
        key_hint=keys.hint_of(api_key),
    )
    with writing(tenant_id, NAME_TAKEN, code="provider_exists"):
        row.save(using=engine_db.ALIAS, force_insert=True)
        if api_key:
            keys.write_key(row.id, address, api_key)
        audit(tenant_id, by, "provider.registered", row, {**_told(row), "key": "set" if api_key else "none"})
        row.refresh_from_db(using=engine_db.ALIAS)
    return row


def change_provider(
    provider_id: UUID, change: dict[str, Any], *, by: Principal, expected_version: int | None = None
) -> Changed:
    """Change name, base_url, api_key (empty removes it), config (merged; null goes back to the default), priority,
    enabled. The kind of a provider cannot be changed."""
    seen = _seen(provider_id, by)
    fields: dict[str, Any] = {name: change[name] for name in ("name", "priority", "enabled") if name in change}
    api_key = change.get("api_key")
    if api_key:
        require_key_fits(seen.type, api_key)
    if "base_url" in change:
        fields["base_url"] = checked_address(seen.type, change["base_url"])
    with writing(seen.tenant_id, NAME_TAKEN, code="provider_exists"):
        row = _locked(provider_id, by)
        require_version(row, expected_version, "provider")
        if "config" in change:
            fields["config"] = merged_config(row.config, change["config"] or {})
        before = _told(row)
        moved = moves(row, fields.get("base_url", row.base_url))
        had_key = row.key_hint != "" or keys.is_stored(row.id)
        key_cleared = moved and had_key and not api_key
        if api_key:
            fields["key_hint"] = keys.hint_of(api_key)
        elif key_cleared or api_key == "":
            fields["key_hint"] = ""
        save_version(row, fields)
        if api_key:
            keys.write_key(row.id, row.base_url, api_key)
        elif key_cleared or api_key == "":
            keys.clear_key(row.id)
        changes = {name: [before[name], new] for name, new in _told(row).items() if before[name] != new}
        word = "set" if api_key else "cleared" if had_key and (key_cleared or api_key == "") else "kept"
        audit(row.tenant_id, by, "provider.updated", row, {"changes": changes, "key": word})
    return Changed(row, key_cleared)


def make_main(provider_id: UUID, *, by: Principal) -> Provider:
    """Make it the main provider of its owner, the tenant or the platform. ConflictError when it is disabled."""
    seen = _seen(provider_id, by)
    with writing(seen.tenant_id, "Another provider became the main one just now. Try again."):
        row = _locked(provider_id, by)
        if not row.enabled:
            raise ConflictError(
                f"{row.name} is disabled. Enable it before making it the main one.", code="provider_disabled"
            )
        if row.is_main:
            return row
        mains = Provider.objects.using(engine_db.ALIAS).select_for_update().filter(is_main=True)
        for former in mains.filter(tenant_id=row.tenant_id):
            save_version(former, {"is_main": False})
        save_version(row, {"is_main": True})
        audit(row.tenant_id, by, "provider.made_main", row, {"name": row.name})
    return row


def remove_provider(provider_id: UUID, *, by: Principal, expected_version: int | None = None) -> None:
    """Delete the provider and its key. ConflictError, which names them, while it has model instances."""
    seen = _seen(provider_id, by)
    with writing(seen.tenant_id, "The provider still has model instances. Delete them first.", code="provider_in_use"):
        row = _locked(provider_id, by)
        require_version(row, expected_version, "provider")
        instances = ModelInstance.objects.using(engine_db.ALIAS).filter(provider_id=row.id)
        own = instances.filter(tenant_id=row.tenant_id).order_by("instance_name")
        names = list(own.values_list("instance_name", flat=True)[:SHOWN_NAMES])
        if count := instances.count():
            raise ConflictError(
                f"The provider still has {count} model instance(s). Delete them first.",
                code="provider_in_use",
                instances=names,
                instance_count=count,
            )
        told, key = _told(row), row.pk
        keys.clear_key(row.id)
        row.delete(using=engine_db.ALIAS)
        row.pk = key
        audit(row.tenant_id, by, "provider.deleted", row, told)


def checked_address(type: str, base_url: str) -> str:
    """The address as it is stored. ValidationError for one that a provider cannot have."""
    if type == "demo":
        if base_url:
            raise ValidationError("The demo provider has no base_url: leave it away.", code="base_url_refused")
        return ""
    if not base_url:
        raise ValidationError(f"A provider of type {type} needs a base_url.", code="base_url_missing")
    return checked_url(base_url)


def checked_config(config: dict[str, Any]) -> dict[str, Any]:
    """The settings as they are stored: what was said, without the defaults."""
    try:
        return ProviderSettings.model_validate(config).model_dump(mode="json", exclude_defaults=True)
    except pydantic.ValidationError as error:
        raise ValidationError("Request validation failed", errors=faults_of(error, "body", "config")) from error


def merged_config(held: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """``change`` laid over the settings; null goes back to the default."""
    return checked_config({name: value for name, value in {**held, **change}.items() if value is not None})


def require_key_fits(type: str, api_key: str) -> None:
    """ValidationError for a key that nobody would be sent."""
    if type == "demo" and api_key:
        raise ValidationError("The demo provider takes no key: leave api_key away.", code="api_key_refused")


def moves(provider: Provider, base_url: str) -> bool:
    """Whether the provider would be at another scheme, host or port: elsewhere than its key is for."""
    return keys.place_of(provider.base_url) != keys.place_of(base_url)


def _seen(provider_id: UUID, by: Principal | None) -> Provider:
    """NotFoundError for what the caller does not see, ForbiddenError for what it only sees."""
    row = visible(Provider.objects.using(engine_db.ALIAS), by).filter(id=provider_id).first()
    if row is None:
        raise NotFoundError("There is no such provider.", code="provider_not_found")
    rights.require_owner(by, row.tenant_id, PLATFORMS)
    return row


def _locked(provider_id: UUID, by: Principal | None) -> Provider:
    row = visible(Provider.objects.using(engine_db.ALIAS), by).select_for_update().filter(id=provider_id).first()
    if row is None:
        raise NotFoundError("There is no such provider.", code="provider_not_found")
    return row


def visible(rows: Any, by: Principal | None) -> Any:
    """Those of the rows that the caller sees: its tenant's and the platform's."""
    return rows.all() if by is None else rows.filter(Q(tenant_id=by.tenant_id) | Q(tenant_id=None))


def _told(row: Provider) -> dict[str, Any]:
    """What the audit log says of a provider. No key, nothing of one."""
    names = ("name", "type", "base_url", "config", "priority", "enabled")
    return {name: getattr(row, name) for name in names}
