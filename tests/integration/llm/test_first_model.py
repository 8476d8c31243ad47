"""The demo model that a new installation has."""

import pytest

from apps.llm import gateway
from apps.llm.models import ModelDefault, ModelInstance, Provider
from apps.llm.types import CompletionRequest, Message
from apps.ops.first_model import ensure_first_model
from apps.tenancy.models import Tenant
from kernel import engine_db


@pytest.mark.requirement("llm:first-model")
def test_a_new_installation_answers_and_preparing_it_again_changes_nothing(tenant: Tenant) -> None:
    instance = ModelInstance.objects.using(engine_db.ALIAS).get(tenant_id=None, instance_name="demo")
    default = ModelDefault.objects.using(engine_db.ALIAS).get(scope="global")

    result = gateway.complete(CompletionRequest(tenant.id, "ada", (Message("user", "Hello"),)))
    again = ensure_first_model()

    assert (result.instance, result.provider_type, result.cost.nano_usd) == ("demo", "demo", 0)
    assert result.text
    assert not again and default.instance_id == instance.id
    assert Provider.objects.using(engine_db.ALIAS).filter(tenant_id=None, name="demo").count() == 1
