"""Setting and taking away who has which default model."""

from uuid import UUID

from apps.identity.principal import Principal
from apps.llm import defaults, selectors
from apps.llm.models import ModelDefault, ModelInstance
from apps.llm.registry import rights
from apps.llm.registry.default_rows import write_default
from apps.llm.registry.transactions import audit, writing
from kernel import engine_db
from kernel.errors import ConflictError, ForbiddenError, NotFoundError


def set_default(
    scope: defaults.Scope, *, by: Principal, instance_id: UUID | None = None, name: str | None = None
) -> ModelInstance:
    """Make the instance of this id, or else name, the default of the caller, its tenant or the platform.

    ForbiddenError unless the caller may; NotFoundError for an unknown instance, ConflictError for a disabled one.
    """
    tenant_id, user_sub = _owner(scope, by)
    instance = selectors.find_instance(by.tenant_id, instance_id=instance_id, name=name)
    if not by.is_admin and not (instance.enabled and instance.provider.enabled):
        raise NotFoundError("There is no such model instance.", code="model_not_found")
    if not (instance.enabled and instance.provider.enabled):
        raise ConflictError(f"{instance.instance_name} is disabled. Choose another.", code="model_disabled")
    if scope == "global" and instance.tenant_id is not None:
        raise ConflictError(
            f"{instance.instance_name} is a tenant's: the platform's default must be one of the platform's.",
            code="model_of_a_tenant",
        )
    with writing(tenant_id, "The model instance was deleted, or became a default, just now. Try again."):
        row = write_default(scope, tenant_id, user_sub, instance.id, by=by)
    defaults.publish(row)
    return instance


def take_default_away(scope: defaults.Scope, *, by: Principal) -> None:
    """From now on the next scope's counts. NotFoundError when none is set."""
    tenant_id, user_sub = _owner(scope, by)
    with writing(tenant_id, "The default was changed just now. Try again."):
        rows = ModelDefault.objects.using(engine_db.ALIAS).select_for_update()
        row = rows.filter(scope=scope, tenant_id=tenant_id, user_sub=user_sub).first()
        if row is None:
            raise NotFoundError("No default is set in this scope.", code="no_default_model")
        moment = defaults.database_time()
        key = row.pk
        row.delete(using=engine_db.ALIAS)
        row.pk = key
        audit(tenant_id, by, "model_default.removed", row, {"scope": scope, "instance_id": str(row.instance_id)})
    defaults.publish_absence(row, moment)


def _owner(scope: defaults.Scope, by: Principal) -> tuple[UUID | None, str | None]:
    """Tenant and user of the row."""
    if scope == "user":
        return by.tenant_id, by.sub
    if scope == "global":
        rights.require_platform_admin(by, "The platform's default is")
        return None, None
    if not by.is_admin:
        raise ForbiddenError(
            "Only an administrator may set the tenant's default. Yours is set with X-Default-Scope: user.",
            code="admin_required",
            required_role="admin",
        )
    return by.tenant_id, None
