"""graph.secure_query and graph.generate_cypher: answers with what they stand on, and what the gate says of a text."""

import csv
import io
import json
from typing import Any

import pytest

from apps.graph.loading import load
from apps.graph.records import Edge, Node
from apps.graph.uids import uid_for
from apps.identity.principal import Principal
from apps.tenancy.models import Tenant
from apps.tools.models import ToolInvocation
from kernel.errors import ForbiddenError, ValidationError
from kernel.tenant_context import tenant_scope
from tests.factories import make_principal, make_tenant
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:graph")
TASKS = 5
COUNT = "MATCH (t:Task) RETURN count(t) AS tasks"


@pytest.fixture(scope="module")
def sown() -> Tenant:
    made = make_tenant()
    person = Node("User", uid_for(made.id, "user"), {"user_id": "1", "user_name": "=ada|x", "email": "x@example.org"})
    tasks = [
        Node("Task", uid_for(made.id, f"task {number}"), {"task_id": f"task-{number}", "status": "completed"})
        for number in range(TASKS)
    ]
    load(made.id, [person, *tasks, *(Edge("RUNS", person.uid, task.uid) for task in tasks)])
    return made


@pytest.fixture
def user(sown: Tenant) -> Principal:
    return make_principal(sown)


def asked(caller: Principal, **arguments: Any) -> dict[str, Any]:
    return result(caller, "graph.secure_query", arguments)


def test_a_question_is_answered_with_what_it_stands_on(user: Principal) -> None:
    out = asked(user, prompt="How many tasks are there?")

    assert str(TASKS) in out["answer"] and out["rows"] == [[TASKS]]
    assert "$__tenant" in out["cypher"] and out["rowcount"] == 1
    assert out["validation"]["checks"] == {"write_operations": False, "forbidden_clauses": False, "tenant_scoped": True}
    assert [layer["name"] for layer in out["validation"]["layers"]][:3] == ["syntax", "read-only", "tenant"]
    assert (out["validation"]["role"], out["validation"]["permissions"]) == ("user", ["graph:read"])


def test_a_question_becomes_a_query_that_does_not_run(user: Principal) -> None:
    out = asked(user, action="generate", prompt="How many tasks are there?")

    assert "count(" in out["cypher"] and out["rows"] == [] and out["is_safe"]


def test_a_query_runs_in_each_format(user: Principal) -> None:
    text = {"action": "execute", "statement": "MATCH (u:User {user_name: $n}) RETURN u.user_name AS name, 2 AS two",
            "params": {"n": "=ada|x"}}  # fmt: skip

    formats = {one: asked(user, **text, return_format=one)["formatted_output"] for one in ("csv", "json", "markdown")}
    plain = asked(user, **text)

    assert plain["rows"] == [["=ada|x", 2]] and plain["formatted_output"] == ""
    assert list(csv.reader(io.StringIO(formats["csv"]))) == [["name", "two"], ["'=ada|x", "2"]]
    assert json.loads(formats["json"]) == [{"name": "=ada|x", "two": 2}]
    assert formats["markdown"].splitlines()[2] == r"| \=ada\|x | 2 |"


def test_more_rows_than_wanted_are_said_to_be_there(user: Principal) -> None:
    out = asked(user, action="execute", cypher="MATCH (t:Task) RETURN t.task_id AS id", max_rows=2)

    assert (out["rowcount"], out["truncated"]) == (2, True)


@pytest.mark.parametrize(
    ("cypher", "safe", "writes", "forbidden", "scoped"),
    [
        (COUNT, True, False, False, True),
        ("RETURN 1 AS one", True, False, False, None),
        ("MATCH (t:Task) DETACH DELETE t", False, True, False, None),
        ("CREATE (t:Task {task_id: 'x', status: 'queued'})", False, True, False, None),
        ("LOAD CSV FROM 'file:///etc/passwd' AS row RETURN row", False, False, True, None),
        ("MATCH (n) RETURN id(n) AS i", False, False, True, None),
        ("MATCH (n {tenant_id: 'x'}) RETURN n", False, False, False, None),
    ],
)
def test_what_the_gate_says_is_told_and_nothing_runs(
    user: Principal, cypher: str, safe: bool, writes: bool, forbidden: bool, scoped: bool | None
) -> None:
    out = asked(user, action="validate", cypher=cypher)

    assert (out["is_safe"], out["is_write"]) == (safe, writes)
    assert out["validation"]["checks"] == {
        "write_operations": writes, "forbidden_clauses": forbidden, "tenant_scoped": scoped,
    }  # fmt: skip
    assert (out["validation"]["refusal"] is None) == safe
    assert result(user, "graph.query", {"cypher": COUNT})["rows"] == [[TASKS]]


def test_a_question_that_is_not_understood_is_not_guessed(user: Principal) -> None:
    for name, arguments in (
        ("graph.secure_query", {"prompt": "How many unicorns graze on the moon?"}),
        ("graph.secure_query", {"prompt": "Delete all tasks"}),
        ("graph.generate_cypher", {"goal": "How many unicorns graze on the moon?"}),
    ):
        outcome = call(user, name, arguments)
        assert outcome.error is not None
        assert outcome.error["code"] == "question_refused" and outcome.error["reason"]


def test_a_principal_in_the_arguments_is_the_callers_own_or_refused(sown: Tenant, user: Principal) -> None:
    query = {"action": "execute", "cypher": COUNT}
    own = [
        {"principal": user.sub},
        {"principal": {"sub": user.sub, "roles": ["user"], "tenant_id": str(sown.id)}, "tenant": sown.slug},
        {"tenant": str(sown.id)},
    ]
    others: list[dict[str, Any]] = [
        {"principal": "admin"},
        {"principal": {"sub": user.sub, "roles": ["admin"]}},
        {"principal": {"role": "admin"}},
        {"principal": {"scopes": ["admin:all"]}},
        {"principal": {"rbac_enforced": False}},
        {"principal": {"tenant_id": str(make_tenant().id)}},
        {"tenant": "demo"},
        {"principal": {"tenant": str(sown.id)}, "tenant": "demo"},
        {"tenant": str(sown.id).upper() + " "},
    ]

    assert [asked(user, **query, **claim)["rows"] for claim in own] == [[[TASKS]]] * 3
    for claim in others:
        outcome = call(user, "graph.secure_query", {**query, **claim})
        assert outcome.error is not None, claim
        assert (outcome.error["code"], outcome.http_status) == ("principal_mismatch", 403)


def test_cypher_is_written_validated_and_explained_for_a_goal(user: Principal) -> None:
    goal = "How many tasks are there?"

    written = result(user, "graph.generate_cypher", {"goal": goal, "schema_hint": "x", "max_tokens": 64})
    explained = result(user, "graph.generate_cypher", {"action": "explain", "goal": goal})
    refused = result(user, "graph.generate_cypher", {"action": "validate", "cypher": "MATCH (n) DELETE n"})
    ran = result(user, "graph.query", {"cypher": "MATCH (t:Task) RETURN count(t) AS n"})

    assert written["source"] in ("catalogue", "grammar") and written["reading"] and written["plan"] == ""
    assert explained["plan"] and explained["cypher"] == written["cypher"]
    assert refused["cypher"] == "" and refused["validation"]["refusal"]["layer"] == "syntax"
    assert ran["rows"] == [[TASKS]]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("graph.secure_query", {}),
        ("graph.secure_query", {"prompt": "ab"}),
        ("graph.secure_query", {"action": "execute"}),
        ("graph.secure_query", {"action": "execute", "cypher": "RETURN 1", "statement": "RETURN 1"}),
        ("graph.secure_query", {"prompt": "How many?", "max_rows": 5000}),
        ("graph.secure_query", {"prompt": "How many?", "timeout_ms": 1}),
        ("graph.secure_query", {"prompt": "How many?", "return_format": "xlsx"}),
        ("graph.secure_query", {"prompt": "How many?", "agent_role": "admin"}),
        ("graph.generate_cypher", {}),
        ("graph.generate_cypher", {"goal": "x"}),
        ("graph.generate_cypher", {"action": "generate", "cypher": "RETURN 1"}),
        ("graph.generate_cypher", {"goal": "How many?", "max_tokens": 1}),
    ],
)
def test_wrong_input_is_refused(user: Principal, name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(user, name, arguments)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("graph.secure_query", {"prompt": "How many?"}), ("graph.generate_cypher", {"goal": "How?"})],
)
def test_who_may_not_read_the_graph_does_not_ask_it(sown: Tenant, name: str, arguments: dict[str, Any]) -> None:
    for role in ("viewer", "guest", "auditor"):
        with pytest.raises(ForbiddenError):
            call(make_principal(sown, role), name, arguments)


def test_another_tenants_answer_is_of_its_own_graph() -> None:
    stranger = make_principal(make_tenant())

    assert asked(stranger, prompt="How many tasks are there?")["rows"] == [[0]]
    with tenant_scope(stranger.tenant_id):
        assert ToolInvocation.objects.filter(tool="graph.secure_query", status="succeeded").count() == 1
