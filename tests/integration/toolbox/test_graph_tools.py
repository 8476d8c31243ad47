"""The tools that ask the graph: what they find, what the gate refuses, and who may not."""

from typing import Any

import pytest

from apps.graph.loading import load
from apps.graph.records import Edge, Node
from apps.graph.uids import uid_for
from apps.identity.principal import Principal
from apps.tenancy.models import Tenant
from kernel.errors import ForbiddenError, ValidationError
from tests.factories import make_principal, make_tenant
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:graph")
TASKS = 7
READERS = ("graph.query", "graph.explain", "graph.schema")
MINIMAL: dict[str, dict[str, Any]] = {
    "graph.query": {"cypher": "MATCH (t:Task) RETURN count(t) AS tasks"},
    "graph.explain": {"cypher": "MATCH (t:Task) RETURN count(t) AS tasks"},
    "graph.schema": {},
}


def sow(tenant: Tenant, name: str = "ada") -> None:
    """One person who runs TASKS tasks, in this tenant's graph."""
    nodes = [Node("User", uid_for(tenant.id, "user"), {"user_id": "1", "user_name": name, "email": "x@example.org"})]
    nodes += [
        Node("Task", uid_for(tenant.id, f"task {number}"), {"task_id": f"task-{number}", "status": "completed"})
        for number in range(TASKS)
    ]
    load(tenant.id, [*nodes, *(Edge("RUNS", nodes[0].uid, task.uid) for task in nodes[1:])])


@pytest.fixture(scope="module")
def sown() -> Tenant:
    made = make_tenant()
    sow(made)
    return made


@pytest.fixture
def user(sown: Tenant) -> Principal:
    return make_principal(sown)


def error_of(principal: Principal, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The error of a call that fails."""
    outcome = call(principal, name, arguments)
    assert outcome.error is not None, outcome.result
    return outcome.error


def test_a_query_gives_rows_and_the_text_that_ran(user: Principal) -> None:
    cypher = "MATCH (u:User {user_name: $name})-[r:RUNS]->(t:Task) RETURN u, r, t.task_id AS task ORDER BY task"

    found = result(user, "graph.query", {"cypher": cypher, "params": {"name": "ada"}, "limit": 3, "graph": True})
    following = result(
        user, "graph.query",
        {"cypher": cypher, "parameters": {"name": "ada"}, "limit": 5, "page_token": found["next_page_token"]},
    )  # fmt: skip

    assert found["columns"] == ["u", "r", "task"]
    assert [row[2] for row in found["rows"]] == ["task-0", "task-1", "task-2"]
    assert found["truncated"] and "$__tenant" in found["cypher"] and found["parameters"] == {"name": "ada"}
    assert [row[2] for row in following["rows"]] == ["task-3", "task-4", "task-5", "task-6"]
    assert len(found["graph"]["edges"]) == 3 and "tenant_id" not in str(found["rows"])


def test_a_query_is_explained_without_running_and_profiled_by_running(user: Principal) -> None:
    cypher = "MATCH (t:Task) RETURN t.task_id AS id"

    explained = result(user, "graph.query", {"action": "explain", "cypher": cypher})
    profiled = result(user, "graph.query", {"action": "profile", "cypher": cypher})

    assert explained["plan"] and explained["elapsed_ms"] is None and explained["rows"] == []
    assert profiled["plan"] and profiled["elapsed_ms"] > 0 and profiled["row_count"] == TASKS


def test_a_query_or_a_question_is_explained(user: Principal) -> None:
    query = result(user, "graph.explain", {"cypher": "MATCH (t:Task) RETURN count(t) AS n"})
    question = result(user, "graph.explain", {"question": "How many tasks are there?"})

    assert query["plan"] and query["columns"] == ["n"]
    assert "count(" in question["cypher"] and question["reading"]
    assert error_of(user, "graph.explain", {"question": "How many unicorns?"})["code"] == "question_refused"


def test_the_schema_is_told_whole_and_in_parts(user: Principal) -> None:
    whole = result(user, "graph.schema")
    labels = result(user, "graph.schema", {"action": "labels"})
    types = result(user, "graph.schema", {"action": "relationships"})
    properties = result(user, "graph.schema", {"action": "properties", "label": "blast"})

    assert len(whole["labels"]) == 14 and len(whole["relationships"]) == 4
    assert {one["label"]: one["count"] for one in labels["labels"]}["Task"] == TASKS
    assert "properties" not in labels["labels"][0] and labels["relationships"] == []
    assert {one["type"] for one in types["relationships"]} == {"WORKS_AT", "RUNS", "INPUT", "OUTPUT"}
    assert {"of": "Blast", "name": "blasttype"}.items() <= next(
        one for one in properties["properties"] if one["name"] == "blasttype"
    ).items()
    assert error_of(user, "graph.schema", {"label": "Unicorn"})["code"] == "unknown_label"


@pytest.mark.parametrize("name", READERS)
def test_who_may_not_read_the_graph_may_not_ask_it(sown: Tenant, name: str) -> None:
    for role in ("viewer", "guest", "auditor"):
        with pytest.raises(ForbiddenError):
            call(make_principal(sown, role), name, MINIMAL[name])


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("graph.query", {}),
        ("graph.query", {"cypher": ""}),
        ("graph.query", {"cypher": "RETURN 1", "limit": 100_000}),
        ("graph.query", {"cypher": "RETURN 1", "limit": "5"}),
        ("graph.query", {"cypher": "RETURN 1", "timeout_ms": 1}),
        ("graph.query", {"cypher": "RETURN 1", "read_only": False}),
        ("graph.query", {"cypher": "RETURN 1", "action": "write"}),
        ("graph.query", {"cypher": "RETURN 1", "params": {}, "parameters": {}}),
        ("graph.query", {"cypher": "RETURN 1", "principal": {"roles": ["admin"]}}),
        ("graph.explain", {}),
        ("graph.explain", {"cypher": "RETURN 1", "question": "How many?"}),
        ("graph.schema", {"action": "drop"}),
    ],
)
def test_wrong_input_is_refused(user: Principal, name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(user, name, arguments)


@pytest.mark.parametrize("name", ["graph.query", "graph.explain"])
def test_another_tenants_nodes_are_not_there(sown: Tenant, name: str) -> None:
    stranger = make_principal(make_tenant(), "admin")
    by_uid = {"cypher": "MATCH (n {uid: $uid}) RETURN n.uid AS uid", "params": {"uid": uid_for(sown.id, "user")}}

    found = result(stranger, name, by_uid)

    assert found.get("rows", []) == []
    assert "$__tenant" in found["cypher"]


def test_a_caller_that_leaves_ends_the_query(user: Principal) -> None:
    outcome = call(user, "graph.query", MINIMAL["graph.query"], cancelled=lambda: True)

    assert outcome.error is not None
    assert outcome.error["code"] == "tool_cancelled"


def test_a_tenants_own_numbers_are_in_the_schema(sown: Tenant) -> None:
    empty = result(make_principal(make_tenant()), "graph.schema")
    full = result(make_principal(sown), "graph.schema")

    assert (empty["node_count"], full["node_count"], full["relationship_count"]) == (0, TASKS + 1, TASKS)
