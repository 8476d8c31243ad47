"""Providers, models, defaults, calls and spending, as the administration pages handle them."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.audit.models import AuditLog
from apps.jobs.models import Job
from apps.llm import keys
from apps.llm.models import LlmCall, LlmHour, ModelDefault, ModelInstance, Provider, ProviderManifest
from apps.tenancy.models import Tenant
from apps.tenancy.services import change_tenant
from kernel import engine_db
from kernel.clock import now
from kernel.tenant_context import tenant_scope
from tests.clients import wait_for
from tests.integration.backoffice.browser import Browser

PROVIDERS, MODELS, MANIFESTS = "/admin/llm/provider/", "/admin/llm/modelinstance/", "/admin/llm/providermanifest/"
KEY = "sk-" + "q7Zp" * 8
PROVIDER = {
    "type": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": KEY, "enabled": "on", "priority": "7",
    "timeout_s": "20", "first_byte_timeout_s": "5", "max_retries": "1", "max_concurrency": "3", "api_version": "",
    "deployments": "", "keep_alive": "",
}  # fmt: skip
MODEL = {
    "model_id": "gpt-x", "description": "", "context_window": "8000", "max_output_tokens": "500",
    "modalities": "text", "supports_tools": "on", "parameters": '{"temperature": 0.2}', "input_usd": "2.5",
    "output_usd": "10", "enabled": "on",
}  # fmt: skip


def provider_named(name: str) -> Provider:
    return Provider.objects.using(engine_db.ALIAS).get(name=name)


def model_named(name: str) -> ModelInstance:
    return ModelInstance.objects.using(engine_db.ALIAS).get(instance_name=name)


def add_provider(browser: Browser, **fields: str) -> Provider:
    name = f"p-{uuid4().hex[:8]}"
    page = browser.submit(f"{PROVIDERS}add/", {**PROVIDER, "name": name, **fields})
    assert "was added" in page.text, re.findall(r"errorlist[^<]*>(.{0,300})", page.text, re.DOTALL)
    return provider_named(name)


def demo_model(browser: Browser) -> ModelInstance:
    """A model of the person's own that answers without a network."""
    provider = add_provider(browser, type="demo", base_url="", api_key="")
    return add_model(browser, provider, model_id="demo", input_usd="", output_usd="")


def add_model(browser: Browser, provider: Provider, **fields: str) -> ModelInstance:
    name = f"m-{uuid4().hex[:8]}"
    page = browser.submit(f"{MODELS}add/", {**MODEL, "provider": str(provider.pk), "instance_name": name, **fields})
    assert "was added" in page.text, re.findall(r"errorlist[^<]*>(.{0,300})", page.text, re.DOTALL)
    return model_named(name)


def act(browser: Browser, row: Provider | ModelInstance, action: str) -> Any:
    place = PROVIDERS if isinstance(row, Provider) else MODELS
    return browser.submit(f"{place}{row.pk}/change/", {"action": action}, to=f"{place}{row.pk}/act")


@pytest.mark.requirement("admin:providers")
def test_a_provider_is_added_with_a_key_that_no_page_shows(
    tenant_admin: Browser, tenant: Tenant, audited: Callable[..., AuditLog]
) -> None:
    row = add_provider(tenant_admin)

    pages = [tenant_admin.get(path).text for path in (PROVIDERS, f"{PROVIDERS}{row.pk}/change/")]
    assert (row.tenant_id, row.type, row.priority, row.key_hint) == (tenant.id, "openai", 7, KEY[-4:])
    assert row.config == {"timeout_s": 20.0, "first_byte_timeout_s": 5.0, "max_retries": 1, "max_concurrency": 3}
    assert keys.read_key(row.id, row.base_url) == KEY
    assert all(KEY not in page and row.name in page for page in pages)
    assert KEY not in str(audited("provider.registered", row.pk).details)


@pytest.mark.requirement("admin:providers")
def test_a_change_keeps_the_key_unless_it_is_written_anew_or_the_host_changes(tenant_admin: Browser) -> None:
    row = add_provider(tenant_admin)
    address = f"{PROVIDERS}{row.pk}/change/"
    fields = {**PROVIDER, "name": row.name, "api_key": ""}

    tenant_admin.submit(address, {**fields, "version": "1", "max_retries": "4"})
    kept = keys.read_key(row.id, provider_named(row.name).base_url)
    stale = tenant_admin.submit(address, {**fields, "version": "1"})
    moved = tenant_admin.submit(address, {**fields, "version": "2", "base_url": "http://127.0.0.2:9/v1"})

    after = provider_named(row.name)
    assert kept == KEY
    assert "changed since you read it" in stale.text
    assert "its key was removed" in moved.text
    assert (after.base_url, after.key_hint, after.config["max_retries"]) == ("http://127.0.0.2:9/v1", "", 1)
    assert keys.read_key(row.id, after.base_url) == ""


@pytest.mark.requirement("admin:providers")
def test_an_address_inside_the_network_is_refused_with_a_reason(tenant_admin: Browser) -> None:
    for address in ("http://169.254.169.254/latest", "http://10.0.0.8", "file:///etc/passwd"):
        page = tenant_admin.submit(f"{PROVIDERS}add/", {**PROVIDER, "name": "inside", "base_url": address})
        assert 'class="errorlist' in page.text and "was added" not in page.text, address
        assert KEY not in page.text

    assert not Provider.objects.using(engine_db.ALIAS).filter(name="inside").exists()


@pytest.mark.requirement("admin:providers")
def test_a_connection_is_tested_and_a_provider_disabled_and_enabled(
    tenant_admin: Browser, audited: Callable[..., AuditLog]
) -> None:
    demo, absent = add_provider(tenant_admin, type="demo", base_url="", api_key=""), add_provider(tenant_admin)

    well, ill = act(tenant_admin, demo, "test"), act(tenant_admin, absent, "test")
    states = []
    for action in ("disable", "enable"):
        act(tenant_admin, demo, action)
        states.append(provider_named(demo.name).enabled)

    assert f"{demo.name} answers" in well.text
    assert "did not pass the test" in ill.text and KEY not in ill.text
    assert states == [False, True]
    assert audited("admin.provider_test", absent.pk).outcome == "failed"


@pytest.mark.requirement("admin:providers")
def test_a_provider_is_deleted_by_its_name_and_not_while_it_has_models(tenant_admin: Browser) -> None:
    model = demo_model(tenant_admin)
    address = f"{PROVIDERS}{model.provider_id}/remove"
    name = Provider.objects.using(engine_db.ALIAS).get(pk=model.provider_id).name

    slip = tenant_admin.submit(address, {"name": "other"})
    used = tenant_admin.submit(address, {"name": name})
    tenant_admin.submit(f"{MODELS}{model.pk}/remove", {"name": model.instance_name})
    tenant_admin.submit(address, {"name": name})

    assert "not its name" in slip.text and "model instance" in used.text
    assert not Provider.objects.using(engine_db.ALIAS).filter(name=name).exists()


@pytest.mark.requirement("admin:models-scope")
def test_another_tenants_providers_look_missing_and_the_platforms_are_read_only(
    tenant_admin: Browser, platform_admin: Browser, make_user: Any, sign_in: Any, other_tenant: Tenant
) -> None:
    shared, theirs = add_provider(platform_admin), add_provider(sign_in(make_user("admin", other_tenant)))

    page = tenant_admin.get(f"{PROVIDERS}{shared.pk}/change/")
    listed = tenant_admin.get(PROVIDERS).text
    assert page.status_code == 200 and shared.name in listed and theirs.name not in listed
    assert shared.base_url not in page.text and KEY[-4:] not in page.text and 'name="priority"' not in page.text
    assert KEY[-4:] not in listed
    for path, fields in (
        (f"{PROVIDERS}{shared.pk}/change/", {**PROVIDER, "name": "mine", "version": "1"}),
        (f"{PROVIDERS}{shared.pk}/act", {"action": "disable"}),
        (f"{PROVIDERS}{shared.pk}/remove", {"name": shared.name}),
        (f"{PROVIDERS}{shared.pk}/pull", {"model": "x"}),
        (f"{PROVIDERS}{theirs.pk}/change/", {**PROVIDER, "name": "mine", "version": "1"}),
        (f"{PROVIDERS}{theirs.pk}/act", {"action": "test"}),
        ("/admin/models/defaults/global/", {"instance": ""}),
        (f"/admin/models/defaults/{other_tenant.id}/", {"instance": ""}),
    ):
        assert tenant_admin.submit("/admin/", fields, to=path).status_code == 404, path
    own = tenant_admin.submit("/admin/", {**PROVIDER, "name": "smuggled", "tenant": ""}, to=f"{PROVIDERS}add/")
    assert own.status_code == 200 and provider_named("smuggled").tenant_id is not None
    assert provider_named(shared.name).version == provider_named(theirs.name).version == 1
    Provider.objects.using(engine_db.ALIAS).filter(pk=shared.pk).delete()


@pytest.mark.requirement("admin:models")
def test_prices_are_entered_as_price_lists_have_them(tenant_admin: Browser) -> None:
    row = add_model(tenant_admin, add_provider(tenant_admin))

    page = tenant_admin.get(f"{MODELS}{row.pk}/change/").text
    changed = {**MODEL, "instance_name": row.instance_name, "version": "1", "input_usd": "0.075", "output_usd": ""}
    tenant_admin.submit(f"{MODELS}{row.pk}/change/", changed)

    after = model_named(row.instance_name)
    assert (row.input_nano_usd, row.output_nano_usd, row.parameters) == (2500, 10_000, {"temperature": 0.2})
    assert 'value="2.5"' in page
    assert (after.input_nano_usd, after.output_nano_usd) == (75, None)


@pytest.mark.requirement("admin:models")
def test_what_the_service_refuses_stands_on_the_form(tenant_admin: Browser) -> None:
    provider = add_provider(tenant_admin)
    fields = {**MODEL, "provider": str(provider.pk), "instance_name": "m"}

    unknown = tenant_admin.submit(f"{MODELS}add/", {**fields, "parameters": '{"base_url": "http://x"}'})
    window = tenant_admin.submit(f"{MODELS}add/", {**fields, "max_output_tokens": "9000"})

    assert "No parameter of a model" in unknown.text and "must not exceed" in window.text


@pytest.mark.requirement("admin:models")
def test_a_model_is_tried_with_one_question_and_the_answer_says_what_it_cost(
    tenant_admin: Browser, tenant: Tenant, audited: Callable[..., AuditLog]
) -> None:
    row = demo_model(tenant_admin)

    page = tenant_admin.submit(
        f"{MODELS}{row.pk}/try", {"prompt": "What is 6 times 7? <b>now</b>", "max_tokens": "200"}
    )

    text = page.text
    assert page.status_code == 200 and "Tokens out" in text and "free" in text and "<h2>Answer</h2>" in text
    assert "<b>now" not in text
    calls = LlmCall.objects.using(engine_db.ALIAS).filter(tenant_id=tenant.id)
    call = wait_for(lambda: calls.filter(state="settled").first(), what="the books")
    assert (call.instance, call.nano_usd) == (row.instance_name, 0)
    assert audited("admin.model_tried", row.pk).outcome == "success"


@pytest.mark.requirement("admin:models")
def test_warm_ups_and_downloads_become_jobs(tenant_admin: Browser, tenant: Tenant) -> None:
    model = demo_model(tenant_admin)
    ollama = add_provider(tenant_admin, type="ollama", base_url="http://127.0.0.1:9", api_key="")

    warming = act(tenant_admin, model, "warm_up")
    pulling = tenant_admin.submit(f"{PROVIDERS}{ollama.pk}/pull", {"model": "phi3:mini"})

    with tenant_scope(tenant.id):
        payloads = dict(Job.objects.values_list("type", "payload_json"))
    assert "/admin/jobs/job/" in warming.url and "/admin/jobs/job/" in pulling.url
    assert payloads == {
        "model.warmup": {"instance_id": str(model.pk)},
        "model.pull": {"provider_id": str(ollama.pk), "model": "phi3:mini"},
    }


@pytest.mark.requirement("admin:model-defaults")
def test_a_tenants_default_is_set_and_taken_away(tenant_admin: Browser, tenant: Tenant) -> None:
    model = demo_model(tenant_admin)
    address = f"/admin/models/defaults/{tenant.id}/"
    rows = ModelDefault.objects.using(engine_db.ALIAS).filter(scope="tenant", tenant_id=tenant.id)

    tenant_admin.submit(address, {"instance": str(model.pk)})
    chosen, shown = list(rows.values_list("instance_id", flat=True)), tenant_admin.get("/admin/models/defaults/").text
    tenant_admin.submit(address, {"instance": ""})

    assert chosen == [model.pk] and model.instance_name in shown
    assert not rows.exists()


def booked(tenant: Tenant, **fields: Any) -> UUID:
    """A call in the tenant's books."""
    row = {
        "tenant_id": tenant.id, "call_id": uuid4(), "user_sub": "ada", "purpose": "chat", "provider_id": uuid4(),
        "provider": "acme", "instance_id": uuid4(), "instance": "m-large", "model_id": "large", "state": "settled",
        "outcome": "ok", "nano_usd": 1_500_000_000, "input_tokens": 100, "output_tokens": 20,
        "expires_at": now() + timedelta(minutes=5), **fields,
    }  # fmt: skip
    with tenant_scope(tenant.id):
        return LlmCall.objects.create(**row).pk


@pytest.mark.requirement("admin:llm-calls")
def test_calls_are_listed_filtered_and_read_within_the_tenant(
    tenant: Tenant, other_tenant: Tenant, tenant_admin: Browser
) -> None:
    mine = booked(tenant)
    booked(tenant, instance="m-small", user_sub="bob", outcome="timeout", nano_usd=0)
    foreign = booked(other_tenant, instance="m-secret")

    def shown(query: str) -> set[str]:
        page = tenant_admin.get(f"/admin/backoffice/modelcall/?{query}")
        assert page.status_code == 200, page.text[:300]
        return {name for name in ("m-large", "m-small", "m-secret") if f">{name}<" in page.text}

    assert shown("") == {"m-large", "m-small"}
    assert shown("model=m-small") == shown("user=bob") == shown("outcome=timeout") == {"m-small"}
    assert shown("state=open") == set()
    page = tenant_admin.get(f"/admin/backoffice/modelcall/{mine}/change/")
    assert page.status_code == 200 and "1.50" in page.text
    assert tenant_admin.get(f"/admin/backoffice/modelcall/{foreign}/change/").status_code == 404
    assert (
        tenant_admin.submit("/admin/", {"a": "b"}, to=f"/admin/backoffice/modelcall/{mine}/change/").status_code == 404
    )


@pytest.mark.requirement("admin:llm-calls")
def test_spending_shows_who_spent_what_and_what_is_left(
    tenant: Tenant, other_tenant: Tenant, tenant_admin: Browser, platform_admin: Browser
) -> None:
    change_tenant(tenant.id, {"settings": {"quotas": {"cost_usd_per_day": 5}}}, by=None)
    booked(tenant)
    booked(tenant, state="open", outcome="", nano_usd=0, held_nano_usd=500_000_000)
    booked(other_tenant, user_sub="eve", instance="m-secret")
    with tenant_scope(tenant.id):
        hour = now().replace(minute=0, second=0, microsecond=0)
        LlmHour.objects.create(tenant_id=tenant.id, hour=hour, nano_usd=1_500_000_000, tokens=120)

    own, whole = tenant_admin.get("/admin/models/spending/").text, platform_admin.get("/admin/models/spending/").text

    assert "<td>2.00</td>" in own, "what is settled and what is held"
    assert "<td>3.50</td>" in own, "what is left of 5"
    assert "eve" not in own and "m-secret" not in own and other_tenant.slug not in own
    assert "m-large" in whole and "m-secret" in whole


@pytest.mark.requirement("admin:models-scope")
def test_only_administrators_come_in(make_user: Any, sign_in: Any, tenant: Tenant) -> None:
    for role in ("operator", "auditor"):
        browser = sign_in(make_user(role))
        for path in (
            PROVIDERS,
            MODELS,
            "/admin/models/defaults/",
            "/admin/backoffice/modelcall/",
            "/admin/models/spending/",
        ):
            assert browser.get(path).status_code == 403, (role, path)


@pytest.mark.requirement("admin:model-manifests")
def test_a_builtin_manifest_is_staged_activated_and_gone_back_from(tenant_admin: Browser, tenant: Tenant) -> None:
    mark = uuid4().hex[:8]
    model = {"instance_name": f"m-{mark}", "model_id": "demo"}
    document = {"name": f"set-{mark}", "providers": [{"name": f"p-{mark}", "type": "demo", "models": [model]}]}
    rows = ProviderManifest.objects.using(engine_db.ALIAS).filter(name=f"set-{mark}")

    offered = tenant_admin.get(f"{MANIFESTS}add/?builtin=demo").text
    tenant_admin.submit(f"{MANIFESTS}add/", {"document": json.dumps(document), "for_everybody": "on"})
    row = rows.get()
    address = f"{MANIFESTS}{row.pk}"
    states, there = [row.state], []
    for action in ("activate", "roll_back"):
        tenant_admin.submit(f"{address}/change/", {"action": action}, to=f"{address}/act")
        states.append(rows.get().state)
        there.append(ModelInstance.objects.using(engine_db.ALIAS).filter(instance_name=f"m-{mark}").exists())

    assert "&quot;instance_name&quot;: &quot;demo&quot;" in offered
    assert row.tenant_id == tenant.id, "the own tenant's, whatever the form says"
    assert (states, there) == (["staged", "active", "rolled_back"], [True, False])


@pytest.mark.requirement("admin:model-manifests")
def test_a_manifest_that_is_none_is_refused_with_the_reason(tenant_admin: Browser) -> None:
    page = tenant_admin.submit(f"{MANIFESTS}add/", {"document": '{"name": "x", "providers": [{"name": "a"}]}'})

    assert "Field required" in page.text
