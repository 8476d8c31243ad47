"""The tools that change single nodes and relationships: what stands in the graph after, and what is refused."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from apps.graph import client
from apps.graph.loading import load
from apps.graph.records import Edge, Node
from apps.graph.uids import uid_for
from apps.identity.principal import Principal
from apps.tenancy.models import Tenant
from apps.tools.errors import ApprovalRequired
from apps.tools.models import ToolInvocation
from kernel.errors import ForbiddenError, ValidationError
from kernel.tenant_context import tenant_scope
from tests.factories import make_principal, make_tenant
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:crud")
GENE = {"id": "g1", "symbol": "TP53", "name": "tumor protein p53", "chromosome": "17"}
NAMES = ("crud.create_node", "crud.update_node", "crud.delete_node", "crud.create_relationship",
         "crud.delete_relationship", "graph.crud")  # fmt: skip


def sow(tenant: Tenant) -> None:
    """Two people, of whom the first runs three tasks; the third task is nobody's."""
    people = [
        Node("User", uid_for(tenant.id, f"user {number}"), {"user_id": f"{number}", "user_name": f"u{number}"})
        for number in range(2)
    ]
    tasks = [
        Node("Task", uid_for(tenant.id, f"task {number}"), {"task_id": f"task-{number}", "status": "completed"})
        for number in range(4)
    ]
    load(tenant.id, [*people, *tasks, *(Edge("RUNS", people[0].uid, task.uid) for task in tasks[:3])])


@pytest.fixture
def curator(tenant: Tenant) -> Principal:
    sow(tenant)
    return make_principal(tenant, "curator")


@pytest.fixture
def task(curator: Principal) -> Callable[[int], str]:
    """The uid of a task."""
    return lambda number: uid_for(curator.tenant_id, f"task {number}")


def stored(principal: Principal, label: str) -> list[dict[str, Any]]:
    """The tenant's nodes of a label as the server keeps them, past the gate."""
    text = f"MATCH (n:{label}) WHERE n.tenant_id = $tenant RETURN properties(n) AS properties"
    found = client.read(text, {"tenant": str(principal.tenant_id)}, tenant_id=principal.tenant_id)
    return [row[0] for row in found.rows]


def counted(principal: Principal, cypher: str) -> int:
    return int(result(principal, "graph.query", {"cypher": cypher})["rows"][0][0])


def code_of(principal: Principal, name: str, arguments: dict[str, Any]) -> str:
    outcome = call(principal, name, arguments)
    assert outcome.error is not None, outcome.result
    return str(outcome.error["code"])


def test_a_node_is_made_with_the_tenants_id_and_a_uid(curator: Principal) -> None:
    made = result(curator, "crud.create_node", {"label": "Gene", "properties": GENE})

    (gene,) = stored(curator, "Gene")
    assert made["created"] and made["node"]["labels"] == ["Gene"]
    assert gene == {**GENE, "uid": made["uid"]}
    assert made["uid"].startswith(uid_for(curator.tenant_id, "")[:12])


def test_a_node_of_a_kind_carries_both_labels(curator: Principal) -> None:
    properties = {"task_id": "b1", "status": "queued", "blasttype": "blastn", "blast_version": "2.16.0", "evalue": 1,
                  "tags": ["a", "b"]}  # fmt: skip

    made = result(curator, "crud.create_node", {"label": "Blast", "properties": properties})

    assert sorted(made["node"]["labels"]) == ["Blast", "Task"]
    assert made["node"]["properties"]["tags"] == ["a", "b"]
    assert counted(curator, "MATCH (b:Task:Blast {task_id: 'b1'}) RETURN count(b) AS n") == 1


def test_a_call_whose_outcome_was_lost_makes_no_second_node(curator: Principal) -> None:
    key, arguments = f"k-{uuid4()}", {"label": "Gene", "properties": GENE}
    first = result(curator, "crud.create_node", arguments, idempotency_key=key)
    with tenant_scope(curator.tenant_id):
        ToolInvocation.objects.filter(idempotency_key=key).update(status="running", result=None)

    again = result(curator, "crud.create_node", arguments, idempotency_key=key, supersedes=True)

    assert (again["uid"], again["created"]) == (first["uid"], False)
    assert len(stored(curator, "Gene")) == 1


def test_a_second_node_of_the_same_key_is_refused(curator: Principal) -> None:
    result(curator, "crud.create_node", {"label": "Gene", "properties": GENE})

    assert code_of(curator, "crud.create_node", {"label": "Gene", "properties": GENE}) == "key_taken"


def test_a_node_is_changed_by_uid_and_by_what_it_is(curator: Principal, task: Callable[[int], str]) -> None:
    by_uid = result(curator, "crud.update_node", {"uid": task(0), "properties": {"status": "failed"}})
    by_match = result(
        curator, "crud.update_node",
        {"label": "Task", "match": {"task_id": "task-1"}, "properties": {"duration_s": 5, "tags": ["x"]}},
    )  # fmt: skip
    without = result(curator, "crud.update_node", {"uid": task(1), "properties": {"tags": None}})

    assert by_uid["nodes"][0]["properties"]["status"] == "failed"
    assert by_match["nodes"][0]["uid"] == task(1) and by_match["nodes"][0]["properties"]["duration_s"] == 5
    assert "tags" not in without["nodes"][0]["properties"]
    assert counted(curator, "MATCH (t:Task {status: 'failed'}) RETURN count(t) AS n") == 1


def test_a_property_of_another_kind_is_not_the_nodes(curator: Principal, task: Callable[[int], str]) -> None:
    blast = {"task_id": "b1", "status": "queued", "blasttype": "blastn", "blast_version": "2.16.0"}
    uid = result(curator, "crud.create_node", {"label": "Blast", "properties": blast})["uid"]
    change = {"properties": {"blasttype": "blastx"}}

    changed = result(curator, "crud.update_node", {"uid": uid, **change})
    codes = [
        code_of(curator, "crud.update_node", {"uid": task(0), **change}),
        code_of(curator, "crud.update_node", {"label": "Task", "match": {"task_id": "task-0"}, **change}),
        code_of(curator, "crud.update_node", {"uid": uid, "properties": {"marker": "ITS"}}),
    ]

    assert changed["nodes"][0]["properties"]["blasttype"] == "blastx"
    assert codes == ["unknown_name"] * 3


def test_several_nodes_are_changed_only_when_all_are_meant(curator: Principal) -> None:
    several = {"label": "Task", "match": {"status": "completed"}, "properties": {"status": "failed"}}

    refused = call(curator, "crud.update_node", several).error
    changed = result(curator, "crud.update_node", {**several, "all": True})

    assert refused is not None and (refused["code"], refused["matched"]) == ("several_nodes", 4)
    assert changed["updated"] == 4


def test_a_node_goes_with_its_relationships_only_when_that_is_said(
    curator: Principal, task: Callable[[int], str]
) -> None:
    shown = result(curator, "crud.delete_node", {"uid": task(0), "dry_run": True})
    refused = call(curator, "crud.delete_node", {"uid": task(0)}).error
    gone = result(curator, "crud.delete_node", {"uid": task(0), "detach": True})
    alone = result(curator, "crud.delete_node", {"uid": task(3)})

    assert (shown["deleted"], shown["relationships"]) == (False, 1)
    assert refused is not None and (refused["code"], refused["relationships"]) == ("node_has_relationships", 1)
    assert (gone["deleted"], gone["relationships"], gone["uids"]) == (True, 1, [task(0)])
    assert (alone["deleted"], alone["relationships"]) == (True, 0)
    assert code_of(curator, "crud.delete_node", {"uid": task(0)}) == "node_not_found"
    assert len(stored(curator, "Task")) == 2


def test_a_relationship_is_made_once_and_deleted(curator: Principal, task: Callable[[int], str]) -> None:
    ends = {"type": "RUNS", "start": {"label": "User", "match": {"user_id": "1"}}, "end": task(3)}
    cypher = "MATCH (u:User {user_id: '1'})-[r:RUNS]->(t:Task) RETURN count(r) AS n"

    first = result(curator, "crud.create_relationship", ends)
    second = result(curator, "crud.create_relationship", ends)
    between = counted(curator, cypher)
    gone = result(curator, "crud.delete_relationship", ends)

    assert (first["created"], second["created"], between) == (True, False, 1)
    assert first["relationship"]["end"] == task(3)
    assert (gone["relationships"], counted(curator, cypher)) == (1, 0)
    assert code_of(curator, "crud.delete_relationship", ends) == "relationship_not_found"


def test_a_relationship_has_the_schemas_properties_and_direction(
    curator: Principal, task: Callable[[int], str]
) -> None:
    institution = result(
        curator, "crud.create_node",
        {"label": "Institution",
         "properties": {"id": "i1", "name": "CINECA", "country": "Italy", "type": "supercomputing centre"}},
    )["uid"]  # fmt: skip
    user = uid_for(curator.tenant_id, "user 0")
    works = {"type": "WORKS_AT", "start": user, "end": institution}
    since = {"since": 2020, "role": "postdoc", "department": "Ecology"}

    made = result(curator, "crud.create_relationship", {**works, "properties": since})
    later = result(curator, "crud.create_relationship", {**works, "properties": {**since, "since": 2021}})

    assert made["relationship"]["properties"] == since
    assert (later["created"], later["relationship"]["properties"]["since"]) == (False, 2021)
    assert code_of(curator, "crud.create_relationship", works) == "cypher_refused"
    assert code_of(curator, "crud.create_relationship", {**works, "start": institution, "end": user}) == (
        "wrong_direction"
    )


def test_graph_crud_does_the_same_under_the_predecessors_names(curator: Principal, task: Callable[[int], str]) -> None:
    made = result(
        curator, "graph.crud",
        {"operation": "create_node", "labels": ["Task", "Blast"],
         "properties": {"task_id": "b", "status": "queued", "blasttype": "blastp", "blast_version": "2"}},
    )["result"]  # fmt: skip
    joined = result(
        curator, "graph.crud",
        {"operation": "create_relationship", "rel_type": "RUNS", "from": uid_for(curator.tenant_id, "user 1"),
         "to": {"label": "Blast", "match": {"task_id": "b"}}},
    )["result"]  # fmt: skip
    changed = result(
        curator, "graph.crud", {"operation": "update_node", "uid": made["uid"], "properties": {"status": "running"}}
    )["result"]
    parted = result(
        curator, "graph.crud",
        {"operation": "delete_relationship", "rel_type": "RUNS", "from": uid_for(curator.tenant_id, "user 1"),
         "to": made["uid"]},
    )["result"]  # fmt: skip
    gone = result(curator, "graph.crud", {"operation": "delete_node", "uid": made["uid"]})["result"]

    assert sorted(made["node"]["labels"]) == ["Blast", "Task"] and joined["created"]
    assert changed["nodes"][0]["properties"]["status"] == "running"
    assert (parted["relationships"], gone["deleted"]) == (1, True)
    assert code_of(curator, "graph.crud", {"operation": "create_relationship"}) == "invalid_arguments"


@pytest.mark.requirement("security:97")
@pytest.mark.parametrize("name", ["tenant_id", "uid", "TENANT_ID", "ｔenant_id", "__tenant", "shoe_size", "a`b", "n.x"])
def test_no_tool_sets_whose_a_thing_is(curator: Principal, task: Callable[[int], str], name: str) -> None:
    other = str(make_tenant().id)

    codes = {
        code_of(curator, "crud.create_node", {"label": "Gene", "properties": {**GENE, name: other}}),
        code_of(curator, "crud.update_node", {"uid": task(0), "properties": {name: other}}),
        code_of(curator, "graph.crud", {"operation": "update_node", "uid": task(0), "properties": {name: other}}),
    }
    matched = code_of(
        curator, "crud.update_node", {"label": "Task", "match": {name: other}, "properties": {"tags": []}}
    )

    assert codes == {"cypher_refused"}
    assert matched in ("unknown_name", "node_not_found")
    assert stored(curator, "Gene") == []


@pytest.mark.requirement("security:97")
def test_another_tenants_nodes_are_out_of_reach(curator: Principal, task: Callable[[int], str]) -> None:
    other = make_tenant()
    sow(other)
    stranger = make_principal(other, "admin")
    mine = {"label": "Task", "match": {"task_id": "task-0"}}

    codes = [
        code_of(stranger, "crud.update_node", {"uid": task(0), "properties": {"status": "failed"}}),
        code_of(stranger, "crud.update_node", {"uid": task(0), "label": "Task", "properties": {"status": "failed"}}),
        code_of(stranger, "crud.delete_node", {"uid": task(0), "detach": True}),
        code_of(stranger, "crud.create_relationship",
                {"type": "RUNS", "start": uid_for(other.id, "user 0"), "end": task(0)}),
        code_of(stranger, "crud.delete_relationship",
                {"type": "RUNS", "start": uid_for(curator.tenant_id, "user 0"), "end": task(0)}),
    ]  # fmt: skip
    result(stranger, "crud.delete_node", {**mine, "detach": True})

    assert codes == ["node_not_found"] * 5
    assert len(stored(curator, "Task")) == 4 and len(stored(stranger, "Task")) == 3
    assert {one["status"] for one in stored(curator, "Task")} == {"completed"}


@pytest.mark.parametrize(
    ("label", "properties"),
    [
        ("Gene", {**GENE, "symbol": 1}),
        ("Gene", {**GENE, "name": None}),
        ("Gene", {**GENE, "name": {"a": 1}}),
        ("Gene", {**GENE, "name": ["a"]}),
        ("Gene", {"id": "x"}),
        ("Task", {"task_id": "x", "status": "done"}),
        ("Task", {"task_id": "x", "status": "queued", "duration_s": 1.5}),
        ("Task", {"task_id": "x", "status": "queued", "tags": ["a", 1]}),
        ("Task", {"task_id": "x", "status": "queued", "start": "yesterday"}),
        ("Task", {"task_id": "x", "status": "queued", "blasttype": "blastn"}),
        ("Publication", {"id": "p", "title": "t", "journal": "j", "year": "2020"}),
    ],
)
def test_what_does_not_fit_the_schema_is_refused(curator: Principal, label: str, properties: dict[str, Any]) -> None:
    before = len(stored(curator, label))

    assert code_of(curator, "crud.create_node", {"label": label, "properties": properties}) == "cypher_refused"
    assert len(stored(curator, label)) == before


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("crud.create_node", {"label": "Gene) DETACH DELETE (n", "properties": GENE}, "unknown_name"),
        ("crud.create_node", {"label": "gene", "properties": GENE}, "unknown_name"),
        ("crud.update_node", {"properties": {"name": "x"}}, "node_not_named"),
        ("crud.update_node", {"label": "Gene", "match": {}, "properties": {"name": "x"}}, "node_not_named"),
        ("crud.update_node", {"label": "Gene", "match": {"name": None}, "properties": {"name": "x"}}, "node_not_named"),
        ("crud.update_node", {"label": "Gene", "match": {"id": "g"}, "properties": {}}, "nothing_to_set"),
        ("crud.update_node", {"uid": "x", "match": {"id": "g"}, "properties": {"name": "x"}}, "node_not_named"),
        ("crud.delete_node", {"uid": "x' OR true //"}, "node_not_found"),
        ("crud.delete_node", {"label": "Task", "match": {"task_id": "x"}}, "node_not_found"),
        ("crud.create_relationship", {"type": "KNOWS", "start": "a", "end": "b"}, "unknown_name"),
        ("crud.create_relationship", {"type": "RUNS]->() DELETE", "start": "a", "end": "b"}, "unknown_name"),
    ],
)
def test_what_is_not_there_is_said(curator: Principal, name: str, arguments: dict[str, Any], code: str) -> None:
    assert code_of(curator, name, arguments) == code


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("crud.create_node", {"label": "Gene"}),
        ("crud.create_node", {"label": 1, "properties": GENE}),
        ("crud.create_node", {"label": "Gene", "properties": GENE, "tenant_id": "x"}),
        ("crud.update_node", {"uid": "x", "properties": {}, "all": "true"}),
        ("crud.delete_node", {"uid": 5}),
        ("crud.create_relationship", {"type": "RUNS", "start": "a"}),
        ("crud.create_relationship", {"type": "RUNS", "start": {"tenant": "x"}, "end": "b"}),
        ("graph.crud", {"operation": "drop"}),
        ("graph.crud", {"operation": "create_relationship", "start": "a", "to": "b", "rel_type": "RUNS"}),
    ],
)
def test_wrong_input_is_refused(curator: Principal, name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(curator, name, arguments)


@pytest.mark.parametrize("name", NAMES)
def test_who_may_only_read_may_not_change(tenant: Tenant, name: str) -> None:
    arguments = {
        "crud.create_node": {"label": "Gene", "properties": GENE},
        "crud.update_node": {"uid": "x", "properties": {"name": "y"}},
        "crud.delete_node": {"uid": "x"},
        "graph.crud": {"operation": "delete_node", "uid": "x"},
    }.get(name, {"type": "RUNS", "start": "a", "end": "b"})

    for role in ("user", "operator", "researcher", "viewer"):
        with pytest.raises(ForbiddenError):
            call(make_principal(tenant, role), name, arguments)


def test_deleting_over_mcp_needs_a_person(curator: Principal, task: Callable[[int], str]) -> None:
    with pytest.raises(ApprovalRequired):
        call(curator, "crud.delete_node", {"uid": task(0), "detach": True}, door="mcp")

    assert len(stored(curator, "Task")) == 4
