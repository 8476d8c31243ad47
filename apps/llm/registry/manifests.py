"""Manifests: documents that list providers and models. Staged, activated as a whole, and gone back from.

What a manifest says is checked as if it were entered by hand. It holds no keys: a provider whose host it changes loses
its own.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pydantic

from apps.identity.principal import Principal
from apps.llm import defaults
from apps.llm.documents import Manifest
from apps.llm.models import ProviderManifest
from apps.llm.registry import builtins, rights
from apps.llm.registry.instances import require_fits
from apps.llm.registry.laying import Laid, lay_back, lay_over
from apps.llm.registry.parameters import checked_parameters
from apps.llm.registry.providers import checked_address, checked_config, visible
from apps.llm.registry.transactions import audit, writing
from kernel import engine_db
from kernel.errors import ConflictError, NotFoundError, ValidationError
from kernel.faults import faults_of
from kernel.payloads import unstorable

STAGED, ACTIVE, SUPERSEDED, ROLLED_BACK = "staged", "active", "superseded", "rolled_back"
PLATFORMS = "The platform's manifests are"
CHANGED = "A provider or a model instance was changed just now, or its name is taken. Try again."


def stage(
    *, tenant_id: UUID | None, by: Principal | None, document: dict[str, Any] | None = None, builtin: str | None = None
) -> ProviderManifest:
    """Check the document, or that of a builtin, and keep it for activation. Nothing changes yet."""
    rights.require_owner(by, tenant_id, PLATFORMS)
    checked = checked_document(builtins.document_of(builtin) if builtin is not None else document or {})
    text = json.dumps(checked, sort_keys=True)
    row = ProviderManifest(
        tenant_id=tenant_id,
        name=checked["name"],
        document=checked,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        staged_by=by.sub if by else "",
    )
    with writing(tenant_id, CHANGED):
        row.save(using=engine_db.ALIAS, force_insert=True)
        row.refresh_from_db(using=engine_db.ALIAS)
        audit(tenant_id, by, "manifest.staged", row, {"name": row.name, "sha256": row.sha256})
    return row


def activate(manifest_id: UUID, *, by: Principal | None) -> tuple[ProviderManifest, Laid]:
    """Lay the manifest over its owner's providers and instances, all of it or nothing; and what that changed.

    ConflictError when it is active already, or names a provider that is of another type here.
    """
    seen = _seen(manifest_id, by)
    checked_document(seen.document)  # an address may lead elsewhere by now
    with _alone(seen.tenant_id):
        row = _locked(manifest_id)
        if row.state == ACTIVE:
            raise ConflictError("This manifest is active already.", code="manifest_active")
        laid = lay_over(Manifest.model_validate(row.document), tenant_id=row.tenant_id, by=by)
        _of(row.tenant_id).filter(state=ACTIVE).update(state=SUPERSEDED)
        row.state, row.before = ACTIVE, laid.before
        row.activated_by, row.activated_at = by.sub if by else "", defaults.database_time()
        row.save(using=engine_db.ALIAS)
        audit(row.tenant_id, by, "manifest.activated", row, {"name": row.name, **laid.as_json()})
    return row, laid


def roll_back(
    *, tenant_id: UUID | None, by: Principal | None, manifest_id: UUID | None = None
) -> tuple[ProviderManifest, Laid]:
    """Lay back what the activation of the active manifest found; the one before it is active again.

    ConflictError for a manifest that is not the active one, and while what it made is in use.
    """
    if manifest_id is not None:
        tenant_id = _seen(manifest_id, by).tenant_id
    rights.require_owner(by, tenant_id, PLATFORMS)
    with _alone(tenant_id):
        row = _of(tenant_id).select_for_update().filter(state=ACTIVE).first()
        if row is None:
            raise ConflictError("No manifest is active: there is nothing to go back from.", code="manifest_not_active")
        if manifest_id is not None and row.id != manifest_id:
            raise ConflictError(
                f"{row.name} is the active manifest. Go back from that one first.",
                code="manifest_not_active",
                active_manifest_id=str(row.id),
            )
        laid = lay_back(row.before or {})
        row.state = ROLLED_BACK
        row.save(using=engine_db.ALIAS, update_fields=["state"])
        former = _of(tenant_id).filter(state=SUPERSEDED).order_by("-activated_at").first()
        if former is not None:
            _of(tenant_id).filter(id=former.id).update(state=ACTIVE)
        audit(tenant_id, by, "manifest.rolled_back", row, {"name": row.name, **laid.as_json()})
    for default, moment in laid.defaults_gone:
        defaults.publish_absence(default, moment)
    return row, laid


def checked_document(document: dict[str, Any]) -> dict[str, Any]:
    """The document as it is stored: addresses normalised, defaults filled in. ValidationError with every fault."""
    if reason := unstorable(document):
        raise ValidationError(f"The manifest cannot be stored: {reason}.", code="invalid_manifest")
    try:
        manifest = Manifest.model_validate(document)
    except pydantic.ValidationError as error:
        raise ValidationError("Request validation failed", errors=faults_of(error, "body")) from error
    stored = manifest.model_dump(mode="json")
    for number, provider in enumerate(stored["providers"]):
        with _placed(provider["name"], "providers", number):
            provider["base_url"] = checked_address(provider["type"], provider["base_url"])
            provider["config"] = checked_config(provider["config"])
        for position, model in enumerate(provider["models"]):
            with _placed(model["instance_name"], "providers", number, "models", position):
                require_fits(model)
                checked_parameters(model["parameters"])
    return stored


@contextmanager
def _placed(name: str, *place: str | int) -> Iterator[None]:
    """A ValidationError on a part of the document says which part."""
    try:
        yield
    except ValidationError as error:
        found = error.errors or [{"loc": ["body"], "msg": error.detail, "type": error.code}]
        faults = [{**fault, "loc": ["body", *place, *fault["loc"][1:]]} for fault in found]
        raise ValidationError(f"{name}: {error.detail}", code=error.code, errors=faults) from error


@contextmanager
def _alone(tenant_id: UUID | None) -> Iterator[None]:
    """A transaction that no other manifest of this owner is activated or gone back from in."""
    with writing(tenant_id, CHANGED):
        with engine_db.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"manifests:{tenant_id}"])
        yield


def _of(tenant_id: UUID | None) -> Any:
    return ProviderManifest.objects.using(engine_db.ALIAS).filter(tenant_id=tenant_id)


def _seen(manifest_id: UUID, by: Principal | None) -> ProviderManifest:
    """NotFoundError for what the caller does not see, ForbiddenError for what it only sees."""
    rows = visible(ProviderManifest.objects.using(engine_db.ALIAS), by)
    row: ProviderManifest | None = rows.filter(id=manifest_id).first()
    if row is None:
        raise NotFoundError("There is no such manifest.", code="manifest_not_found")
    rights.require_owner(by, row.tenant_id, PLATFORMS)
    return row


def _locked(manifest_id: UUID) -> ProviderManifest:
    row = ProviderManifest.objects.using(engine_db.ALIAS).select_for_update().filter(id=manifest_id).first()
    if row is None:
        raise NotFoundError("There is no such manifest.", code="manifest_not_found")
    return row
