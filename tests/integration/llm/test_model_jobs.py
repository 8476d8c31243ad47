"""The job types model.pull and model.warmup: who may have them run, what they report, and that they stop."""

import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections

from apps.identity.principal import Principal
from apps.jobs.ledger import NewEvent
from apps.jobs.models import Job
from apps.jobs.services import create_job
from apps.llm import loading
from apps.llm.catalogue import config_of
from apps.llm.loading import ModelNotReady
from apps.llm.models import ModelInstance, Provider
from apps.llm.providers.registry import adapter_for
from apps.tenancy.models import Tenant
from kernel import engine_db
from kernel.errors import ConflictError, ForbiddenError, NotFoundError, ValidationError
from kernel.tenant_context import tenant_scope
from tests.clients import PATIENCE_S, wait_for
from tests.factories import make_principal, make_tenant, platform_tenant
from tests.integration.llm.model_server import ModelServer, model_server
from workers.execution import Execution, Stopped
from workers.handlers import model_pull, model_warmup


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


@pytest.fixture
def admin(tenant: Tenant) -> Principal:
    return make_principal(tenant, "admin")


@pytest.fixture
def provider(tenant: Tenant, server: ModelServer) -> Provider:
    return make_provider(tenant, base_url=server.url)


@pytest.fixture
def instance(provider: Provider) -> ModelInstance:
    rows = ModelInstance.objects.using(engine_db.ALIAS)
    return rows.create(
        tenant_id=provider.tenant_id, provider=provider, instance_name=f"m-{uuid4().hex[:8]}", model_id="phi3:mini"
    )


def make_provider(tenant: Tenant | None, **fields: Any) -> Provider:
    row = {"name": f"p-{uuid4().hex[:8]}", "type": "ollama", "tenant_id": tenant.id if tenant else None, **fields}
    return Provider.objects.using(engine_db.ALIAS).create(**row)


def attempt(by: Principal, type_name: str, payload: dict[str, Any], events: list[NewEvent] | None = None) -> Execution:
    """One attempt, as the engine hands it to the handler."""
    row = {
        "id": uuid4(), "token": 1, "type": type_name, "attempt": 1, "crashes": 0, "max_attempts": 3,
        "tenant_id": by.tenant_id, "principal_json": by.as_json(), "request_id": "", "last_seq": 2,
        "correlation_id": "", "traceparent": "", "retry_of": None, "payload_json": payload,
    }  # fmt: skip
    heard = [] if events is None else events
    return Execution(row, queue_time_limit_s=600, emit=heard.append)


@pytest.mark.requirement("llm:model-jobs")
def test_a_download_reports_how_far_it_is(server: ModelServer, provider: Provider, admin: Principal) -> None:
    events: list[NewEvent] = []
    server.step_s = 0.12
    job = attempt(admin, "model.pull", {"provider_id": str(provider.id), "model": "phi3:mini"}, events)

    result = model_pull.run(job)

    percents = [event.percent for event in events if event.percent is not None]
    assert result == {"status": "completed", "provider": provider.name, "model": "phi3:mini", "total_bytes": 500}
    assert percents == sorted(percents) and percents[0] == 0 < percents[-1]
    assert server.paths == ["/api/pull"]


@pytest.mark.requirement("llm:model-jobs")
def test_a_download_goes_on_while_its_provider_is_changed(
    server: ModelServer, provider: Provider, admin: Principal
) -> None:
    server.step_s = 0.05
    steps = loading.pull(provider, "phi3:mini", by=admin, cancelled=lambda: False)
    first = next(steps)
    adapter_for(config_of(provider)).close()  # as when it has been retired for long

    *_, last = steps

    assert (first.status, last.status) == ("pulling a1b2", "success")


@pytest.mark.requirement("llm:model-jobs")
def test_a_cancelled_download_hangs_up(server: ModelServer, provider: Provider, admin: Principal) -> None:
    server.pull_steps, server.step_s = 1000, 0.05
    job = attempt(admin, "model.pull", {"provider_id": str(provider.id), "model": "phi3:mini"})
    threading.Timer(0.4, job.stop, ["cancelled"]).start()

    with pytest.raises(Stopped):
        model_pull.run(job)

    assert server.hung_up.wait(PATIENCE_S), "the provider still downloads"


@pytest.mark.requirement("llm:model-jobs")
def test_a_model_is_warmed_up_after_failures_and_its_time_is_noted(
    server: ModelServer, instance: ModelInstance, admin: Principal, settings: Any
) -> None:
    settings.LLM_WARM_UP_PAUSE_S = 0.05
    server.failing = 2

    result = model_warmup.run(attempt(admin, "model.warmup", {"instance_id": str(instance.id)}))

    instance.refresh_from_db(using=engine_db.ALIAS)
    assert (result["status"], result["instance"], result["tries"]) == ("completed", instance.instance_name, 3)
    assert instance.loaded_at is not None


@pytest.mark.requirement("llm:model-jobs")
def test_a_warm_up_gives_up_after_three_tries_and_at_once_where_it_is_no_use(
    server: ModelServer, instance: ModelInstance, admin: Principal, settings: Any
) -> None:
    settings.LLM_WARM_UP_PAUSE_S = 0.05
    payload = {"instance_id": str(instance.id)}

    server.status = 500
    with pytest.raises(ModelNotReady):
        model_warmup.run(attempt(admin, "model.warmup", payload))
    tries_at_errors = len(server.paths)
    server.status = 404
    with pytest.raises(ModelNotReady, match=instance.instance_name):
        model_warmup.run(attempt(admin, "model.warmup", payload))

    instance.refresh_from_db(using=engine_db.ALIAS)
    assert (tries_at_errors, len(server.paths)) == (3, 4)
    assert instance.loaded_at is None


@pytest.mark.requirement("llm:model-jobs-rights")
def test_only_administrators_have_models_loaded_and_only_on_what_is_theirs(
    tenant: Tenant, provider: Provider, instance: ModelInstance, admin: Principal
) -> None:
    shared = make_provider(None, base_url="http://127.0.0.1:1")
    foreign = make_principal(make_tenant(), "admin")
    of_platform = make_principal(platform_tenant(), "admin")
    pull = {"provider_id": str(provider.id), "model": "phi3:mini"}

    with pytest.raises(ForbiddenError):
        create_job(make_principal(tenant), type_name="model.pull", payload=pull)
    for by, payload in ((foreign, pull), (admin, {**pull, "provider_id": str(shared.id)}), (of_platform, pull)):
        with pytest.raises(NotFoundError):
            create_job(by, type_name="model.pull", payload=payload)
        with pytest.raises(NotFoundError):
            model_pull.run(attempt(by, "model.pull", payload))
    with pytest.raises(NotFoundError):
        create_job(foreign, type_name="model.warmup", payload={"instance_id": str(instance.id)})
    for model in ("../x", "-x", "a b", "a\nb"):
        with pytest.raises(ValidationError):
            create_job(admin, type_name="model.pull", payload={**pull, "model": model})

    assert create_job(of_platform, type_name="model.pull", payload={**pull, "provider_id": str(shared.id)}).job_id
    Provider.objects.using(engine_db.ALIAS).filter(id=shared.id).delete()


@pytest.mark.requirement("llm:model-jobs")
def test_a_payload_that_cannot_be_right_is_refused_at_once(tenant: Tenant, admin: Principal) -> None:
    no_downloads = make_provider(tenant, type="openai", base_url="http://127.0.0.1:1")

    with pytest.raises(ValidationError):
        create_job(admin, type_name="model.warmup", payload={"instance_id": "x"})
    with pytest.raises(ConflictError, match="only ollama downloads models"):
        create_job(admin, type_name="model.pull", payload={"provider_id": str(no_downloads.id), "model": "phi3:mini"})


@pytest.mark.requirement("llm:model-jobs")
def test_no_connection_to_the_database_is_kept_while_the_provider_works(
    server: ModelServer, provider: Provider, instance: ModelInstance, admin: Principal
) -> None:
    held: list[str] = []
    looks: list[bool] = []

    def look() -> bool:
        """Asked by the thread that waits for the provider."""
        held.extend(each.alias for each in connections.all(initialized_only=True) if each.connection is not None)
        looks.append(True)
        return False

    found = loading.instance_to_manage(admin, instance.id)
    loading.warm_up(found, by=admin, cancelled=look, pause=lambda _: None, told=lambda *_: None)
    for _ in loading.pull(loading.provider_to_manage(admin, provider.id), "phi3:mini", by=admin, cancelled=look):
        pass

    assert len(looks) >= 2
    assert held == []


@pytest.mark.requirement("llm:model-jobs")
def test_a_worker_gives_its_connections_back_after_each_job(
    provider: Provider, admin: Principal, api_url: str, worker: Any
) -> None:
    payload = {"provider_id": str(provider.id), "model": "phi3:mini"}
    jobs = [create_job(admin, type_name="model.pull", payload=payload).job_id for _ in range(8)]

    def ended() -> list[str]:
        with tenant_scope(admin.tenant_id):
            found = list(Job.objects.filter(id__in=jobs).values_list("status", flat=True))
        return found if all(status in ("finished", "failed") for status in found) else []

    statuses = wait_for(ended, what="the end of eight downloads")

    assert statuses == ["finished"] * 8, "with one connection each, the engine's pool of four would be empty"


@pytest.mark.requirement("llm:model-jobs-rights")
def test_rights_are_asked_for_again_when_the_job_runs(provider: Provider, admin: Principal, tenant: Tenant) -> None:
    payload = {"provider_id": str(provider.id), "model": "phi3:mini"}
    less = attempt(make_principal(tenant), "model.pull", payload)

    with pytest.raises(ForbiddenError):
        model_pull.run(less)
    Provider.objects.using(engine_db.ALIAS).filter(id=provider.id).update(enabled=False)
    with pytest.raises(ConflictError):
        model_pull.run(attempt(admin, "model.pull", payload))
