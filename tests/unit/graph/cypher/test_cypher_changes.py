"""Writes: a grammar of their own, for the path of administrators."""

import pytest

from apps.graph.cypher import changes, tree
from apps.graph.cypher.errors import CypherSyntaxError
from apps.graph.cypher.parser import parse, parse_change
from apps.graph.cypher.printer import print_change
from tests.unit.graph.cypher.corpus import ACCEPTED

pytestmark = pytest.mark.requirement("cypher:changes")

CHANGES = [
    "CREATE (g:Gene {symbol: 'TP53', name: 'tumor protein p53'})",
    "CREATE (a:User {user_id: '1'})-[:RUNS]->(t:Task:Blast {task_id: $id})-[r:OUTPUT {n: 1}]->(f:File) RETURN f",
    "CREATE (a), (b)<-[:RUNS]-(c)",
    "MATCH (u:User {user_id: '1'}), (t:Task {task_id: '2'}) CREATE (u)-[:RUNS]->(t)",
    "MERGE (g:Gene {symbol: 'TP53'})",
    "MERGE (g:Gene {symbol: 'TP53'}) ON CREATE SET g.name = 'a' ON MATCH SET g.name = 'b', g.seen = true RETURN g",
    "MATCH (u:User), (i:Institution) WHERE u.uid = 'a' AND i.uid = 'b' MERGE (u)-[r:WORKS_AT]->(i) SET r.since = 2020",
    "MATCH (t:Task) WHERE t.status = 'queued' SET t.status = 'cancelled', t.tags = t.tags + ['old']",
    "MATCH (t:Task {task_id: '1'}) SET t += {status: 'failed', duration_s: 10} RETURN t.status AS status",
    "MATCH (u:User) WHERE u.email IS NOT NULL REMOVE u.email, u.`odd key`",
    "MATCH (t:Task {status: 'failed'}) DETACH DELETE t",
    "MATCH (:User)-[r:RUNS]->(:Task) DELETE r",
    "MATCH (a), (b) DELETE a, b",
    "UNWIND $rows AS row CREATE (g:Gene {symbol: row.symbol})",
    "MATCH (t:Task) WITH t ORDER BY t.start LIMIT 10 SET t.status = 'queued'",
    "OPTIONAL MATCH (n:Gene) SET n.x = 1 REMOVE n.y DELETE n",
]


@pytest.mark.parametrize("text", CHANGES)
def test_a_change_prints_to_its_text_and_back(text: str) -> None:
    change = parse_change(text)

    assert print_change(change) == text
    assert repr(parse_change(print_change(change))) == repr(change)


@pytest.mark.parametrize("text", CHANGES)
def test_no_change_is_read_as_a_query(text: str) -> None:
    with pytest.raises(CypherSyntaxError, match="writes, and this path only reads"):
        parse(text)


def test_no_query_is_read_as_a_change() -> None:
    for entry in ACCEPTED:
        with pytest.raises(CypherSyntaxError):
            parse_change(entry.text)


def test_a_change_says_what_it_reads_and_what_it_writes() -> None:
    change = parse_change("match (n:Gene) set n.name = 'x', n += $more detach delete n;")

    assert change.reading == (tree.Match((tree.Path((tree.Node("n", ("Gene",)),)),)),)
    assert change.writing == (
        changes.SetProperties(
            (
                changes.Assignment("n", "name", tree.Const("x")),
                changes.Assignment("n", None, tree.Param("more")),
            )
        ),
        changes.Delete(("n",), detach=True),
    )
    assert change.returning is None


@pytest.mark.parametrize(
    ("text", "mention"),
    [
        ("CREATE (a)-[:RUNS]-(b)", "direction"),
        ("CREATE (a)-->(b)", "one type"),
        ("CREATE (a)-[:A|B]->(b)", "one type"),
        ("CREATE (a)-[:A*2]->(b)", "one hop"),
        ("CREATE (a:A|B)", "alternatives"),
        ("CREATE p = shortestPath((a)-[:A*]->(b))", "shortest"),
        ("MERGE (a)-[*]->(b)", "one type"),
        ("MATCH (n) SET n:Admin", "cannot stand here"),
        ("MATCH (n) REMOVE n:User", "cannot stand here"),
        ("MATCH (n) SET n = {a: 1}", "cannot stand here"),
        ("MATCH (n) SET n['a'] = 1", "cannot stand here"),
        ("MATCH (n) SET n.a.b = 1", "cannot stand here"),
        ("MATCH (n) DELETE n.x", "cannot stand here"),
        ("MATCH (n) DELETE (n)", "cannot stand here"),
        ("MATCH (n) FOREACH (x IN [1] | SET n.x = x)", "cannot stand here"),
        ("MATCH (n) CALL { WITH n DELETE n } RETURN 1", "cannot stand here"),
        ("CALL mg.load_all()", "is no beginning of a change"),
        ("CREATE INDEX FOR (n:User) ON (n.x)", "cannot stand here"),
        ("CREATE USER eve", "cannot stand here"),
        ("DROP GRAPH", "is no beginning of a change"),
        ("CREATE (a); CREATE (b)", "One statement at a time"),
        ("CREATE (a) RETURN a UNION CREATE (b) RETURN b", "cannot stand here"),
        ("LOAD CSV FROM 'x' AS r CREATE (a)", "LOAD CSV"),
        ("EXPLAIN CREATE (a)", "no beginning of a change"),
        ("SET PASSWORD TO 'x'", "cannot stand here"),
        ("MATCH (n) RETURN n", "A change writes"),
        ("MATCH (n)", "A change writes"),
        ("", "no change"),
    ],
)
def test_what_a_change_cannot_be_is_refused(text: str, mention: str) -> None:
    with pytest.raises(CypherSyntaxError) as raised:
        parse_change(text)

    assert mention in raised.value.detail
