"""/metrics of the API and of a worker, and the API's documentation."""

import json
import urllib.request
from typing import Any

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

from apps.jobs.types import JOB_TYPES
from kernel.redis_keys import JOBS_DEAD
from tests.clients import PATIENCE_S, Api, wait_for


def scrape(url: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Samples by name and labels."""
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        text = answer.read().decode()
    samples: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return samples


@pytest.mark.requirement("ops:metrics")
def test_the_api_counts_jobs_and_shows_the_depth_of_every_queue(api: Api, redis_client: redis.Redis) -> None:
    before = scrape(f"{api.base_url}/metrics")
    api.submit("test")
    redis_client.rpush(JOBS_DEAD(), "x")
    after = scrape(f"{api.base_url}/metrics")

    label = (("type", "test"),)
    assert after["job_create_total"][label] == before.get("job_create_total", {}).get(label, 0) + 1
    queues = {dict(labels)["type"] for labels in after["jobs_queue_depth"]}
    assert queues == set(JOB_TYPES)
    assert after["jobs_dead_items"][()] >= 1
    redis_client.delete(JOBS_DEAD())


@pytest.mark.requirement("ops:metrics")
def test_a_worker_shows_outcomes_and_latencies_by_type(api: Api, worker: Any, worker_metrics_port: int) -> None:
    job_id = api.submit("test", {"should_fail": True})
    api.wait_until(job_id, "failed")

    def counted() -> bool:
        shown = scrape(f"http://127.0.0.1:{worker_metrics_port}/metrics")
        return shown.get("background_jobs_total", {}).get((("job", "test"), ("status", "failed")), 0) >= 1

    wait_for(counted, what="the failed job being counted")
    shown = scrape(f"http://127.0.0.1:{worker_metrics_port}/metrics")
    assert shown["background_job_queue_seconds_count"][(("job", "test"),)] >= 1
    assert shown["background_job_duration_seconds_count"][(("job", "test"),)] >= 1
    assert "background_jobs_running" in shown


@pytest.mark.requirement("ops:metrics")
def test_no_metric_has_a_label_without_bounds(api: Api, worker: Any, worker_metrics_port: int) -> None:
    shown = [
        scrape(f"{api.base_url}/metrics"),
        scrape(f"http://127.0.0.1:{worker_metrics_port}/metrics"),
    ]

    labels = {label for samples in shown for lines in samples.values() for line in lines for label, _ in line}
    assert labels.isdisjoint({"tenant_id", "tenant", "job_id", "owner_sub", "sub", "user"})


@pytest.mark.requirement("ops:docs")
def test_the_openapi_document_describes_every_route_of_jobs(api_url: str) -> None:
    answer = Api(api_url).get("/v1/openapi.json")

    document = json.loads(answer.body)
    assert answer.status == 200
    assert document["openapi"].startswith("3.")
    assert set(document["paths"]) >= {
        "/v1/jobs",
        "/v1/jobs/types",
        "/v1/jobs/stats",
        "/v1/jobs/{job_id}",
        "/v1/jobs/{job_id}/events",
        "/v1/jobs/{job_id}/retry",
        "/v1/admin/jobs",
    }
    assert set(document["paths"]["/v1/jobs"]) == {"get", "post"}
    operations = [op for path in document["paths"].values() for op in path.values() if isinstance(op, dict)]
    names = [operation["operationId"] for operation in operations if "operationId" in operation]
    assert len(names) == len(set(names))


@pytest.mark.requirement("ops:docs")
def test_every_reference_inside_the_openapi_document_leads_somewhere(api_url: str) -> None:
    document = Api(api_url).get("/v1/openapi.json").json
    dangling = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            target = node.get("$ref")
            if isinstance(target, str) and target.startswith("#/"):
                found: Any = document
                for part in target[2:].split("/"):
                    found = (found or {}).get(part.replace("~1", "/").replace("~0", "~"))
                if found is None:
                    dangling.append(target)
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)

    assert dangling == []


@pytest.mark.requirement("ops:docs")
def test_a_client_that_holds_the_openapi_document_is_not_sent_it_again(api_url: str) -> None:
    first = Api(api_url).get("/v1/openapi.json")

    again = Api(api_url).get("/v1/openapi.json", If_None_Match=first.headers["etag"])

    assert (again.status, again.body) == (304, b"")
    assert Api(api_url).get("/v1/openapi.json").body == first.body


@pytest.mark.requirement("ops:docs")
@pytest.mark.parametrize("path", ["/v1/docs", "/v1/redoc"])
def test_the_documentation_is_served_without_a_token_and_from_here_alone(api_url: str, path: str) -> None:
    page = Api(api_url).get(path)

    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert b"/v1/openapi.json" in page.body
    assert b"https://" not in page.body
