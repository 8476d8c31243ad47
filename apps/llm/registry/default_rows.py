"""Writing who has which default, in a transaction that is open through the engine's door."""

from datetime import timedelta
from uuid import UUID

from apps.identity.principal import Principal
from apps.llm.defaults import database_time
from apps.llm.models import ModelDefault
from apps.llm.registry.transactions import audit
from kernel import engine_db


def write_default(
    scope: str, tenant_id: UUID | None, user_sub: str | None, instance_id: UUID, *, by: Principal | None
) -> ModelDefault:
    """Set the default. Its ``updated_at`` grows with each change: the cache goes by it (apps/llm/defaults.py)."""
    rows = ModelDefault.objects.using(engine_db.ALIAS).select_for_update()
    row = rows.filter(scope=scope, tenant_id=tenant_id, user_sub=user_sub).first()
    moment = database_time()
    if row is None:
        row = ModelDefault(scope=scope, tenant_id=tenant_id, user_sub=user_sub)
    else:
        moment = max(moment, row.updated_at + timedelta(microseconds=1))
        row.version += 1
    before = row.instance_id
    row.instance_id, row.updated_at = instance_id, moment
    row.updated_by = by.sub if by else ""
    row.save(using=engine_db.ALIAS)
    changes = {"scope": scope, "instance_id": [str(before) if before else None, str(instance_id)]}
    audit(tenant_id, by, "model_default.changed", row, changes)
    return row
