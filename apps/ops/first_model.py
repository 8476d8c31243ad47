"""The model that a new installation answers with: the demo provider, which needs no network and costs nothing."""

from apps.llm import defaults
from apps.llm.models import ModelDefault, ModelInstance, Provider
from apps.llm.registry import manifests
from apps.llm.registry.default_rows import write_default
from apps.llm.registry.transactions import writing
from kernel import engine_db
from kernel.errors import ConflictError

BUILTIN = "demo"  # apps/llm/builtins/demo.json


def ensure_first_model() -> bool:
    """Activate the builtin manifest and make its model the platform's default, where the platform has no provider.

    True when it did. What an administrator changed or disabled stays as it is.
    """
    if Provider.objects.using(engine_db.ALIAS).filter(tenant_id=None).exists():
        return False
    try:
        manifests.activate(manifests.stage(tenant_id=None, by=None, builtin=BUILTIN).id, by=None)
        instance = ModelInstance.objects.using(engine_db.ALIAS).get(tenant_id=None, instance_name=BUILTIN)
        with writing(None, "The platform's default was set just now."):
            if ModelDefault.objects.using(engine_db.ALIAS).filter(scope="global").exists():
                return True
            row = write_default("global", None, None, instance.id, by=None)
    except ConflictError:  # another process was first
        return False
    defaults.publish(row)
    return True
