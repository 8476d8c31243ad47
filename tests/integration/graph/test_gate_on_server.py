"""What the gate lets through is understood by the real server, and means what its author meant."""

from collections.abc import Iterator
from typing import Any

import neo4j
import pytest

from apps.graph.cypher import tree
from apps.graph.cypher.parser import parse
from apps.graph.cypher.walk import walk
from apps.graph.gate.change import inspect_change
from apps.graph.gate.check import inspect
from apps.graph.gate.verdict import GateRefusal
from tests.isolation_data import A, answer, two_graphs
from tests.unit.graph.cypher.corpus import ACCEPTED

Graphs = tuple[neo4j.Session, neo4j.Session]


@pytest.fixture(scope="module")
def graphs(servers: Any) -> Iterator[Graphs]:
    with two_graphs(servers) as sessions:
        yield sessions


def values(text: str) -> dict[str, Any]:
    """A value for each parameter of a query: a number where rows are counted, else a text."""
    given: dict[str, Any] = {}
    for part in walk(parse(text)):
        if isinstance(part, tree.Param):
            given.setdefault(part.name, "x")
        elif isinstance(part, tree.Projection):
            given |= {bound.name: 3 for bound in (part.skip, part.limit) if isinstance(bound, tree.Param)}
    return given


@pytest.mark.requirement("gate:runs")
def test_most_of_what_people_ask_passes_and_the_server_understands_it(graphs: Graphs) -> None:
    refused, not_understood = [], []

    for entry in ACCEPTED:
        try:
            passed = inspect(entry.text, values(entry.text), tenant_id=A)
        except GateRefusal as refusal:
            refused.append(f"{entry.text}: {refusal.detail}")
            continue
        kind, *rest = answer(graphs[0], passed.text, dict(passed.parameters))
        if kind == "error" and ("Syntax" in rest[0] or "Semantic" in rest[0]):
            not_understood.append(f"{passed.text}: {rest}")

    assert len(refused) <= len(ACCEPTED) // 20, refused
    assert len(not_understood) <= len(ACCEPTED) // 50, not_understood


@pytest.mark.requirement("gate:runs")
@pytest.mark.parametrize("text", [
    "MATCH (u:User)-[:RUNS]->(t:Task) RETURN u.uid AS x, count(t) AS c",
    "MATCH (u:User) OPTIONAL MATCH (u)-[:RUNS]->(t:Task {status: 'failed'}) RETURN u.uid AS x, t.uid AS y",
    "MATCH (u:User) WHERE NOT (u)-[:RUNS]->(:Task {status: 'failed'}) RETURN u.uid AS x",
    "MATCH (u:User) RETURN u.uid AS x, size([(u)-[:RUNS]->(t) WHERE t.duration_s > 2 | t]) AS c",
    "MATCH (u:User) RETURN u.uid AS x, [(u)-[*..2]->(t) | t.uid] AS l",
    "MATCH p = (u:User)-[*..3]->(f:File) RETURN length(p) AS l, count(*) AS c",
    "MATCH p = shortestPath((u:User {user_id: 'u0'})-[*..4]-(i:Institution {id: 'i1'})) RETURN length(p) AS l",
    "MATCH (f:File) WHERE 10 / f.size > 3 RETURN f.uid AS x",
    "MATCH (u:User) RETURN u.user_name AS n UNION MATCH (f:File) RETURN f.extension AS n",
    "MATCH (u:User) CALL { WITH u MATCH (u)-->(t:Task) RETURN max(t.duration_s) AS m } RETURN u.uid AS x, m",
    "MATCH (t:Task) WITH t.status AS s, count(*) AS c WHERE c > 1 RETURN s, c ORDER BY c DESC, s",
    "MATCH (u:User) WHERE EXISTS { MATCH (u)-[:RUNS]->(t) WHERE t.duration_s * 2 > 8 } RETURN u.uid AS x",
])  # fmt: skip
def test_the_gate_changes_no_answer_where_all_data_are_ones_own(graphs: Graphs, text: str) -> None:
    passed = inspect(text, {}, tenant_id=A)

    plain = answer(graphs[0], text, {})

    assert plain[0] == "rows" and plain[1]
    assert answer(graphs[0], passed.text, dict(passed.parameters)) == plain


@pytest.mark.requirement("gate:counts")
@pytest.mark.requirement("gate:changes")
@pytest.mark.parametrize(
    ("text", "rows", "counter"),
    [
        ("MATCH (t:Task {status: 'failed'}) DETACH DELETE t", 1, "nodes_deleted"),
        ("MATCH (u:User)-[r:RUNS]->() DELETE r", 8, "relationships_deleted"),
        ("MATCH (u:User) SET u.email = 'x'", 4, "properties_set"),
        (
            "MATCH (u:User), (i:Institution {id: 'i0'}) MERGE (u)-[r:WORKS_AT {since: 1999}]->(i) "
            "ON CREATE SET r += {role: 'postdoc', department: 'Ecology'}",
            4,
            "relationships_created",
        ),
        (
            "UNWIND ['a', 'b'] AS x MERGE (g:Gene {id: x}) "
            "ON CREATE SET g += {symbol: 's', name: 'n', chromosome: '1'}",
            2,
            "nodes_created",
        ),
    ],
)
def test_what_was_counted_is_what_changes_and_others_keep_what_they_have(
    graphs: Graphs, text: str, rows: int, counter: str
) -> None:
    change = inspect_change(text, {}, tenant_id=A)
    everybody_else = "MATCH (n) WHERE n.tenant_id IS NULL OR n.tenant_id <> $a RETURN n"
    before = answer(graphs[1], everybody_else, {"a": A})

    counted = graphs[1].run(change.count_text, dict(change.parameters)).single(strict=True)["rows"]
    with graphs[1].begin_transaction() as transaction:
        counters = transaction.run(change.text, dict(change.parameters)).consume().counters
        found = transaction.run("MATCH (n:Gene) RETURN n.tenant_id AS t, n.uid AS u").values()
        transaction.rollback()

    assert counted == rows
    assert getattr(counters, counter) == rows
    assert all(tenant == A and uid for tenant, uid in found)
    assert answer(graphs[1], everybody_else, {"a": A}) == before
