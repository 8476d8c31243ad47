"""The tools of language models, over real HTTP to a server that speaks the providers' wires."""

import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.identity.principal import Principal
from apps.llm import keys
from apps.llm.calling import afterwards
from apps.llm.models import LlmCall, ModelInstance
from apps.tenancy.models import Tenant
from devkit.llm_stub import Stub, running_stub
from kernel.errors import ForbiddenError, ValidationError
from kernel.tenant_context import tenant_scope
from tests.factories import make_principal, make_tenant, platform_tenant
from tests.llm_factories import make_instance, make_provider
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:model")
KEY = "sk-the-very-secret-key-0123456789"


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with running_stub() as running:
        yield running


@pytest.fixture
def admin(tenant: Tenant) -> Principal:
    return make_principal(tenant, "admin")


@pytest.fixture
def local(tenant: Tenant, stub: Stub) -> ModelInstance:
    """A model of the tenant's own, where models are loaded and unloaded."""
    provider = make_provider(tenant.id, stub.url, type="ollama", max_retries=0)
    return make_instance(provider, f"phi-{uuid4().hex[:6]}", instance_name="local")


@pytest.fixture
def hosted(tenant: Tenant, stub: Stub) -> ModelInstance:
    """Another one, with a key and prices."""
    provider = make_provider(tenant.id, f"{stub.url}/v1", key=KEY, max_retries=0, first_byte_timeout_s=5, timeout_s=5)
    return make_instance(provider, "echo", instance_name="hosted", input_nano_usd=1000, output_nano_usd=2000)


def error_of(principal: Principal, name: str, arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
    outcome = call(principal, name, arguments, **more)
    assert outcome.error is not None, outcome.result
    return outcome.error


def books(tenant: Tenant) -> list[LlmCall]:
    assert afterwards.finish()
    with tenant_scope(tenant.id):
        return list(LlmCall.objects.order_by("started_at"))


def test_a_caller_sees_the_tenants_models_and_the_platforms(principal: Principal, hosted: ModelInstance) -> None:
    found = {one["model"]: one for one in result(principal, "model.list")["models"]}

    assert {"hosted", "demo"} <= set(found)
    assert (found["hosted"]["scope"], found["demo"]["scope"]) == ("tenant", "global")
    assert (found["hosted"]["input_usd_per_mtok"], found["hosted"]["output_usd_per_mtok"]) == (1.0, 2.0)
    assert [one["model"] for one in found.values() if one["is_default"]] == ["demo"]


def test_lists_are_narrowed_and_cut(principal: Principal, hosted: ModelInstance, local: ModelInstance) -> None:
    of_provider = result(principal, "model.list", {"provider": hosted.provider.name})
    one = result(principal, "model.list", {"limit": 1, "supports_tools": True})

    assert [model["model"] for model in of_provider["models"]] == ["hosted"]
    assert (len(one["models"]), one["total"] >= 3) == (1, True)


def test_what_is_disabled_is_for_administrators_to_see(
    principal: Principal, admin: Principal, hosted: ModelInstance
) -> None:
    with tenant_scope(principal.tenant_id):
        ModelInstance.objects.filter(id=hosted.id).update(enabled=False)

    seen = [{one["model"] for one in result(who, "model.list")["models"]} for who in (principal, admin)]

    assert ["hosted" in names for names in seen] == [False, True]
    assert error_of(principal, "model.info", {"model": "hosted"})["code"] == "model_not_found"
    assert result(admin, "model.info", {"model": "hosted"})["enabled"] is False


def test_a_model_is_told_by_name_by_id_and_as_the_default(principal: Principal, hosted: ModelInstance) -> None:
    by_name, by_id, default = (
        result(principal, "model.info", given) for given in ({"model": "hosted"}, {"model": str(hosted.id)}, {})
    )

    assert by_name == by_id
    assert (by_name["model_id"], by_name["circuit"], by_name["calls_under_way"]) == ("echo", "CLOSED", 0)
    assert (default["model"], default["is_default"]) == ("demo", True)


@pytest.mark.requirement("security:45")
def test_no_address_and_no_key_is_shown(principal: Principal, hosted: ModelInstance, stub: Stub) -> None:
    assert keys.read_key(hosted.provider_id, hosted.provider.base_url) == KEY
    asked: list[tuple[str, dict[str, Any]]] = [
        ("model.list", {}),
        ("model.info", {"model": "hosted"}),
        ("model.test", {"model": "hosted"}),
        ("model.switch", {"model": "hosted"}),
        ("agent.context", {}),
        *(("model.manage", {"action": action}) for action in ("list", "info", "get_default", "capabilities")),
    ]

    shown = str([call(principal, name, given) for name, given in asked])

    assert "hosted" in shown
    assert KEY not in shown and stub.url not in shown and "127.0.0.1" not in shown and "base_url" not in shown


def test_another_tenants_models_look_like_none(hosted: ModelInstance) -> None:
    stranger = make_principal(make_tenant(), "admin")
    wanted = [
        ("model.info", {}),
        ("model.switch", {}),
        ("model.test", {}),
        ("model.warmup", {}),
        *(("model.manage", {"action": action}) for action in ("info", "load", "unload", "set_default")),
    ]

    codes = {
        (named, name, error_of(stranger, name, {**given, "model": named})["code"])
        for name, given in wanted
        for named in ("hosted", str(hosted.id), str(uuid4()))
    }

    assert {code for _, _, code in codes} == {"model_not_found"}
    assert "hosted" not in {one["model"] for one in result(stranger, "model.list")["models"]}


def test_a_warm_up_loads_the_model_and_notes_when(admin: Principal, local: ModelInstance, stub: Stub) -> None:
    told: list[str] = []

    warmed = result(
        admin, "model.warmup", {"model": "local"}, report=lambda stage, message, percent: told.append(message)
    )

    assert (warmed["model"], warmed["tries"]) == ("local", 1)
    assert local.model_id in stub.loaded
    assert told == [f"local on {local.provider.name}"]
    assert result(admin, "model.info", {"model": "local"})["loaded_at"]


def test_a_warm_up_pauses_between_tries_and_ends_when_its_caller_leaves(
    admin: Principal, tenant: Tenant, settings: Any
) -> None:
    settings.LLM_WARM_UP_PAUSE_S = 60.0
    make_instance(make_provider(tenant.id, "http://127.0.0.1:9", type="ollama", max_retries=0), instance_name="away")
    left = time.monotonic() + 0.4

    cancelled = error_of(admin, "model.warmup", {"model": "away"}, cancelled=lambda: time.monotonic() > left)
    timed_out = error_of(admin, "model.warmup", {"model": "away"}, timeout_s=0.5)

    assert (cancelled["code"], timed_out["code"]) == ("tool_cancelled", "tool_timeout")


def test_a_model_is_loaded_and_its_memory_given_back(admin: Principal, local: ModelInstance, stub: Stub) -> None:
    loaded = result(admin, "model.manage", {"action": "load", "name": "local"})
    was_loaded = local.model_id in stub.loaded
    unloaded = result(admin, "model.manage", {"action": "unload", "model": "local"})

    assert (loaded["model"], loaded["said"]["tries"], was_loaded) == ("local", 1, True)
    assert (unloaded["model"], local.model_id in stub.loaded) == ("local", False)
    assert result(admin, "model.info", {"model": "local"})["loaded_at"] is None


def test_where_memory_is_the_providers_own_nothing_is_unloaded(admin: Principal, hosted: ModelInstance) -> None:
    refused = error_of(admin, "model.manage", {"action": "unload", "name": "hosted"})

    assert refused["code"] == "provider_unloads_nothing"


def test_the_platforms_models_are_its_administrators_to_load(admin: Principal, principal: Principal) -> None:
    platforms = make_principal(platform_tenant(), "admin")

    assert error_of(admin, "model.warmup", {"model": "demo"})["code"] == "model_not_found"
    assert error_of(principal, "model.manage", {"action": "load", "name": "demo"})["http_status"] == 403
    assert result(platforms, "model.warmup", {"model": "demo"})["tries"] == 1


def test_a_default_of_ones_own_goes_before_the_tenants(
    tenant: Tenant, principal: Principal, admin: Principal, local: ModelInstance, hosted: ModelInstance
) -> None:
    colleague = make_principal(tenant)
    result(admin, "model.switch", {"model": "local", "scope": "tenant"})

    mine = [result(principal, "model.switch", {"model": "hosted"}) for _ in range(2)]
    answers = [result(who, "model.manage", {"action": "get_default"})["said"] for who in (principal, colleague)]
    back = [result(principal, "model.switch", {"model": None}) for _ in range(2)]

    assert mine == [{"scope": "user", "model": "hosted", "answers": "hosted"}] * 2
    assert answers == [{"scope": "user", "answers": "hosted"}, {"scope": "tenant", "answers": "local"}]
    assert back == [{"scope": "user", "model": None, "answers": "local"}] * 2


def test_the_tenants_default_is_for_its_administrators(principal: Principal, local: ModelInstance) -> None:
    refused = error_of(principal, "model.switch", {"model": "local", "scope": "tenant"})
    through_manage = error_of(
        principal, "model.manage", {"action": "set_default", "name": "local", "scope": "tenant"}
    )  # fmt: skip

    assert (refused["code"], through_manage["code"]) == ("admin_required", "admin_required")
    assert result(principal, "model.info")["model"] == "demo"


def test_a_test_shows_answer_cost_and_attempts_and_is_booked(
    tenant: Tenant, principal: Principal, hosted: ModelInstance
) -> None:
    tried = result(principal, "model.test", {"prompt": "Hello there", "model": "hosted"})
    (row,) = books(tenant)

    assert (tried["ok"], tried["text"], tried["model"], tried["problem"]) == (
        True,
        "You said: Hello there",
        "hosted",
        "",
    )
    assert tried["cost_usd"] == pytest.approx(tried["input_tokens"] * 1e-6 + tried["output_tokens"] * 2e-6)
    assert [(one["model"], one["failure"]) for one in tried["attempts"]] == [("hosted", None)]
    assert (row.call_id, row.purpose, row.user_sub) == (UUID(tried["call_id"]), "test", principal.sub)


def test_a_model_that_fails_is_shown_failing_and_nobody_stands_in(
    tenant: Tenant, principal: Principal, local: ModelInstance, stub: Stub
) -> None:
    make_instance(make_provider(tenant.id, f"{stub.url}/v1", max_retries=0), "fail-500", instance_name="broken")

    tried = result(principal, "model.test", {"model": "broken"})

    assert (tried["ok"], tried["text"], tried["cost_usd"]) == (False, "", 0.0)
    assert [(one["model"], one["failure"]) for one in tried["attempts"]] == [("broken", "server")]
    assert tried["problem"]


@pytest.mark.parametrize(
    ("model_id", "ok", "data"),
    [('say:{"answer": "yes"}', True, {"answer": "yes"}), ("say:yes", False, None), ("say:{}", False, None)],
    ids=["fits", "prose", "misses"],
)
def test_validation_says_whether_a_model_keeps_to_a_schema(
    tenant: Tenant, principal: Principal, stub: Stub, model_id: str, ok: bool, data: Any
) -> None:
    make_instance(make_provider(tenant.id, f"{stub.url}/v1", max_retries=0), model_id, instance_name="sayer")

    tried = result(principal, "model.test", {"action": "validate", "model": "sayer"})

    assert (tried["ok"], tried["data"], bool(tried["problem"])) == (ok, data, not ok)


def test_the_model_of_a_new_installation_answers_and_keeps_to_a_schema(principal: Principal) -> None:
    tried = [result(principal, "model.test", {"action": action}) for action in ("test", "validate")]

    assert [(one["ok"], one["model"], one["cost_usd"]) for one in tried] == [(True, "demo", 0.0)] * 2
    assert tried[1]["data"]["answer"]


def test_a_test_whose_caller_leaves_is_cancelled(tenant: Tenant, principal: Principal, stub: Stub) -> None:
    provider = make_provider(tenant.id, f"{stub.url}/v1", max_retries=0)
    make_instance(provider, "slow-first-9", instance_name="slow")
    left = time.monotonic() + 0.3

    error = error_of(principal, "model.test", {"model": "slow"}, cancelled=lambda: time.monotonic() > left)

    assert error["code"] == "tool_cancelled"


def test_what_a_model_can_do_is_told(principal: Principal, hosted: ModelInstance) -> None:
    said = result(principal, "model.manage", {"action": "capabilities", "name": "hosted"})["said"]

    assert (said["text"], said["image"], said["tools"], said["context_window"]) == (True, False, True, 8192)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("model.list", {"limit": 0}),
        ("model.list", {"limit": "7"}),
        ("model.info", {"model": ""}),
        ("model.warmup", {}),
        ("model.switch", {}),
        ("model.switch", {"model": "m", "scope": "global"}),
        ("model.test", {"action": "probe"}),
        ("model.test", {"prompt": "x" * 4_001}),
        ("model.manage", {}),
        ("model.manage", {"action": "load"}),
        ("model.manage", {"action": "info", "name": "a", "model": "b"}),
    ],
)
def test_what_does_not_fit_is_refused(principal: Principal, name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(principal, name, arguments)


@pytest.mark.parametrize(
    ("role", "name", "arguments"),
    [
        ("viewer", "model.list", {}),
        ("auditor", "model.test", {}),
        ("user", "model.warmup", {"model": "demo"}),
        ("operator", "model.warmup", {"model": "demo"}),
        ("guest", "model.switch", {"model": "demo"}),
        ("guest", "model.manage", {"action": "set_default", "name": "demo"}),
    ],
)
def test_who_lacks_the_right_is_refused(tenant: Tenant, role: str, name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ForbiddenError):
        call(make_principal(tenant, role), name, arguments)


def test_a_guest_may_look_and_ask(tenant: Tenant) -> None:
    guest = make_principal(tenant, "guest")

    assert result(guest, "model.manage", {"action": "get_default"})["model"] == "demo"
    assert result(guest, "model.test")["ok"]
