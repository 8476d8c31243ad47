"""system.*: the platform's state, to each role what it may see; nobody's secrets and no other tenant's facts."""

from typing import Any
from uuid import uuid4

import pytest
import redis
from django.conf import settings as real

from apps.identity.principal import Principal
from apps.ops import probes
from apps.tenancy.models import Tenant
from config.env import Env
from kernel import metrics
from kernel.errors import ForbiddenError, ValidationError
from kernel.redis_keys import JOBS_QUEUE
from tests.by_hand import HandJob
from tests.by_hand_runs import HandRun
from tests.factories import make_principal, make_tenant, platform_tenant
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:system")
SEES_STATE = {"operator", "admin", "auditor", "data_engineer"}
ROLES = ("user", "operator", "admin", "auditor", "data_engineer", "researcher", "curator", "guest")


@pytest.fixture
def operator(tenant: Tenant) -> Principal:
    return make_principal(tenant, "operator")


@pytest.fixture
def platform_admin() -> Principal:
    return make_principal(platform_tenant(), "admin")


# -- who may
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("name", "given"),
    [("system.config", {}), ("system.status", {"service": "app"}), ("system.metrics", {"action": "info"})],
    ids=["config", "status", "metrics"],
)
def test_the_platforms_state_is_for_who_may_read_it(
    tenant: Tenant, role: str, name: str, given: dict[str, Any]
) -> None:
    caller = make_principal(tenant, role)

    if role in SEES_STATE:
        assert call(caller, name, given).ok
    else:
        with pytest.raises(ForbiddenError):
            call(caller, name, given)


@pytest.mark.parametrize("name", ["system.time", "system.health", "system.config", "system.status"])
def test_a_viewer_has_no_tools(tenant: Tenant, name: str) -> None:
    with pytest.raises(ForbiddenError):
        call(make_principal(tenant, "viewer"), name)


# -- health
def test_everybody_learns_what_is_up_and_no_more(principal: Principal) -> None:
    said = result(principal, "system.health")

    parts = {part["name"]: part for part in said["parts"]}
    assert set(parts) == set(probes.PROBES)
    assert parts["postgres"]["ok"] is True
    assert said["status"] == ("ok" if all(part["ok"] for part in parts.values()) else "degraded")
    assert all(part["details"] == {} and part["latency_ms"] is None for part in parts.values())
    assert said["version"] == real.VERSION


def test_a_look_at_liveness_asks_no_part(principal: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "check", lambda names: pytest.fail("a part was asked"))

    said = result(principal, "system.health", {"action": "liveness"})

    assert (said["status"], said["parts"]) == ("ok", [])


@pytest.mark.parametrize("given", [{"action": "details"}, {"verbose": True}], ids=["details", "verbose"])
def test_details_are_for_who_may_read_the_platforms_state(
    principal: Principal, operator: Principal, given: dict[str, Any]
) -> None:
    refused = call(principal, "system.health", given)
    parts = {part["name"]: part for part in result(operator, "system.health", given)["parts"]}

    assert refused.http_status == 403
    assert parts["postgres"]["details"]["server_version"]
    assert parts["workers"]["details"]
    assert all(part["latency_ms"] is not None for part in parts.values())


# -- settings
def test_no_secret_is_shown_to_anybody_not_even_whether_it_is_set(platform_admin: Principal) -> None:
    shown = {item["name"]: item for item in result(platform_admin, "system.config")["items"]}

    secret = [setting for setting in real.ENV_REGISTRY.values() if setting.secret]
    assert set(shown) == set(real.ENV_REGISTRY)
    assert len(secret) > 5
    for setting in secret:
        item = shown[setting.name]
        assert (item["value"], item["default"], item["shown"]) == (None, None, False)
    assert real.SECRET_KEY not in str(shown)
    assert "@" not in str([item["value"] for item in shown.values() if "://" in str(item["value"])]).replace(
        "(secret)@", ""
    )


def test_addresses_and_texts_are_for_administrators_of_the_platform(
    operator: Principal, platform_admin: Principal
) -> None:
    asked = {"names": ["graph_url", "LEASE_S", "TENANT_ISSUERS", "AGENTIC_ENV"]}

    seen = {item["name"]: item["value"] for item in result(operator, "system.config", asked)["items"]}
    all_of_it = {item["name"]: item["value"] for item in result(platform_admin, "system.config", asked)["items"]}

    assert seen == {
        "AGENTIC_ENV": "test", "AGENTIC_LEASE_S": "10.0", "AGENTIC_OIDC_TENANT_ISSUERS": None, "GRAPH_URL": None,
    }  # fmt: skip
    assert all_of_it["GRAPH_URL"].startswith("bolt://")
    assert result(operator, "system.config", asked)["hidden"] == 2


def test_a_tenants_administrator_is_no_administrator_of_the_platform(tenant: Tenant) -> None:
    items = result(make_principal(tenant, "admin"), "system.config")["items"]

    assert {item["kind"] for item in items if not item["shown"]} >= {"a URL", "text", "a secret"}
    assert "127.0.0.1" not in str([item["value"] for item in items])


def test_only_what_was_changed_can_be_asked_for(platform_admin: Principal) -> None:
    items = result(platform_admin, "system.config", {"only_changed": True})["items"]

    assert "AGENTIC_RATE_LIMIT_FACTOR" in {item["name"] for item in items}
    assert all(item["value"] != item["default"] for item in items)


def test_a_secret_declared_in_any_way_is_hidden(platform_admin: Principal, settings: Any) -> None:
    env = Env({"A_TOKEN": "hush", "A_URL": "postgresql://me:hush@db/x"})
    env.secret("A_TOKEN", None, "A secret.")
    env.url("A_URL", None, "An address with a secret.", ("postgresql",), secret=True)
    settings.ENV_REGISTRY = env.registry

    said = result(platform_admin, "system.config")

    assert (len(said["items"]), said["hidden"]) == (2, 2)
    assert "hush" not in str(said)


# -- measurements
def test_measurements_are_listed_and_read_in_each_format(operator: Principal) -> None:
    metrics.JOB_CREATED.labels("probe-type").inc(3)
    names = ["job_create"]

    listed = result(operator, "system.metrics", {"action": "info"})["families"]
    asked = {"action": "scrape", "names": names}
    as_json = result(operator, "system.metrics", asked)["families"]
    text = result(operator, "system.metrics", {**asked, "format": "text"})["text"]
    prometheus = result(operator, "system.metrics", {**asked, "format": "prometheus"})["text"]

    assert {"http_requests", "job_create", "tools_invocations"} <= {one["name"] for one in listed}
    sample = {"name": "job_create_total", "labels": {"type": "probe-type"}, "value": 3.0}
    assert [one["name"] for one in as_json] == names
    assert sample in as_json[0]["samples"]
    assert "job_create_total (type=probe-type): 3" in text.splitlines()
    assert 'job_create_total{type="probe-type"} 3.0' in prometheus.splitlines()
    assert "# TYPE job_create_total counter" in prometheus


def test_names_of_tenants_models_are_for_administrators_of_the_platform(
    tenant: Tenant, operator: Principal, platform_admin: Principal
) -> None:
    own = f"private-{uuid4().hex[:8]}"
    metrics.LLM_CALLS.labels(own, "ok").inc()

    for caller in (operator, make_principal(tenant, "admin")):
        assert own not in str(result(caller, "system.metrics", {"action": "scrape", "names": ["agent_llm"]}))
    assert own in str(result(platform_admin, "system.metrics", {"action": "scrape", "names": ["agent_llm_calls"]}))


def test_too_much_for_one_answer_is_said_before_it_is_sent(
    operator: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.toolbox.system_metrics.ANSWER_BYTES", 100)

    for form in ("json", "text", "prometheus"):
        outcome = call(operator, "system.metrics", {"action": "scrape", "format": form})
        assert outcome.error is not None
        assert outcome.error["code"] == "output_too_large"


def test_buckets_are_left_out_unless_asked_for(operator: Principal) -> None:
    metrics.JOB_DURATION.labels("probe-type").observe(1)
    asked = {"action": "scrape", "names": ["background_job_duration"]}

    def names(**more: Any) -> set[str]:
        (family,) = result(operator, "system.metrics", {**asked, **more})["families"]
        return {sample["name"].rpartition("_")[2] for sample in family["samples"]}

    assert "bucket" not in names()
    assert "bucket" in names(include_buckets=True)


# -- state
def test_the_state_counts_the_callers_tenants_work_alone(tenant: Tenant, operator: Principal) -> None:
    user, stranger = make_principal(tenant), make_principal(make_tenant())
    for caller in (user, user, stranger):
        HandJob(caller, type_name="test").claim()
    HandRun(user).claim()
    HandRun(stranger)

    said = result(operator, "system.status", {"action": "detailed"})

    assert said["jobs"]["total"] == 3  # a run has a job of its own
    assert said["jobs"]["by_type"]["test"] == {"running": 2}
    assert said["runs"] == {"running": 1}
    parts = {part["name"]: part for part in said["parts"]}
    assert parts["graph"]["ok"] is True
    assert parts["llm"]["details"]["provider_count"] >= 1


def test_queues_are_as_long_as_their_lists(operator: Principal, other_redis: redis.Redis) -> None:
    other_redis.lpush(JOBS_QUEUE(type="model.pull"), str(uuid4()), str(uuid4()))

    said = result(operator, "system.status", {"service": "queues"})

    waiting = {one["job_type"]: one["waiting"] for one in said["queues"]}
    assert waiting["model.pull"] == 2
    assert (said["jobs"], said["runs"], said["parts"]) == (None, None, [])


@pytest.mark.parametrize(("service", "name"), [("postgres", "postgres"), ("memgraph", "graph"), ("models", "llm")])
def test_one_part_can_be_asked_for_by_each_of_its_names(operator: Principal, service: str, name: str) -> None:
    said = result(operator, "system.status", {"service": service})

    assert [part["name"] for part in said["parts"]] == [name]
    assert said["parts"][0]["latency_ms"] is not None
    assert (said["queues"], said["jobs"]) == (None, None)


def test_an_unknown_part_is_said_to_be_unknown(operator: Principal) -> None:
    outcome = call(operator, "system.status", {"service": "kitchen"})

    assert outcome.error is not None
    assert outcome.error["code"] == "unknown_service"


@pytest.mark.parametrize(
    ("name", "given"),
    [("system.time", {"zone": "x"}), ("system.health", {"action": "restart"}), ("system.health", {"verbose": "yes"}),
     ("system.metrics", {"action": "scrape", "format": "xml"}), ("system.metrics", {}),
     ("system.config", {"names": "x"}), ("system.status", {"service": 7})],
    ids=["extra", "action", "text-for-boolean", "format", "no-action", "names", "service"],
)  # fmt: skip
def test_what_does_not_fit_is_refused(operator: Principal, name: str, given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(operator, name, given)
