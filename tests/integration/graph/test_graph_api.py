"""/v1/graph as its callers see it: the same gate on every path, pages, drawings, changes in two steps."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from apps.graph import retention
from apps.graph.loading import load
from apps.graph.models import GraphChange
from apps.graph.records import Edge, Node
from apps.tenancy.models import Tenant
from kernel.clock import now
from kernel.tenant_context import tenant_scope
from tests.clients import Answer, Api, wait_for
from tests.factories import make_tenant, make_token

TASKS = 7


def sow(tenant: Tenant, name: str = "ada") -> None:
    """One person who runs TASKS tasks, in this tenant's graph."""
    own = str(tenant.id)
    nodes = [Node("User", f"{own}:user", {"user_id": "1", "user_name": name, "email": f"{name}@example.org"})]
    nodes += [
        Node("Task", f"{own}:task:{number}", {"task_id": f"task-{number}", "status": "completed"})
        for number in range(TASKS)
    ]
    load(own, [*nodes, *(Edge("RUNS", nodes[0].uid, task.uid) for task in nodes[1:])])


@pytest.fixture
def sown(tenant: Tenant) -> Tenant:
    sow(tenant)
    return tenant


@pytest.fixture
def caller(api_url: str, sown: Tenant) -> Callable[[str], Api]:
    """A caller with this role in the tenant whose graph was sown."""
    return lambda role: Api(api_url, make_token(sown, role=role))


def ask(api: Api, path: str, **body: Any) -> Answer:
    return api.post(f"/v1/graph/{path}", body)


@pytest.mark.requirement("graph:query-api")
def test_a_query_answers_rows_a_drawing_and_the_text_that_ran(caller: Callable[[str], Api]) -> None:
    answer = ask(
        caller("user"),
        "query",
        cypher="MATCH (u:User {user_name: $name})-[r:RUNS]->(t:Task) RETURN u, r, t.task_id AS task ORDER BY task",
        parameters={"name": "ada"},
    )

    assert answer.status == 200, answer.body
    found = answer.json
    assert found["columns"] == ["u", "r", "task"]
    assert [row[2] for row in found["rows"]] == [f"task-{number}" for number in range(TASKS)]
    assert (found["row_count"], found["truncated"], found["next_page_token"]) == (TASKS, False, None)
    assert "$__tenant" in found["cypher"] and found["parameters"] == {"name": "ada"}
    assert [layer["name"] for layer in found["layers"]] == ["syntax", "read-only", "tenant", "depth", "time", "rows"]
    assert len(found["graph"]["edges"]) == TASKS
    assert {"User"} == {label for node in found["graph"]["nodes"] for label in node["labels"]}
    assert "tenant_id" not in str(found["rows"]) + str(found["graph"])


@pytest.mark.requirement("graph:query-api")
def test_personal_data_in_rows_is_masked(caller: Callable[[str], Api]) -> None:
    answer = ask(caller("user"), "query", cypher="MATCH (u:User) RETURN u.email AS address")

    assert answer.status == 200, answer.body
    assert "ada@example.org" not in answer.body.decode()


@pytest.mark.requirement("graph:paging")
def test_an_ordered_query_is_paged_through_without_a_gap(caller: Callable[[str], Api]) -> None:
    api, seen, token = caller("user"), [], None

    while True:
        answer = ask(
            api,
            "query",
            cypher="MATCH (t:Task) RETURN t.task_id AS task ORDER BY task DESC SKIP 1 LIMIT 5",
            limit=2,
            **({"page_token": token} if token else {}),
        )
        assert answer.status == 200, answer.body
        seen += [row[0] for row in answer.json["rows"]]
        token = answer.json["next_page_token"]
        if token is None:
            break

    assert seen == [f"task-{number}" for number in (5, 4, 3, 2, 1)]


@pytest.mark.requirement("graph:paging")
def test_more_rows_than_a_page_are_said_to_be_there(caller: Callable[[str], Api]) -> None:
    api = caller("user")

    unordered = ask(api, "query", cypher="MATCH (t:Task) RETURN t.task_id", limit=3)
    whole = ask(api, "query", cypher="MATCH (t:Task) RETURN t.task_id", limit=TASKS)

    assert (unordered.json["row_count"], unordered.json["truncated"]) == (3, True)
    assert unordered.json["next_page_token"] is None
    assert (whole.json["row_count"], whole.json["truncated"]) == (TASKS, False)


@pytest.mark.requirement("graph:paging")
def test_a_page_token_of_another_query_is_refused(caller: Callable[[str], Api]) -> None:
    api = caller("user")
    cypher = "MATCH (t:Task) RETURN t.task_id AS task ORDER BY task"
    token = ask(api, "query", cypher=cypher, limit=2).json["next_page_token"]

    other = ask(api, "query", cypher=cypher + " DESC", limit=2, page_token=token)
    edited = ask(api, "query", cypher=cypher, limit=2, page_token=token[:-1])

    assert [(answer.status, answer.json["code"]) for answer in (other, edited)] == [(400, "invalid_cursor")] * 2


@pytest.mark.requirement("graph:same-gate")
@pytest.mark.parametrize("path", ["query", "validate", "explain"])
def test_every_path_has_the_same_gate(caller: Callable[[str], Api], path: str) -> None:
    answer = ask(caller("user"), path, cypher="MATCH (n:Task) DETACH DELETE n")

    if path == "validate":
        assert (answer.status, answer.json["valid"], answer.json["cypher"]) == (200, False, None)
        assert answer.json["refusal"]["layer"] == "syntax" and "writes" in answer.json["refusal"]["message"]
    else:
        assert (answer.status, answer.json["code"]) == (422, "cypher_refused")
        assert answer.json["extensions"]["layer"] == "syntax"


@pytest.mark.requirement("graph:same-gate")
def test_a_refusal_is_in_the_audit_log(caller: Callable[[str], Api]) -> None:
    ask(caller("user"), "query", cypher="MATCH (n:Task) WHERE n.tenant_id = 'x' RETURN n")

    def noted() -> list[Any]:
        found = caller("admin").get("/v1/admin/audit?action=graph.query&limit=5").json["items"]
        return [row for row in found if row["outcome"] == "denied"]

    rows = wait_for(noted, what="the audit row")
    assert rows[0]["details"]["layer"] == "tenant"


@pytest.mark.requirement("graph:explain-api")
def test_explaining_runs_nothing_and_shows_a_plan(caller: Callable[[str], Api]) -> None:
    api = caller("user")

    query = ask(api, "explain", cypher="MATCH (t:Task) RETURN count(t)")
    question = ask(api, "explain", question="How many tasks are there?")
    both = ask(api, "explain", cypher="RETURN 1", question="How many tasks are there?")
    elsewhere = ask(api, "query", cypher="EXPLAIN MATCH (t:Task) RETURN t")

    assert query.status == 200 and query.json["plan"].strip(), query.body
    assert question.status == 200 and "count" in question.json["cypher"], question.body
    assert both.status == 422
    assert (elsewhere.status, elsewhere.json["code"]) == (400, "explain_elsewhere")


@pytest.mark.requirement("graph:ask-api")
def test_a_question_is_answered_with_what_it_stands_on(caller: Callable[[str], Api]) -> None:
    answer = ask(caller("user"), "ask", question="How many tasks are there?")

    assert answer.status == 200, answer.body
    said = answer.json
    assert said["refused"] is False and str(TASKS) in said["sentence"]
    assert said["rows"] == [[TASKS]] and said["cypher"] and said["source"] in ("catalogue", "grammar")
    assert said["stages"][0]["stage"] == "normalize"


@pytest.mark.requirement("graph:ask-api")
def test_a_question_becomes_a_query_that_does_not_run(caller: Callable[[str], Api]) -> None:
    written = ask(caller("user"), "generate", question="How many tasks are there?")
    refused = ask(caller("user"), "ask", question="How many unicorns graze on the moon?")

    assert written.status == 200 and written.json["cypher"] and written.json["rows"] == [], written.body
    assert refused.status == 200 and refused.json["refused"] is True
    assert refused.json["refusal"]["reason"] and refused.json["rows"] == []


@pytest.mark.requirement("graph:schema-api")
def test_the_schema_names_everything_and_counts_ones_own(caller: Callable[[str], Api], api_url: str) -> None:
    found = caller("user").get("/v1/graph/schema")
    empty = Api(api_url, make_token(make_tenant(), role="user")).get("/v1/graph/schema")

    labels = {label["label"]: label["count"] for label in found.json["labels"]}
    assert found.status == 200 and len(labels) == 14 and len(found.json["relationships"]) == 4
    assert (labels["Task"], labels["User"], labels["Gene"]) == (TASKS, 1, 0)
    assert {one["type"]: one["count"] for one in found.json["relationships"]}["RUNS"] == TASKS
    assert empty.json["node_count"] == 0


@pytest.mark.requirement("graph:api-rights")
def test_who_may_do_what(caller: Callable[[str], Api]) -> None:
    statuses = {
        role: (
            ask(caller(role), "query", cypher="MATCH (t:Task) RETURN count(t)").status,
            ask(caller(role), "changes", cypher="MATCH (t:Task) SET t.status = 'failed'").status,
        )
        for role in ("admin", "operator", "user", "viewer", "curator")
    }

    assert statuses == {
        "admin": (200, 200),
        "operator": (200, 403),
        "user": (200, 403),
        "viewer": (403, 403),
        "curator": (200, 200),
    }


@pytest.mark.requirement("graph:api-tenants")
def test_another_tenant_sees_nothing_of_it(caller: Callable[[str], Api], api_url: str, sown: Tenant) -> None:
    other = make_tenant()
    sow(other, "bob")
    theirs = Api(api_url, make_token(other, role="admin"))

    names = ask(theirs, "query", cypher="MATCH (u:User) RETURN u.user_name")
    counted = ask(theirs, "query", cypher="MATCH (t:Task) RETURN count(t)")
    by_uid = ask(theirs, "query", cypher="MATCH (u {uid: $uid}) RETURN u", parameters={"uid": f"{sown.id}:user"})

    assert (names.json["rows"], counted.json["rows"], by_uid.json["rows"]) == ([["bob"]], [[TASKS]], [])


@pytest.mark.requirement("graph:changes")
def test_a_change_is_shown_first_and_made_once_after_it_was_confirmed(caller: Callable[[str], Api]) -> None:
    api = caller("admin")
    change = {
        "cypher": "MATCH (u:User)-[:RUNS]->(t:Task) WHERE t.task_id STARTS WITH $start SET t.status = 'failed'",
        "parameters": {"start": "task-"},
    }
    failed = "MATCH (t:Task {status: 'failed'}) RETURN count(t)"

    shown = ask(api, "changes", **change)
    before = ask(api, "query", cypher=failed).json["rows"]
    token = shown.json["confirmation_token"]
    made = ask(api, "changes", **change, confirmation_token=token)
    after = ask(api, "query", cypher=failed).json["rows"]
    again = ask(api, "changes", **change, confirmation_token=token)

    assert shown.status == 200 and shown.json["executed"] is False, shown.body
    assert shown.json["would_change"]["t"] == TASKS
    assert (before, after) == ([[0]], [[TASKS]])
    assert made.status == 200 and made.json["counters"]["properties_set"] == TASKS, made.body
    assert (again.status, again.json["code"]) == (409, "confirmation_used")


@pytest.mark.requirement("graph:changes")
def test_a_confirmation_is_for_one_change_of_one_person_for_some_minutes(
    caller: Callable[[str], Api], sown: Tenant
) -> None:
    admin = caller("admin")
    change = {"cypher": "MATCH (t:Task {task_id: $id}) DETACH DELETE t", "parameters": {"id": "task-1"}}
    token = ask(admin, "changes", **change).json["confirmation_token"]

    other = ask(admin, "changes", **{**change, "parameters": {"id": "task-2"}}, confirmation_token=token)
    stranger = ask(caller("curator"), "changes", **change, confirmation_token=token)
    with tenant_scope(sown.id):
        GraphChange.objects.filter(id=token).update(expires_at=now())
    late = ask(admin, "changes", **change, confirmation_token=token)
    left = ask(admin, "query", cypher="MATCH (t:Task) RETURN count(t)").json["rows"]

    assert (other.status, other.json["code"]) == (409, "confirmation_mismatch")
    assert (stranger.status, stranger.json["code"]) == (404, "confirmation_not_found")
    assert (late.status, late.json["code"]) == (409, "confirmation_used")
    assert left == [[TASKS]]


@pytest.mark.requirement("graph:changes")
def test_a_change_that_would_by_now_touch_something_else_is_not_made(caller: Callable[[str], Api]) -> None:
    admin = caller("admin")
    change: dict[str, Any] = {
        "cypher": "MATCH (g:Gene) WHERE $x = $x SET g.chromosome = '2'",
        "parameters": {"x": 1},
    }
    more = {"cypher": "CREATE (g:Gene {id: 'gene-more', symbol: 'ABC1', name: 'more', chromosome: '1'})"}

    token = ask(admin, "changes", **change).json["confirmation_token"]
    true_for_1 = ask(admin, "changes", **{**change, "parameters": {"x": True}}, confirmation_token=token)
    ask(admin, "changes", **more, confirmation_token=ask(admin, "changes", **more).json["confirmation_token"])
    outdated = ask(admin, "changes", **change, confirmation_token=token)
    again = ask(
        admin, "changes", **change, confirmation_token=ask(admin, "changes", **change).json["confirmation_token"]
    )

    assert (true_for_1.status, true_for_1.json["code"]) == (409, "confirmation_mismatch")
    assert (outdated.status, outdated.json["code"]) == (409, "confirmation_outdated")
    assert again.json["executed"] is True


@pytest.mark.requirement("graph:changes")
def test_what_is_created_belongs_to_the_tenant(caller: Callable[[str], Api]) -> None:
    api = caller("curator")
    change = {"cypher": "CREATE (g:Gene {id: 'g1', symbol: $symbol, name: 'x', chromosome: '17'})",
              "parameters": {"symbol": "TP53"}}  # fmt: skip

    token = ask(api, "changes", **change).json["confirmation_token"]
    made = ask(api, "changes", **change, confirmation_token=token)
    found = ask(api, "query", cypher="MATCH (g:Gene) RETURN g")

    assert made.status == 200 and made.json["counters"]["nodes_created"] == 1, made.body
    assert found.json["rows"][0][0]["properties"]["symbol"] == "TP53"
    assert found.json["rows"][0][0]["uid"]


@pytest.mark.requirement("graph:api-input")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("query", {}),
        ("query", {"cypher": ""}),
        ("query", {"cypher": "RETURN 1", "limit": 0}),
        ("query", {"cypher": "RETURN 1", "limit": 100_000}),
        ("query", {"cypher": "RETURN 1", "timeout_ms": 1}),
        ("query", {"cypher": "RETURN 1", "tenant": "x"}),
        ("query", {"cypher": ["RETURN 1"]}),
        ("query", {"cypher": "RETURN 1", "parameters": []}),
        ("ask", {"question": ""}),
        ("ask", {"question": "x" * 5000}),
        ("generate", {}),
        ("explain", {}),
        ("changes", {"cypher": "MATCH (n:Task) RETURN n"}),
        ("changes", {"cypher": "CREATE (n:Unicorn {id: 1})"}),
        ("changes", {"cypher": "MATCH (n:Task) SET n.tenant_id = 'x'"}),
    ],
)
def test_wrong_input_is_refused_with_a_reason(caller: Callable[[str], Api], path: str, body: dict[str, Any]) -> None:
    answer = ask(caller("admin"), path, **body)

    assert answer.status == 422, answer.body
    assert answer.json["detail"]


@pytest.mark.requirement("graph:changes")
def test_old_proposals_are_forgotten(caller: Callable[[str], Api], sown: Tenant) -> None:
    token = ask(caller("admin"), "changes", cypher="MATCH (t:Task) DETACH DELETE t").json["confirmation_token"]
    fresh = ask(caller("admin"), "changes", cypher="MATCH (t:Task) DETACH DELETE t").json["confirmation_token"]
    with tenant_scope(sown.id):
        GraphChange.objects.filter(id=token).update(created_at=now() - timedelta(days=400))

    retention.clean()

    with tenant_scope(sown.id):
        assert [str(change.id) for change in GraphChange.objects.all()] == [fresh]
