"""The table of routes against the routes there are, and against what the running server answers each role."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
import structlog
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.views import APIView

from apps.edge import auth
from apps.identity import rbac
from apps.identity.access import OUTSIDE, PUBLIC, ROUTES, SIGNED_IN
from apps.identity.principal import Principal
from apps.identity.rbac import MATRIX, ROLES, scopes_of
from apps.identity.tokens import TokenRefusedError
from apps.tenancy.models import Tenant
from kernel.errors import ForbiddenError
from tests.clients import Api
from tests.factories import make_token
from tests.integration.identity.conftest import bearer

SAFE = {"GET"}


def patterns(resolver: Any, prefix: str = "/") -> Iterator[tuple[str, Any]]:
    """(route template, view) of every route there is."""
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern, route)
        else:
            assert isinstance(pattern, URLPattern)
            yield route, pattern.callback


def inside() -> list[tuple[str, Any]]:
    return [(route, view) for route, view in patterns(get_resolver()) if not f"{route}/".startswith(OUTSIDE)]


def served(view: Any) -> set[str]:
    """The methods a view serves, HEAD and OPTIONS aside. Functions of ours are @require_safe, found by asking."""
    made_of = getattr(view, "cls", None) or getattr(view, "view_class", None)
    if made_of is not None:
        return {name.upper() for name in ("get", "post", "put", "patch", "delete") if hasattr(made_of, name)}
    known = inspect.getclosurevars(view).nonlocals.get("request_method_list", [])
    return set(known) - {"HEAD", "OPTIONS"}


@pytest.mark.requirement("roles:declared")
def test_every_route_is_declared_and_every_declaration_has_its_route() -> None:
    assert {route for route, _ in inside()} == set(ROUTES)


@pytest.mark.requirement("roles:declared")
def test_every_method_a_view_serves_is_declared_and_no_other() -> None:
    different = {
        route: (served(view), set(ROUTES[route])) for route, view in inside() if served(view) != set(ROUTES[route])
    }

    assert different == {}


@pytest.mark.requirement("roles:declared")
def test_every_need_is_a_permission_that_some_role_has() -> None:
    needs = {need for methods in ROUTES.values() for need in methods.values()} - {PUBLIC, SIGNED_IN}

    assert needs <= set(rbac.PERMISSIONS)


@pytest.mark.requirement("roles:declared")
def test_views_do_not_open_what_the_table_closes() -> None:
    """The second wall: a view of DRF that would take anybody stands at a public route."""
    open_views = [
        route
        for route, view in inside()
        if isinstance(getattr(view, "cls", None), type)
        and issubclass(view.cls, APIView)
        and not view.cls.permission_classes
        and set(ROUTES[route].values()) != {PUBLIC}
    ]

    assert open_views == []


@pytest.mark.requirement("roles:declared")
def test_a_route_without_a_declaration_is_refused_to_everybody(
    client: Client, token_for: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    others = {route: methods for route, methods in ROUTES.items() if route != "/v1/jobs/types"}
    monkeypatch.setattr(auth, "ROUTES", others)
    monkeypatch.setattr("apps.edge.auth.log", structlog.get_logger("edge"))  # one that was used is not captured

    with structlog.testing.capture_logs() as lines:
        response = client.get("/v1/jobs/types", headers=bearer(token_for("admin")))

    assert (response.status_code, response.json()["code"]) == (403, "access_undeclared")
    assert [line["log_level"] for line in lines if line["event"] == "access_undeclared"] == ["error"]


@pytest.mark.requirement("roles:declared")
def test_a_method_without_a_declaration_reaches_no_view(
    client: Client, token_for: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ROUTES, "/v1/jobs", {"GET": "jobs:read"})

    response = client.post("/v1/jobs", {"type": "test"}, "application/json", headers=bearer(token_for("admin")))

    assert response.status_code == 405
    assert response["Allow"] == "GET, HEAD, OPTIONS"
    assert response.json()["code"] == "method_not_allowed"


@pytest.mark.requirement("roles:declared")
def test_head_is_as_get_and_options_only_needs_a_token() -> None:
    nobody = Principal("ada", uuid4())
    reader = Principal("ada", uuid4(), frozenset({"viewer"}), scopes_of(["viewer"]))

    auth.authorise(reader, "HEAD", "/v1/jobs")
    auth.authorise(nobody, "OPTIONS", "/v1/jobs")
    with pytest.raises(ForbiddenError):
        auth.authorise(nobody, "HEAD", "/v1/jobs")
    with pytest.raises(TokenRefusedError):
        auth.authorise(None, "OPTIONS", "/v1/jobs")


@pytest.mark.requirement("roles:routes")
@pytest.mark.parametrize("role", sorted(ROLES))
def test_every_route_answers_each_role_as_the_table_says(api_url: str, tenant: Tenant, role: str) -> None:
    caller = Api(api_url, make_token(tenant, role))
    wrong = []

    for route, methods in ROUTES.items():
        for method, need in methods.items():
            answer = caller.request(method, path_of(route), None if method in SAFE else b"{}")

            may = need in (PUBLIC, SIGNED_IN) or need in MATRIX[role] or route == "/metrics"
            was_refused = answer.status == 403 and "required_permission" in answer.json["extensions"]
            if was_refused is may or answer.status in (401, 405) or answer.status >= 500:
                wrong.append((method, route, need, answer.status, answer.body[:200]))
            if was_refused and answer.json["extensions"]["required_scopes"] != [rbac.scope_for(need)]:
                wrong.append((method, route, need, answer.json["extensions"]))

    assert wrong == []


@pytest.mark.requirement("roles:routes")
def test_every_route_answers_nobody_as_the_table_says(api_url: str) -> None:
    nobody, wrong = Api(api_url), []

    for route, methods in ROUTES.items():
        for method, need in methods.items():
            answer = nobody.request(method, path_of(route), None if method in SAFE else b"{}")
            if (answer.status != 401) is not (need == PUBLIC or route == "/metrics"):
                wrong.append((method, route, need, answer.status))

    assert wrong == []


@pytest.mark.requirement("roles:audited")
def test_refusals_are_noted_with_their_reason_and_never_with_the_token(
    client: Client, tenant: Tenant, token_for: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[dict[str, Any]] = []
    monkeypatch.setattr("apps.audit.trail.note", lambda **row: notes.append(row))
    good, bad = token_for("viewer"), token_for("viewer", ttl_s=-100)

    client.get("/v1/jobs", headers=bearer(bad))
    client.get("/v1/nothing/at/all")
    client.get("/v1/admin/jobs", headers=bearer(good))

    assert [(row["action"], row["actor"], row["tenant_id"], row["outcome"]) for row in notes] == [
        ("auth.refused", "anonymous", None, "denied"),
        ("auth.refused", "anonymous", None, "denied"),
        ("access.refused", "ada", tenant.id, "denied"),
    ]
    assert [row["details"] for row in notes] == [
        {"reason": "expired", "method": "GET", "route": "/v1/jobs"},
        {"reason": "no Authorization header", "method": "GET", "route": "unmatched"},
        {"reason": "forbidden", "method": "GET", "route": "/v1/admin/jobs", "required_permission": "all-jobs:read"},
    ]
    assert not [row for row in notes if good in str(row) or bad in str(row)]


@pytest.mark.requirement("roles:audited")
def test_what_a_view_refuses_is_noted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[dict[str, Any]] = []
    monkeypatch.setattr("apps.audit.trail.note", lambda **row: notes.append(row))
    request = HttpRequest()
    request.path_info = request.path = "/v1/docs"

    auth.BearerAuth(lambda request: HttpResponse(status=403))(request)

    assert [row["action"] for row in notes] == ["access.refused"]


@pytest.mark.requirement("roles:detail")
def test_health_says_more_to_those_who_may_know_more(api_url: str, tenant: Tenant) -> None:
    nobody, user, operator = (Api(api_url), *(Api(api_url, make_token(tenant, role)) for role in ("user", "operator")))

    for path in ("/v1/health/ready", "/v1/health/startup", "/v1/health/components"):
        for caller, sees in ((nobody, False), (user, False), (operator, True)):
            postgres = caller.get(path).json["checks"]["postgres"]
            assert (postgres["ok"], postgres["latency_ms"] is not None, bool(postgres["details"])) == (True, sees, sees)
    assert nobody.get("/v1/health/components/postgres").json["details"] == {}
    assert operator.get("/v1/health/components/postgres").json["details"]


@pytest.mark.requirement("roles:detail")
def test_metrics_need_a_scope_once_they_are_not_public(
    client: Client, token_for: Callable[..., str], settings: Any
) -> None:
    assert client.get("/metrics").status_code == 200

    settings.METRICS_PUBLIC = False

    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers=bearer(token_for("user"))).status_code == 403
    assert client.get("/metrics", headers=bearer(token_for("operator"))).status_code == 200


def path_of(route: str) -> str:
    """The template with a random id in each hole."""
    return "/".join(str(uuid4()) if part.startswith("<") else part for part in route.split("/"))
