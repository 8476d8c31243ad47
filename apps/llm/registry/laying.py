"""Laying a manifest over the rows that are there, and laying back what it found. Within the caller's transaction."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.identity.principal import Principal
from apps.llm import keys
from apps.llm.documents import Manifest, ManifestModel, ManifestProvider
from apps.llm.models import ModelDefault, ModelInstance, Provider
from apps.llm.registry.instances import delete_with_defaults, told
from apps.llm.registry.providers import moves
from apps.llm.registry.transactions import save_version
from kernel import engine_db
from kernel.errors import ConflictError

PROVIDER_FIELDS = ("name", "base_url", "config", "priority", "enabled")
NANO_PER_TOKEN = 1_000  # billionths of a US dollar per token, in one US dollar per million tokens


@dataclass
class Laid:
    """What was made, changed and removed, by name; ``before`` is what `lay_back` needs."""

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    keys_cleared: list[str] = field(default_factory=list)
    defaults_gone: list[tuple[ModelDefault, datetime]] = field(default_factory=list)
    before: dict[str, Any] = field(default_factory=lambda: {"providers": [], "instances": []})

    def as_json(self) -> dict[str, Any]:
        return {
            "created": self.created,
            "changed": self.changed,
            "removed": self.removed,
            "keys_cleared": self.keys_cleared,
            "defaults_removed": len(self.defaults_gone),
        }


def lay_over(manifest: Manifest, *, tenant_id: UUID | None, by: Principal | None) -> Laid:
    """Make or change each provider and each of its models; what the manifest does not name stays as it is."""
    laid = Laid()
    for wanted in manifest.providers:
        provider = _lay_provider(wanted, tenant_id, laid)
        for model in wanted.models:
            _lay_instance(model, provider, by, laid)
    return laid


def lay_back(before: dict[str, Any]) -> Laid:
    """Remove what the activation made and restore what it changed. ConflictError while what it made is in use.

    A key that went with its host does not come back. What was deleted by hand since stays deleted.
    """
    laid = Laid()
    for entry in reversed(before.get("instances", [])):
        rows = ModelInstance.objects.using(engine_db.ALIAS).select_for_update()
        row = rows.filter(id=entry["id"]).first()
        if row is None:
            continue
        if entry["was"] is None:
            laid.removed.append(row.instance_name)
            laid.defaults_gone += delete_with_defaults(row)
        else:
            save_version(row, {**entry["was"], "provider_id": UUID(entry["was"]["provider_id"])})
            laid.changed.append(row.instance_name)
    for entry in reversed(before.get("providers", [])):
        provider = Provider.objects.using(engine_db.ALIAS).select_for_update().filter(id=entry["id"]).first()
        if provider is None:
            continue
        if entry["was"] is None:
            _remove_provider(provider, laid)
        else:
            _change_provider(provider, entry["was"], laid)
    return laid


def _lay_provider(wanted: ManifestProvider, tenant_id: UUID | None, laid: Laid) -> Provider:
    fields = {
        "base_url": wanted.base_url,
        "config": wanted.config.model_dump(mode="json", exclude_defaults=True),
        "priority": wanted.priority,
        "enabled": wanted.enabled,
    }
    rows = Provider.objects.using(engine_db.ALIAS).select_for_update()
    row = rows.filter(tenant_id=tenant_id, name=wanted.name).first()
    if row is None:
        row = Provider(tenant_id=tenant_id, name=wanted.name, type=wanted.type, **fields)
        row.save(using=engine_db.ALIAS, force_insert=True)
        laid.created.append(row.name)
        laid.before["providers"].append({"id": str(row.id), "was": None})
        return row
    if row.type != wanted.type:
        raise ConflictError(
            f"{row.name} is a provider of type {row.type} here. Name it otherwise in the manifest.",
            code="provider_type_differs",
        )
    laid.before["providers"].append({"id": str(row.id), "was": {name: getattr(row, name) for name in PROVIDER_FIELDS}})
    _change_provider(row, fields, laid)
    return row


def _change_provider(row: Provider, fields: dict[str, Any], laid: Laid) -> None:
    if moves(row, fields["base_url"]) and keys.is_stored(row.id):
        keys.clear_key(row.id)
        fields = {**fields, "key_hint": ""}
        laid.keys_cleared.append(row.name)
    save_version(row, fields)
    laid.changed.append(row.name)


def _remove_provider(row: Provider, laid: Laid) -> None:
    count = ModelInstance.objects.using(engine_db.ALIAS).filter(provider_id=row.id).count()
    if count:
        raise ConflictError(
            f"{row.name} came with this manifest and has {count} model instance(s) that did not. Delete them first.",
            code="provider_in_use",
            instance_count=count,
        )
    laid.removed.append(row.name)
    keys.clear_key(row.id)
    row.delete(using=engine_db.ALIAS)


def _lay_instance(wanted: ManifestModel, provider: Provider, by: Principal | None, laid: Laid) -> None:
    fields = wanted.model_dump(mode="json", exclude={"input_usd_per_mtok", "output_usd_per_mtok"})
    fields["input_nano_usd"] = _nano(wanted.input_usd_per_mtok)
    fields["output_nano_usd"] = _nano(wanted.output_usd_per_mtok)
    fields["provider_id"] = provider.id
    rows = ModelInstance.objects.using(engine_db.ALIAS).select_for_update()
    row = rows.filter(tenant_id=provider.tenant_id, instance_name=wanted.instance_name).first()
    if row is None:
        row = ModelInstance(tenant_id=provider.tenant_id, created_by=by.sub if by else "", **fields)
        row.save(using=engine_db.ALIAS, force_insert=True)
        laid.created.append(row.instance_name)
        laid.before["instances"].append({"id": str(row.id), "was": None})
        return
    was = {**told(row), "provider_id": str(row.provider_id)}
    laid.before["instances"].append({"id": str(row.id), "was": was})
    save_version(row, fields)
    laid.changed.append(row.instance_name)


def _nano(usd_per_mtok: float | None) -> int | None:
    return None if usd_per_mtok is None else round(usd_per_mtok * NANO_PER_TOKEN)
