"""Attacks 42, 43 and 46: who calls what it may not, by which spelling, and who would make itself more."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from apps.audit.models import PLATFORM_CHAIN
from apps.identity.access import PUBLIC, ROUTES, SIGNED_IN
from apps.identity.rbac import MATRIX
from apps.tenancy.models import Tenant
from tests.clients import PATIENCE_S, Api, free_port, is_up, wait_for
from tests.factories import make_token
from tests.raw_http import RawConnection, statuses

ADMIN_JOBS = "/v1/admin/jobs"
SPELLINGS = (
    "//v1/admin/jobs", "/v1//admin/jobs", "/v1/./admin/jobs", "/v1/x/../admin/jobs", "/v1/health/../admin/jobs",
    "/v1/health/live/../../admin/jobs", "/v1/admin%2fjobs", "/v1/admin%2Fjobs", "/v1%2fadmin%2fjobs",
    "/v1/admin/jobs;x", "/v1;/admin/jobs", "/v1/admin/jobs;a=/v1/health/live", "/v1/admin/jobs.", "/v1/admin/jobs/",
    "/v1/admin/jobs/.", "/v1/admin/jobs.json", "/V1/ADMIN/JOBS", "/v1/Admin/jobs", "/v1/admin/jobs%00",
    "/v1/admin/jobs%20", "/v1/admin/jobs%0a", "/v1/admin/jobs%23", "/v1/admin/jobs%3f", "/v1/%61dmin/jobs",
    "/v1/%2561dmin/jobs", "/v1/admin\\jobs", "/v1/admin%5cjobs", "/v1/ad%C0%AFmin/jobs", "/v1/%ef%bd%81dmin/jobs",
    "/v1/docs/../admin/jobs", "/v1/openapi.json/../admin/jobs", "/v1/health/components/../../admin/jobs",
    "/v1/health/components/%2e%2e%2f%2e%2e%2fadmin%2fjobs", "/static/../v1/admin/jobs", "/oidc/../v1/admin/jobs",
    "/admin/../v1/admin/jobs", "/v1/admin/jobs?/v1/health/live", "/v1/admin/jobs#/v1/health/live",
    "/v1/admin/jobs/" + "x" * 8000,
)  # fmt: skip


@pytest.fixture
def viewer(api_url: str, tenant: Tenant) -> Api:
    return Api(api_url, make_token(tenant, "viewer"))


@pytest.fixture(scope="module")
def like_production(spawn: Callable[..., Any]) -> Iterator[str]:
    """A server whose metrics are not public."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = spawn("config.serve", "--port", str(port), name="web-private-metrics", AGENTIC_METRICS_PUBLIC="false")
    wait_for(lambda: is_up(url), what="the API server answering")
    yield url
    process.terminate()
    process.wait(timeout=PATIENCE_S)


def status_of(base_url: str, target: str, token: str | None) -> int:
    """The answer to this very request line, which no client library has tidied."""
    with RawConnection(base_url) as connection:
        lines = [f"GET {target} HTTP/1.1", "Host: 127.0.0.1", "Connection: close"]
        lines += [f"Authorization: Bearer {token}"] if token else []
        connection.send("\r\n".join([*lines, "", ""]).encode("latin-1"))
        return (statuses(connection.read_to_end()) or [400])[0]  # a server that just hangs up has refused


@pytest.mark.requirement("security:42")
def test_a_viewer_gets_no_administrators_route(viewer: Api) -> None:
    not_for_viewers = [
        (method, route)
        for route, methods in ROUTES.items()
        for method, need in methods.items()
        if need not in (PUBLIC, SIGNED_IN) and need not in MATRIX["viewer"] and route != "/metrics"
    ]

    answers = {
        (method, route): viewer.request(
            method,
            "/".join(str(uuid4()) if part.startswith("<") else part for part in route.split("/")),
            None if method == "GET" else b"{}",
        )
        for method, route in not_for_viewers
    }

    assert [key for key, answer in answers.items() if answer.status != 403] == []
    assert all(answer.json["code"] == "forbidden" and answer.json["correlation_id"] for answer in answers.values())


@pytest.mark.requirement("security:42")
@pytest.mark.parametrize(
    "path", ["/v1/internal/db", "/v1/internal/ops/preview-staged", "/v1/admin", "/__debug__/", "/debug", "/v1/admin/db"]
)
def test_there_is_no_inside_to_call(api_url: str, viewer: Api, path: str) -> None:
    assert Api(api_url).get(path).status in (401, 404)
    assert viewer.get(path).status in (403, 404)


@pytest.mark.requirement("security:42")
def test_metrics_are_closed_to_viewers_where_they_are_not_public(like_production: str, tenant: Tenant) -> None:
    callers = [Api(like_production, make_token(tenant, role)) for role in ("viewer", "user", "operator")]

    assert Api(like_production).get("/metrics").status == 401
    assert [caller.get("/metrics").status for caller in callers] == [403, 403, 200]


@pytest.mark.requirement("security:42")
@pytest.mark.parametrize("path", ["/v1/health/ready", "/v1/health/startup", "/v1/health/components"])
def test_public_health_has_no_detail(api_url: str, viewer: Api, path: str) -> None:
    for caller in (Api(api_url), viewer, Api(api_url, "rubbish")):
        checks = caller.get(path).json["checks"].values()

        assert checks
        assert all(check["details"] == {} and check["latency_ms"] is None for check in checks)


@pytest.mark.requirement("security:42")
@pytest.mark.requirement("roles:audited")
def test_every_refusal_leaves_a_row_that_can_be_found_by_its_correlation_id(
    api_url: str, viewer: Api, tenant: Tenant, admin_url: str
) -> None:
    refused = viewer.get(ADMIN_JOBS), Api(api_url, "rubbish").get(ADMIN_JOBS)
    ids = [answer.json["correlation_id"] for answer in refused]
    assert ids == [answer.headers["x-correlation-id"] for answer in refused]

    with psycopg.connect(admin_url, autocommit=True) as superuser:
        find = "SELECT action, tenant_id, outcome, details ->> 'route' FROM audit_logs WHERE correlation_id = ANY(%s)"
        rows = wait_for(
            lambda: len(found := superuser.execute(f"{find} ORDER BY action", [ids]).fetchall()) == 2 and found,
            what="the audit rows",
        )

    assert rows == [
        ("access.refused", tenant.id, "denied", ADMIN_JOBS),
        ("auth.refused", PLATFORM_CHAIN, "denied", ADMIN_JOBS),
    ]


@pytest.mark.requirement("security:43")
@pytest.mark.parametrize("target", SPELLINGS, ids=lambda target: target[:40])
def test_another_spelling_of_a_path_gets_the_same_decision_or_nothing(
    api_url: str, viewer: Api, admin: Api, target: str
) -> None:
    assert status_of(api_url, ADMIN_JOBS, admin.token) == 200

    signed_in_elsewhere = (302,) if target.startswith("/admin/") else ()  # pages, which know no tokens
    assert status_of(api_url, target, None) in (400, 401, 404, 414, *signed_in_elsewhere)
    assert status_of(api_url, target, viewer.token) in (400, 403, 404, 414, *signed_in_elsewhere)


@pytest.mark.requirement("security:46")
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nobody_edits_the_own_rights(viewer: Api, method: str) -> None:
    before = viewer.get("/v1/auth/me").json
    more = json.dumps({"roles": ["admin"], "role": "admin", "scopes": ["admin:all"], "platform_admin": True}).encode()

    answers = [viewer.request(method, path, more) for path in ("/v1/auth/me", "/v1/auth/permissions")]

    assert [answer.status for answer in answers] == [405, 405]
    assert viewer.get("/v1/auth/me").json == before


@pytest.mark.requirement("security:46")
def test_rights_in_a_header_query_or_body_are_nobodys(api_url: str, viewer: Api, tenant: Tenant) -> None:
    user = Api(api_url, make_token(tenant, "user"))
    claims = {"X_Roles": "admin", "X_Role": "admin", "X_Scopes": "admin:all", "X_User_Id": "root", "X_Admin": "true"}

    assert viewer.get(ADMIN_JOBS, **claims).status == 403
    assert viewer.get(f"{ADMIN_JOBS}?role=admin&scopes=admin:all").status == 403
    assert viewer.post("/v1/jobs", {"type": "test", "payload": {}, "roles": ["admin"]}, **claims).status == 403
    assert user.post("/v1/jobs", {"type": "test", "payload": {}, "principal": {"roles": ["admin"]}}).status in (
        400,
        422,
    )


@pytest.mark.requirement("security:46")
def test_another_method_by_header_changes_nothing(viewer: Api) -> None:
    answer = viewer.get("/v1/jobs", X_HTTP_Method_Override="POST", X_Method_Override="DELETE")

    assert answer.status == 200
