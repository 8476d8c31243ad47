"""Writing model instances."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.identity.principal import Principal
from apps.llm import defaults
from apps.llm.models import ModelDefault, ModelInstance, Provider
from apps.llm.registry import rights
from apps.llm.registry.default_rows import write_default
from apps.llm.registry.parameters import checked_parameters
from apps.llm.registry.providers import visible
from apps.llm.registry.transactions import audit, require_version, save_version, writing
from kernel import engine_db
from kernel.errors import ConflictError, NotFoundError, ValidationError

NAME_TAKEN = "A model instance of this name exists already."
PLATFORMS = "The platform's model instances are"
PRICES = frozenset({"input_nano_usd", "output_nano_usd"})
TOLD = (
    "instance_name", "model_id", "model_uri", "description", "context_window", "max_output_tokens", "modalities",
    "supports_tools", "parameters", "input_nano_usd", "output_nano_usd", "enabled",
)  # fmt: skip


@dataclass(frozen=True)
class Created:
    """A model instance, whether an earlier request had made it, and whether it became its creator's default."""

    instance: ModelInstance
    replayed: bool
    is_default: bool = False


def create_instance(
    *,
    tenant_id: UUID | None,
    provider_id: UUID,
    fields: dict[str, Any],
    by: Principal | None,
    idempotency_key: str | None = None,
) -> Created:
    """A new model instance; ``fields`` are columns of ModelInstance. It becomes its creator's default if it has none.

    ConflictError when the name is taken; ValidationError when the key was used for another body.
    """
    rights.require_owner(by, tenant_id, PLATFORMS)
    digest = hashlib.sha256(
        json.dumps([tenant_id, provider_id, fields], sort_keys=True, default=str).encode()
    ).hexdigest()
    key = None if idempotency_key is None else _key_of(by, idempotency_key)
    if key is not None and (made := _made_before(tenant_id, key, digest)):
        return Created(made, True)
    provider = visible(Provider.objects.using(engine_db.ALIAS), by).filter(id=provider_id).first()
    if provider is None:
        raise NotFoundError("There is no such provider.", code="provider_not_found")
    if provider.tenant_id is not None and provider.tenant_id != tenant_id:
        raise ValidationError(
            "A tenant's provider cannot have model instances of the platform's.", code="provider_of_a_tenant"
        )
    rights.require_spending(by, provider)
    require_fits(fields)
    row = ModelInstance(
        tenant_id=tenant_id,
        provider=provider,
        created_by=by.sub if by else "",
        idempotency_key=key,
        request_hash=digest,
        **{**fields, "parameters": checked_parameters(fields.get("parameters", {}))},
    )
    default = None
    try:
        with writing(tenant_id, NAME_TAKEN, code="model_instance_exists"):
            row.save(using=engine_db.ALIAS, force_insert=True)
            row.refresh_from_db(using=engine_db.ALIAS)
            row.provider = provider  # forgotten by the refresh
            default = _first_default(row, by)
            audit(tenant_id, by, "model_instance.created", row, {**told(row), "provider": provider.name})
    except ConflictError:
        if key is not None and (made := _made_before(tenant_id, key, digest)):
            return Created(made, True)
        raise
    if default is not None:
        defaults.publish(default)
    return Created(row, False, default is not None)


def change_instance(
    instance_id: UUID, fields: dict[str, Any], *, by: Principal, expected_version: int | None = None
) -> ModelInstance:
    """Change columns of the model instance. PreconditionFailedError when it is not at ``expected_version`` any more."""
    seen = _seen(instance_id, by)
    if PRICES & fields.keys():
        rights.require_spending(by, seen.provider)
    if "parameters" in fields:
        fields = {**fields, "parameters": checked_parameters(fields["parameters"])}
    with writing(seen.tenant_id, NAME_TAKEN, code="model_instance_exists"):
        row = _locked(instance_id, by)
        require_version(row, expected_version, "model instance")
        require_fits({**told(row), **fields})
        before = told(row)
        changes = {name: [before[name], value] for name, value in fields.items() if before[name] != value}
        if changes:
            save_version(row, fields)
            audit(row.tenant_id, by, "model_instance.updated", row, {"changes": changes})
    return row


def remove_instance(instance_id: UUID, *, by: Principal, expected_version: int | None = None) -> int:
    """Delete the model instance. How many defaults went with it: of the tenant, its users, or the platform."""
    seen = _seen(instance_id, by)
    with writing(seen.tenant_id, "Somebody made it a default just now. Try again."):
        row = _locked(instance_id, by)
        require_version(row, expected_version, "model instance")
        gone = delete_with_defaults(row)
        audit(row.tenant_id, by, "model_instance.deleted", row, {**told(row), "defaults_removed": len(gone)})
    for default, moment in gone:
        defaults.publish_absence(default, moment)
    return len(gone)


def delete_with_defaults(row: ModelInstance) -> list[tuple[ModelDefault, datetime]]:
    """Delete a locked row and whatever names it as a default, which the caller tells the cache after the commit."""
    pointing = ModelDefault.objects.using(engine_db.ALIAS).filter(instance_id=row.pk)
    gone = [(default, defaults.database_time()) for default in pointing.select_for_update()]
    key = row.pk
    row.delete(using=engine_db.ALIAS)
    row.pk = key
    return gone


def note_loaded(instance_id: UUID, *, by: Principal | None) -> ModelInstance:
    """A warm-up had the model ready."""
    return _note(instance_id, by, is_loaded=True)


def note_unloaded(instance_id: UUID, *, by: Principal | None) -> ModelInstance:
    """Its provider gave back the model's memory."""
    return _note(instance_id, by, is_loaded=False)


def _note(instance_id: UUID, by: Principal | None, *, is_loaded: bool) -> ModelInstance:
    seen = _seen(instance_id, by)
    with writing(seen.tenant_id, "The model instance was changed just now. Try again."):
        row = _locked(instance_id, by)
        row.loaded_at = defaults.database_time() if is_loaded else None
        row.save(using=engine_db.ALIAS, update_fields=["loaded_at"])
        action = "model_instance.warmed_up" if is_loaded else "model_instance.unloaded"
        audit(row.tenant_id, by, action, row, {"instance_name": row.instance_name})
    return row


def require_fits(fields: dict[str, Any]) -> None:
    """ValidationError where an answer would be longer than the window it must fit into."""
    window = fields.get("context_window", ModelInstance._meta.get_field("context_window").default)
    longest = fields.get("max_output_tokens", ModelInstance._meta.get_field("max_output_tokens").default)
    if longest > window:
        raise ValidationError(
            f"max_output_tokens ({longest}) must not exceed context_window ({window}).", code="window_too_small"
        )


def told(row: ModelInstance) -> dict[str, Any]:
    """What the audit log and manifests know of a model instance."""
    return {name: getattr(row, name) for name in TOLD}


def _first_default(row: ModelInstance, by: Principal | None) -> ModelDefault | None:
    """The creator's own default, unless it has one or acts for another tenant."""
    if by is None or by.home_tenant_id is not None or not row.enabled:
        return None
    held = ModelDefault.objects.using(engine_db.ALIAS).filter(scope="user", tenant_id=by.tenant_id, user_sub=by.sub)
    if held.exists():
        return None
    return write_default("user", by.tenant_id, by.sub, row.id, by=by)


def _key_of(by: Principal | None, key: str) -> str:
    """Two callers' keys are two keys, whatever they are."""
    owner = f"{by.own_tenant_id}:{by.sub}" if by else ""
    return hashlib.sha256(f"{owner}:{key}".encode()).hexdigest()


def _made_before(tenant_id: UUID | None, key: str, digest: str) -> ModelInstance | None:
    rows = ModelInstance.objects.using(engine_db.ALIAS).select_related("provider")
    made = rows.filter(tenant_id=tenant_id, idempotency_key=key).first()
    if made is not None and made.request_hash != digest:
        raise ValidationError(
            "This Idempotency-Key was used for another request. Use a new key.", code="idempotency_key_reused"
        )
    return made


def _seen(instance_id: UUID, by: Principal | None) -> ModelInstance:
    """NotFoundError for what the caller does not see, ForbiddenError for what it only sees."""
    rows = visible(ModelInstance.objects.using(engine_db.ALIAS).select_related("provider"), by)
    row: ModelInstance | None = rows.filter(id=instance_id).first()
    if row is None:
        raise NotFoundError("There is no such model instance.", code="model_not_found")
    rights.require_owner(by, row.tenant_id, PLATFORMS)
    return row


def _locked(instance_id: UUID, by: Principal | None) -> ModelInstance:
    rows = visible(ModelInstance.objects.using(engine_db.ALIAS).select_related("provider"), by)
    row: ModelInstance | None = rows.select_for_update(of=("self",)).filter(id=instance_id).first()
    if row is None:
        raise NotFoundError("There is no such model instance.", code="model_not_found")
    return row
