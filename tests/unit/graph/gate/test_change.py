"""The gate for administrators' changes."""

from typing import Any

import pytest

from apps.graph.cypher.parser import parse, parse_change
from apps.graph.gate.change import inspect_change
from apps.graph.gate.verdict import GateRefusal, PassedChange
from apps.graph.uids import is_of_tenant

TENANT = "11111111-aaaa-4aaa-8aaa-111111111111"
T = "tenant_id: $__tenant"


def passed(text: str, parameters: dict[str, Any] | None = None) -> PassedChange:
    return inspect_change(text, parameters or {}, tenant_id=TENANT)


def refusal(text: str, parameters: dict[str, Any] | None = None) -> GateRefusal:
    with pytest.raises(GateRefusal) as refused:
        inspect_change(text, parameters or {}, tenant_id=TENANT)
    return refused.value


@pytest.mark.requirement("gate:changes")
def test_what_is_changed_was_found_inside_the_tenant() -> None:
    change = passed("MATCH (u:User)-[:RUNS]->(t:Task) WHERE (t)-->(:File) SET t.status = 'failed' RETURN t")

    assert change.text == (
        f"MATCH (u:User {{{T}}})-[__part1:RUNS {{{T}}}]->(t:Task {{{T}}}) WHERE CASE WHEN "
        "u.tenant_id = $__tenant AND t.tenant_id = $__tenant AND __part1.tenant_id = $__tenant "
        f"THEN EXISTS {{ MATCH (t {{{T}}})-[{{{T}}}]->(:File {{{T}}}) }} ELSE false END = true "
        "SET t.status = 'failed' RETURN t LIMIT 1000"
    )
    assert parse_change(change.text)
    assert [report.name for report in change.layers] == ["syntax", "read-only", "tenant", "depth", "time", "rows"]


@pytest.mark.requirement("gate:changes")
def test_what_is_made_gets_the_tenant_and_a_uid() -> None:
    change = passed("MATCH (u:User {user_id: '1'}) CREATE (u)-[:RUNS]->(t:Task {task_id: 'x', status: 'queued'})")

    assert f"CREATE (u)-[:RUNS {{{T}}}]->(t:Task {{{T}, uid: $__uid + " in change.text
    assert change.parameters["__tenant"] == TENANT
    assert is_of_tenant(TENANT, change.parameters["__uid"] + "1" * 20)


@pytest.mark.requirement("gate:changes")
def test_merge_looks_for_the_tenants_own_and_gives_a_uid_to_what_is_new() -> None:
    text = passed(
        "MERGE (g:Gene {id: $id}) ON CREATE SET g += {symbol: 'a', name: 'n', chromosome: '1'} "
        "ON MATCH SET g.symbol = 's'",
        {"id": "1"},
    ).text

    assert text.startswith(f"MERGE (g:Gene {{{T}, id: $id}}) ON CREATE SET g.uid = $__uid + ")
    assert text.endswith("g += {symbol: 'a', name: 'n', chromosome: '1'} ON MATCH SET g.symbol = 's'")


@pytest.mark.requirement("gate:changes")
def test_merge_of_a_relationship_is_bound() -> None:
    text = passed("MATCH (u:User), (i:Institution) WHERE u.uid = i.uid MERGE (u)-[r:WORKS_AT {since: 2020}]->(i) "
                  "ON CREATE SET r += {role: 'postdoc', department: 'Ecology'}").text  # fmt: skip

    assert f"MERGE (u)-[r:WORKS_AT {{{T}, since: 2020}}]->(i)" in text


@pytest.mark.requirement("gate:changes")
@pytest.mark.parametrize(
    "text",
    [
        "MATCH (u:User) SET u.tenant_id = 'B'",
        "MATCH (u:User) SET u.uid = 'B'",
        "MATCH (u:User) SET u += {tenant_id: 'B'}",
        "MATCH (u:User) SET u += {uid: 'B'}",
        "MATCH (u:User) SET u += $map",
        "MATCH (u:User) SET u += $text",
        "MATCH (u:User), (v:User) SET u += properties(v)",
        "MATCH (u:User), (v:User) SET u += v",
        "MATCH (u:User) REMOVE u.tenant_id",
        "MATCH (u:User) REMOVE u.uid",
        "CREATE (u:User {tenant_id: 'B'})",
        "CREATE (u:User {uid: 'B'})",
        "MERGE (u:User {tenant_id: 'B'})",
        "MERGE (u:User {uid: 'B'})",
        "MERGE (u:User {user_id: '1'}) ON CREATE SET u.tenant_id = 'B'",
        "MERGE (u:User {user_id: '1'}) ON MATCH SET u.uid = 'B'",
        "MATCH (u:User) CREATE (u)-[:RUNS {tenant_id: 'B'}]->(t:Task)",
        "MATCH (u:User {tenant_id: 'B'}) DELETE u",
        "CREATE (u:Person)",
        "CREATE (u:User {password: 'x'})",
        "CREATE (:User)-[:KNOWS]->(:User)",
        "MATCH (u:User) CREATE (u)-[:RUNS]->()",
        "MATCH (u:User) SET u.shoe_size = 40",
        "MATCH p = shortestPath((u:User)-[*..2]-(t:Task)) DELETE t",
    ],
)
def test_no_change_sets_whose_a_thing_is(text: str) -> None:
    assert refusal(text, {"map": {"uid": "x"}, "text": "x"}).layer == "tenant"


@pytest.mark.requirement("gate:changes")
@pytest.mark.parametrize(
    "text",
    [
        "DELETE u",
        "MATCH (u:User) DELETE v",
        "MATCH p = (u:User)-->() DELETE p",
        "MATCH (u:User)-[r*..2]->() DELETE r",
        "UNWIND ['1'] AS x DELETE x",
        "UNWIND ['1'] AS x SET x.name = 'a'",
        "MATCH (u:User) CREATE (u:User {user_id: '2'})",
        "CREATE (a:User), (a:User)",
        "CREATE (u)",
        "MATCH ()-[r]->() CREATE (:User)-[r:RUNS]->(:Task)",
        "MATCH (u:User) SET v.name = 'x'",
        "MATCH (u:User) SET u.user_name = v.user_name",
        "MATCH (u:User) RETURN u",
        "MATCH (u:User) SET u:Admin",
        "MATCH (u:User) DELETE u; MATCH (t:Task) DELETE t",
    ],
)
def test_only_what_was_found_is_changed_and_only_what_is_new_is_made(text: str) -> None:
    assert refusal(text).layer == "syntax"


@pytest.mark.requirement("gate:changes")
@pytest.mark.parametrize(
    ("layer", "text"),
    [
        ("read-only", "MATCH (u:User) SET u.user_name = username()"),
        ("depth", "MATCH (a:User)-[*7]->(b) DELETE b"),
        ("depth", "MATCH (a), (b), (c), (d) DELETE a"),
        ("rows", "MATCH (a:User) WITH a LIMIT $x DELETE a"),
    ],
)
def test_the_other_layers_stand_before_changes_too(layer: str, text: str) -> None:
    assert refusal(text, {"x": -1}).layer == layer


@pytest.mark.requirement("gate:counts")
@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("MATCH (t:Task)<-[r:RUNS]-() DELETE r, t", f"MATCH (t:Task {{{T}}})<-[r:RUNS {{{T}}}]-({{{T}}}) "
         "RETURN count(*) AS rows, count(DISTINCT r) AS r, count(DISTINCT t) AS t"),
        ("CREATE (t:Task {task_id: 'x', status: 'queued'})", "RETURN 1 AS rows"),
        ("UNWIND [1, 2] AS x CREATE (t:Task {task_id: 'x'}) SET t.status = 'queued'",
         "UNWIND [1, 2] AS x RETURN count(*) AS rows"),
        ("MATCH (u:User) SET u.email = 'x' REMOVE u.email",
         f"MATCH (u:User {{{T}}}) RETURN count(*) AS rows, count(DISTINCT u) AS u"),
    ],
)  # fmt: skip
def test_a_query_counts_what_would_change_and_changes_nothing(text: str, count: str) -> None:
    change = passed(text)

    assert change.count_text == count
    assert parse(change.count_text)


@pytest.mark.requirement("gate:counts")
def test_the_same_change_is_the_same_text_every_time() -> None:
    text = "CREATE (t:Task {task_id: 'x', status: 'queued'}) RETURN t.uid"

    assert passed(text).sha256 == passed(text).sha256
    assert passed(text).text == passed(text).text
