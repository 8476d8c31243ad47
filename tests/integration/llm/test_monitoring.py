"""The look at every provider once a minute: what it finds, what it says to whom, and that nothing stops it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.conf import settings
from prometheus_client.parser import text_string_to_metric_families

from apps.llm import availability, circuits, monitoring
from apps.llm.catalogue import config_of
from apps.llm.models import Provider
from apps.ops import probes
from apps.tenancy.models import Tenant
from kernel import engine_db
from kernel.redis_keys import PROVIDER_HEALTH
from tests.clients import PATIENCE_S, Api, free_port
from tests.factories import make_tenant, make_token, platform_tenant
from tests.integration.llm.model_server import ModelServer, model_server

MakeProvider = Callable[..., Provider]


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


@pytest.fixture
def make_provider() -> Iterator[MakeProvider]:
    """Rows that are gone after the test: a look is at all of them."""
    made: list[Provider] = []

    def make(tenant: Tenant | None = None, **fields: Any) -> Provider:
        row = {"type": "ollama", "name": f"p-{uuid4().hex[:8]}", "tenant_id": tenant.id if tenant else None, **fields}
        made.append(Provider.objects.using(engine_db.ALIAS).create(**row))
        return made[-1]

    yield make
    Provider.objects.using(engine_db.ALIAS).filter(id__in=[row.id for row in made]).delete()


@pytest.mark.requirement("llm:monitoring")
def test_a_look_says_whether_the_provider_answered_and_takes_the_key(
    server: ModelServer, make_provider: MakeProvider
) -> None:
    well, absent = make_provider(base_url=server.url), make_provider(base_url=f"http://127.0.0.1:{free_port()}")

    monitoring.look_side_by_side([well, absent])
    found = monitoring.health_of_all([well.id, absent.id])
    server.status = 401
    refused = monitoring.look_at(well)

    good, bad = found[well.id], found[absent.id]
    assert good is not None and bad is not None
    assert (good["ok"], good["reachable"], good["status_code"]) == (True, True, 200)
    assert set(good) == {"ok", "reachable", "status_code", "latency_ms", "checked_at"}
    assert (bad["ok"], bad["reachable"], bad["error"]) == (False, False, "connection")
    assert (refused["ok"], refused["reachable"], refused["status_code"]) == (False, True, 401)


@pytest.mark.requirement("llm:monitoring")
def test_what_was_seen_is_forgotten_after_two_minutes(
    server: ModelServer, make_provider: MakeProvider, redis_client: redis.Redis
) -> None:
    row = make_provider(base_url=server.url)

    monitoring.keep(row.id, monitoring.look_at(row))

    assert 100 < redis_client.ttl(PROVIDER_HEALTH(provider=row.id)) <= 120
    assert monitoring.health_of(uuid4()) is None


@pytest.mark.requirement("llm:monitoring")
def test_providers_that_hang_are_left_in_time(
    server: ModelServer, make_provider: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitoring, "LOOK_LIMIT_S", 0.4)
    server.delay_s = PATIENCE_S
    hanging = [make_provider(base_url=server.url) for _ in range(6)]
    monitoring.look_at(hanging[0])  # whatever is imported with the first call
    began = time.monotonic()

    monitoring.look_side_by_side(hanging)

    assert time.monotonic() - began < PATIENCE_S / 3
    for row in hanging:
        health = monitoring.health_of(row.id)
        assert health is not None and (health["ok"], health["error"]) == (False, "timeout")


@pytest.mark.requirement("llm:monitoring")
def test_providers_are_looked_at_side_by_side(
    server: ModelServer, make_provider: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitoring, "LOOK_LIMIT_S", PATIENCE_S)
    rows = [make_provider(base_url=server.url) for _ in range(6)]
    server.together = threading.Barrier(len(rows))

    seen = monitoring.look_side_by_side(rows)

    assert [health["ok"] for health in seen.values()] == [True] * len(rows)


@pytest.mark.requirement("llm:monitoring")
def test_a_disabled_provider_is_not_looked_at_and_a_broken_row_stops_nobody(
    server: ModelServer, make_provider: MakeProvider
) -> None:
    disabled = make_provider(base_url=server.url, enabled=False)
    broken = make_provider(base_url=server.url, config={"no": "such setting"})
    well = make_provider(base_url=server.url)

    told = monitoring.look_at_all()

    found = monitoring.health_of_all([disabled.id, broken.id, well.id])
    assert told["looked_at"] >= told["ok"] >= 1 and told["left_out"] == 0
    assert found[disabled.id] is None
    assert (found[broken.id] or {})["error"] == "invalid_settings"
    assert (found[well.id] or {})["ok"] is True


@pytest.mark.requirement("llm:monitoring-private")
def test_tenants_providers_have_no_name_in_metrics_and_are_not_in_health(
    server: ModelServer, make_provider: MakeProvider, api_url: str
) -> None:
    shared = make_provider(base_url=server.url)
    private = make_provider(make_tenant(), base_url=server.url)
    curious = Api(api_url, make_token(platform_tenant(), "admin"))

    monitoring.look_at_all()

    health = curious.get("/v1/health/components/llm")
    up = gauge(curious, "provider_health_status")
    assert (up.get(shared.name), up.get(private.name)) == (1.0, None)
    assert 0 < up["tenant"] <= 1, "of all tenants' together: the share that is up"
    assert shared.name in health.body.decode() and private.name not in health.body.decode()
    assert server.url not in health.body.decode() and "127.0.0.1" not in health.body.decode()


@pytest.mark.requirement("llm:monitoring")
def test_the_metrics_say_how_each_provider_is_at_that_moment(
    server: ModelServer, make_provider: MakeProvider, api_url: str
) -> None:
    well, failing = make_provider(base_url=server.url), make_provider(base_url=server.url)
    api, config = Api(api_url), config_of(failing)
    monitoring.look_side_by_side([well, failing])
    before = gauge(api, "llm_circuit_state")

    monitoring.keep(failing.id, {"ok": False, "reachable": False, "error": "connection"})
    for _ in range(settings.LLM_BREAKER_FAILURES):
        circuits.release(circuits.acquire(config, hold_s=1), circuits.FAILURE)
    up, states = gauge(api, "provider_health_status"), gauge(api, "llm_circuit_state")

    assert (before[well.name], before[failing.name]) == (0.0, 0.0)
    assert (up[well.name], states[well.name]) == (1.0, 0.0)
    assert (up[failing.name], states[failing.name]) == (0.0, 1.0)


def gauge(api: Api, name: str) -> dict[str, float]:
    """Each provider's sample of the API's metric, of those of type ollama."""
    families = text_string_to_metric_families(api.get("/metrics").body.decode())
    return {
        sample.labels["provider"]: sample.value
        for family in families
        if family.name == name
        for sample in family.samples
        if sample.labels["provider_type"] == "ollama"
    }


@pytest.mark.requirement("llm:health")
def test_health_tells_the_public_only_whether_there_is_a_model(
    server: ModelServer, make_provider: MakeProvider, api_url: str
) -> None:
    make_provider(base_url=server.url)

    answer = Api(api_url).get("/v1/health/components/llm").json

    assert (answer["ok"], answer["status"], answer["details"]) == (True, "ok", {})


@pytest.mark.requirement("llm:health")
def test_without_a_provider_that_answers_the_platform_is_degraded_and_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = availability.Availability(False, "nobody answered", False, (), 0)
    monkeypatch.setattr(probes, "platform_availability", lambda: nobody)

    checks = probes.check(list(probes.PROBES))

    assert (checks["llm"].ok, checks["llm"].status) == (False, "down")
    assert checks["llm"].details == {"reason": "nobody answered", **nobody.as_json()}
    assert probes.overall({**checks, "workers": probes.Check(True, "ok", 0, {})}) == "degraded"


@pytest.mark.requirement("llm:health")
def test_an_open_circuit_makes_a_provider_unavailable(
    server: ModelServer, make_provider: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = make_provider(base_url=server.url, priority=-1)
    monitoring.look_side_by_side([row])
    before = {said["name"]: said for said in availability.platform_availability().providers}[row.name]
    real = circuits.view

    class Open:
        state = "OPEN"

    monkeypatch.setattr(circuits, "view", lambda key: Open() if key == row.id else real(key))
    after = {said["name"]: said for said in availability.platform_availability().providers}[row.name]

    assert before == {"name": row.name, "type": "ollama", "ok": True, "circuit": "CLOSED"}
    assert after["circuit"] == "OPEN"


@pytest.mark.requirement("llm:monitoring")
def test_what_others_wrote_into_redis_breaks_nothing(make_provider: MakeProvider, redis_client: redis.Redis) -> None:
    row = make_provider(base_url="http://127.0.0.1:1")

    for rubbish in ("", "{", "[]", '"x"', json.dumps({"ok": "yes"})):
        redis_client.set(PROVIDER_HEALTH(provider=row.id), rubbish)
        assert monitoring.health_of(row.id) is None
