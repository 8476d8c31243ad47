"""/v1/health: what each probe looks at, and what it says (the contract's 1.6)."""

from datetime import datetime
from typing import Any

import pytest

from tests.clients import Api
from tests.factories import make_token

PARTS = ["app", "postgres", "redis", "graph", "workers", "issuer", "llm"]


@pytest.fixture
def anybody(api_url: str) -> Api:
    """No token."""
    return Api(api_url)


@pytest.mark.requirement("ops:live")
def test_the_liveness_probe_says_ok_and_nothing_else(anybody: Api) -> None:
    got, head = anybody.get("/v1/health/live"), anybody.request("HEAD", "/v1/health/live")

    assert (got.status, got.body, got.headers["cache-control"]) == (200, b"ok", "no-store")
    assert got.headers["content-type"].startswith("text/plain")
    assert (head.status, head.body) == (204, b"")


@pytest.mark.requirement("ops:ready")
def test_the_readiness_probe_lists_its_checks(anybody: Api, worker: Any) -> None:
    answer = anybody.get("/v1/health/ready")

    body = answer.json
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert set(body) >= {"service", "version", "status", "time", "checks"}
    assert (body["service"], body["status"]) == ("cineca-agentic-platform", "ok")
    assert datetime.fromisoformat(body["time"]).tzinfo is not None
    assert set(body["checks"]) == set(PARTS)
    assert all(check["ok"] and check["status"] == "ok" for check in body["checks"].values())


@pytest.mark.requirement("ops:ready")
def test_the_startup_probe_asks_for_the_database_only(anybody: Api) -> None:
    answer = anybody.get("/v1/health/startup")

    assert answer.status == 200
    assert set(answer.json["checks"]) == {"app", "postgres"}


@pytest.mark.requirement("ops:components")
def test_every_component_is_shown_with_its_state_and_latency(api_url: str, tenant: Any, worker: Any) -> None:
    operator = Api(api_url, make_token(tenant, "operator"))

    answer = operator.get("/v1/health/components")

    assert answer.status == 200
    assert list(answer.json["checks"]) == PARTS
    for check in answer.json["checks"].values():
        assert set(check) == {"ok", "status", "latency_ms", "details"}
        assert 0 <= check["latency_ms"] < 2500


@pytest.mark.requirement("ops:components")
@pytest.mark.parametrize("name", [*PARTS, "memgraph", "models"])
def test_one_component_by_name(anybody: Api, worker: Any, name: str) -> None:
    answer = anybody.get(f"/v1/health/components/{name}")

    assert answer.status == 200
    assert (answer.json["name"], answer.json["ok"], answer.json["status"]) == (name, True, "ok")


@pytest.mark.requirement("ops:components")
@pytest.mark.parametrize("name", ["no-such", "Postgres", "ollama", "%20"])
def test_a_component_nobody_knows_is_missing(anybody: Api, name: str) -> None:
    answer = anybody.get(f"/v1/health/components/{name}")

    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.requirement("ops:components")
def test_health_tells_nobody_a_secret(anybody: Api, api: Api, worker: Any, admin_url: str) -> None:
    from django.conf import settings

    secrets = [settings.REDIS_URL.split("@")[0].rpartition(":")[2], settings.SECRET_KEY]
    secrets += [database["PASSWORD"] for database in settings.DATABASES.values()]

    for path in ("ready", "startup", "components", *(f"components/{name}" for name in PARTS)):
        for caller in (anybody, api):
            text = caller.get(f"/v1/health/{path}").body.decode()
            assert not [secret for secret in secrets if secret and secret in text], path


@pytest.mark.requirement("ops:live")
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_health_is_only_read(anybody: Api, method: str) -> None:
    answer = anybody.request(method, "/v1/health/live")

    assert answer.status == 405
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.requirement("ops:index")
def test_the_index_names_the_version_and_where_the_docs_are(anybody: Api) -> None:
    index, bare = anybody.get("/v1/").json, anybody.get("/v1")

    assert index["service"] == "cineca-agentic-platform"
    assert set(index) >= {"service", "version", "env", "docs", "metrics"}
    assert anybody.get(index["docs"]).status == 200
    assert anybody.get(index["metrics"]).status == 200
    assert "name" not in index
    assert bare.status == 200


@pytest.mark.requirement("ops:index")
def test_the_root_answers_programs_with_json_and_people_with_the_docs(anybody: Api) -> None:
    for_programs = anybody.get("/", Accept="application/json")
    for_people = anybody.get("/", Accept="text/html")

    assert for_programs.json["versions"] == {"v1": "/v1/"}
    assert for_people.status == 200
    assert for_people.headers["content-type"].startswith("text/html")
