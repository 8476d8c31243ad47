"""catalog.*: what there is for this caller, described and found by what it is about."""

from typing import Any

import pytest

from apps.identity.principal import Principal
from apps.tenancy.models import Tenant
from apps.tools import registry
from apps.tools.models import ToolPolicy
from kernel import engine_db
from kernel.errors import ForbiddenError, ValidationError
from tests.factories import make_model, make_principal, make_tenant
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:catalog")
ROLES = ("user", "operator", "admin", "auditor", "curator", "guest")


def found(principal: Principal, query: str, **more: Any) -> list[tuple[str, str]]:
    return [(hit["kind"], hit["name"]) for hit in result(principal, "catalog.search", {"query": query, **more})["hits"]]


def described(principal: Principal, name: str, **more: Any) -> dict[str, Any]:
    shown: dict[str, Any] = result(principal, "catalog.describe", {"name": name, **more})["found"]
    return shown


def missing(principal: Principal, name: str, **more: Any) -> str:
    """What is said of a name that is not the caller's."""
    outcome = call(principal, "catalog.describe", {"name": name, **more})
    assert outcome.error is not None
    assert (outcome.error["code"], outcome.http_status) == ("not_catalogued", 404)
    return str(outcome.error["message"])


# -- discover
@pytest.mark.parametrize("role", ROLES)
def test_a_caller_discovers_the_tools_it_may_call_and_no_others(tenant: Tenant, role: str) -> None:
    caller = make_principal(tenant, role)
    may = {one.spec.name for one in registry.callable_by(caller)}

    said = result(caller, "catalog.discover", {"limit": 200})
    names = result(caller, "catalog.discover", {"names_only": True, "limit": 200})

    assert {one["name"] for one in said["tools"]} == may == set(names["names"])
    assert (said["total"], names["tools"]) == (len(may), [])
    assert sum(category["tools"] for category in said["categories"]) == len(may)
    assert ("tenancy.manage" in may, "security.audit" in may) == (
        role in ("operator", "admin"), role in ("admin", "auditor"),
    )  # fmt: skip


def test_what_is_left_out_was_not_asked_for(principal: Principal) -> None:
    plain = result(principal, "catalog.discover", {"prefix": "errors."})["tools"][0]
    full = result(
        principal,
        "catalog.discover",
        {"prefix": "errors.", "include_schemas": True, "include_scopes": True, "include_modules": True},
    )["tools"][0]

    assert (plain["input_schema"], plain["scopes"], plain["name"]) == (None, None, "errors.report")
    assert set(full["input_schema"]["properties"]) >= {"action", "message", "metadata"}
    assert (full["scopes"], full["permissions"], full["effect"]) == (["tools:invoke", "write"], [], "write")
    assert full["module"] is None


def test_modules_are_shown_to_administrators(tenant: Tenant) -> None:
    given = {"prefix": "errors.", "include_modules": True}

    (one,) = result(make_principal(tenant, "admin"), "catalog.discover", given)["tools"]

    assert one["module"] == "apps.toolbox.errors"


def test_tools_come_by_category_and_by_name_and_no_more_than_asked_for(principal: Principal) -> None:
    by_category = result(principal, "catalog.discover", {"sort": "category", "names_only": True})["names"]
    two = result(principal, "catalog.discover", {"names_only": True, "limit": 2})
    categories = result(principal, "catalog.discover", {"categories_only": True})

    assert [name.partition(".")[0] for name in by_category] == sorted(name.partition(".")[0] for name in by_category)
    assert len(two["names"]) == 2 < two["total"]
    assert (categories["tools"], categories["names"]) == ([], [])
    assert {"name": "catalog", "tools": 3} in categories["categories"]


def test_a_tool_that_is_switched_off_for_the_tenant_is_not_there(tenant: Tenant, principal: Principal) -> None:
    ToolPolicy.objects.using(engine_db.ALIAS).create(tenant_id=tenant.id, tool="system.time", enabled=False)
    registry.current.reload()

    names = result(principal, "catalog.discover", {"names_only": True, "limit": 200})["names"]

    assert "system.time" not in names
    missing(principal, "system.time")
    assert described(make_principal(make_tenant()), "system.time")["kind"] == "tool"


def test_a_token_that_only_reads_is_told_so(principal: Principal) -> None:
    reader = Principal(principal.sub, principal.tenant_id, principal.roles, frozenset({"read", "tools:invoke"}))

    (one,) = result(reader, "catalog.discover", {"prefix": "errors."})["tools"]

    assert one["reading_only"] is True


# -- describe
def test_each_kind_of_thing_is_described(tenant: Tenant, principal: Principal) -> None:
    make_model(tenant.id, name="own-model")

    label, kind = described(principal, "gene"), described(principal, "Blast")
    relationship, tool = described(principal, "WORKS_AT"), described(principal, "errors.report")
    prompt, job_type = described(principal, "how many users are there"), described(principal, "agent.run")
    model = described(principal, "own-model")

    assert (label["kind"], label["name"]) == ("label", "Gene")
    assert "symbol" in {one["name"] for one in label["details"]["properties"]}
    assert (kind["details"]["beside"], "(User)-[:RUNS]->(Task)" in kind["details"]["relationships"]) == ("Task", True)
    assert relationship["details"]["pattern"] == "(User)-[:WORKS_AT]->(Institution)"
    assert tool["details"]["reading_actions"] == ["list", "get"]
    assert tool["details"]["input_schema"]["required"] == ["action"]
    assert prompt["details"] == {"category": "GRAPH"}
    assert job_type["details"]["payload_schema"]["properties"]
    assert (model["details"]["owner"], model["details"]["provider_type"]) == ("your tenant", "demo")


def test_a_name_is_looked_for_among_one_kind_only_where_that_is_asked(principal: Principal) -> None:
    assert described(principal, "TOOL", kind="label")["name"] == "Tool"
    assert "hello" in missing(principal, "Gene says hello", kind="prompt")


@pytest.mark.parametrize(
    ("role", "name"),
    [("guest", "Gene"), ("auditor", "WORKS_AT"), ("user", "tenancy.manage"), ("user", "tenant.offboard"),
     ("guest", "agent.run"), ("auditor", "errors.report.x")],
)  # fmt: skip
def test_what_is_not_the_callers_to_use_looks_like_nothing(tenant: Tenant, role: str, name: str) -> None:
    assert name[:100] in missing(make_principal(tenant, role), name)


def test_anothers_model_is_not_there(tenant: Tenant) -> None:
    other = make_tenant()
    make_model(other.id, name="their-model")
    caller = make_principal(tenant)

    assert "their-model" in str(found(make_principal(other), "their-model"))
    assert ("model", "their-model") not in found(caller, "their-model")
    missing(caller, "their-model")


def test_a_near_miss_is_helped(principal: Principal) -> None:
    assert "errors.report" in missing(principal, "report errors")


# -- search
@pytest.mark.parametrize(
    ("query", "first"),
    [("gene", ("label", "Gene")), ("works at", ("relationship", "WORKS_AT")),
     ("Security.Validate", ("tool", "security.validate")),
     ("rate limits", ("tool", "ratelimit.manage")),
     ("how many failed tasks", ("prompt", "how many failed tasks are there")),
     ("audit log", ("tool", "security.audit")), ("what time is it", ("tool", "system.time")),
     ("offboard a tenant", ("job_type", "tenant.offboard"))],
    ids=["label", "relationship", "name", "words", "prompt", "audit", "time", "job-type"],
)  # fmt: skip
def test_what_is_meant_stands_first(tenant: Tenant, query: str, first: tuple[str, str]) -> None:
    assert found(make_principal(tenant, "admin"), query)[0] == first


def test_kinds_and_limit_narrow_a_search(principal: Principal) -> None:
    labels = found(principal, "task", kinds=["label"])
    two = result(principal, "catalog.search", {"query": "task", "limit": 2})

    assert {kind for kind, _ in labels} == {"label"}
    assert labels[0] == ("label", "Task")
    assert len(two["hits"]) == 2 < two["total"]
    scores = [hit["score"] for hit in two["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert found(principal, "zyxwvut") == []


@pytest.mark.parametrize(
    ("role", "kinds"),
    [("user", {"tool", "label", "relationship", "prompt", "job_type", "model"}), ("guest", {"tool", "prompt", "model"}),
     ("auditor", {"tool", "prompt", "model"})],
)  # fmt: skip
def test_a_search_finds_only_what_the_role_may_use(tenant: Tenant, role: str, kinds: set[str]) -> None:
    caller = make_principal(tenant, role)
    every = {
        hit[0]
        for query in ("task", "works at institution", "how many users are there", "agent run", "demo model", "system")
        for hit in found(caller, query, limit=50)
    }

    assert every == kinds


@pytest.mark.parametrize(
    ("name", "given"),
    [("catalog.discover", {"limit": 0}), ("catalog.discover", {"sort": "size"}), ("catalog.describe", {}),
     ("catalog.describe", {"name": "Gene", "kind": "animal"}), ("catalog.search", {"query": ""}),
     ("catalog.search", {"query": "a\0b"}), ("catalog.search", {"query": "x" * 301})],
    ids=["limit", "sort", "no-name", "kind", "empty", "nul", "long"],
)  # fmt: skip
def test_what_does_not_fit_is_refused(principal: Principal, name: str, given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(principal, name, given)


@pytest.mark.parametrize("name", ["catalog.discover", "catalog.describe", "catalog.search"])
def test_a_viewer_has_no_tools(tenant: Tenant, name: str) -> None:
    given = {"catalog.describe": {"name": "Gene"}, "catalog.search": {"query": "gene"}}.get(name, {})

    with pytest.raises(ForbiddenError):
        call(make_principal(tenant, "viewer"), name, given)
