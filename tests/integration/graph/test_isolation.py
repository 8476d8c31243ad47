"""That no row, count, path or error of another tenant comes through the gate: two tenants' data on a real server."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import neo4j
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from apps.graph.cypher import tree
from apps.graph.cypher.parser import parse
from apps.graph.cypher.printer import print_statement
from apps.graph.gate import shortest, tenant
from apps.graph.gate.check import inspect
from apps.graph.gate.limits import Limits
from apps.graph.gate.verdict import GateRefusal, Passed
from tests.isolation_data import A, answer, two_graphs
from tests.isolation_queries import statements

QUERIES = 400
LIMITS = Limits(score=3e9)  # the graphs are small, and so many queries must be quick
Graphs = tuple[neo4j.Session, neo4j.Session]

EXPOSED = [
    "MATCH (n) RETURN n",
    "MATCH (n:User)-[r]->(m) RETURN n, r, m",
    "MATCH ()-[r]-() RETURN count(r) AS c",
    "MATCH ()-[r:RUNS]->() RETURN startNode(r) AS a, endNode(r) AS b",
    "MATCH (n:User {user_name: 'anna'}) RETURN n.uid AS x",
    "MATCH (n:User) WHERE n.user_name = 'anna' OR true RETURN n.uid AS x",
    "MATCH (n:User) WHERE NOT n.user_name = 'x' RETURN n.uid AS x",
    "MATCH (u:User) OPTIONAL MATCH (u)-[:RUNS]->(t:Task) RETURN u, t",
    "MATCH (u:User) WITH u AS v MATCH (v)-->(t) RETURN v.uid AS x, t.uid AS y",
    "MATCH (u:User) RETURN [(u)-[:RUNS]->(t) | t.uid] AS x",
    "MATCH (u:User) RETURN [(u)-[*..2]->(t) | t.uid] AS x",
    "MATCH (u:User) RETURN [x IN [(u)-->(t) | t] | x.uid] AS x",
    "MATCH (t:Task) WHERE (t)<-[:RUNS]-({uid: 'b-0'}) RETURN count(t) AS c",
    "MATCH (t:Task) WHERE exists((t)<--({uid: 'b-0'})) RETURN count(t) AS c",
    "MATCH (t:Task) WHERE EXISTS { MATCH (t)<--(u:User) WHERE u.uid = 'b-0' } RETURN count(t) AS c",
    "MATCH (t:Task) WHERE EXISTS { MATCH (t)-[*..2]-(u) WHERE u.uid = 'n-0' } RETURN count(t) AS c",
    "MATCH p = (a:User)-[*..2]->(b) RETURN p",
    "MATCH (a:User)-[r*..2]->(b) RETURN size(r) AS s, b.uid AS x",
    "MATCH p = (a:User)-[*0..1]->(b) RETURN length(p) AS l",
    "MATCH p = shortestPath((a:User)-[*..3]-(b:Institution)) RETURN a.uid AS x, b.uid AS y, length(p) AS l",
    "MATCH p = allShortestPaths((a:User)-[*..3]-(b:Institution)) RETURN a.uid AS x, b.uid AS y, length(p) AS l",
    "MATCH (u:User) RETURN u.uid AS x UNION MATCH (t:Task) RETURN t.uid AS x",
    "MATCH (u:User) CALL { WITH u MATCH (u)-->(t) RETURN count(t) AS c } RETURN u.uid AS x, c",
    "CALL { MATCH (u:User) RETURN u.uid AS x UNION ALL MATCH (t:Task) RETURN t.uid AS x } RETURN x",
    "MATCH (u:User) WITH collect(u) AS us UNWIND us AS u RETURN u.uid AS x",
    "MATCH (u:User) RETURN count(*) AS c, count(DISTINCT u.user_name) AS d, max(u.uid) AS m, collect(u.uid) AS l",
    "MATCH (f:File) RETURN sum(coalesce(f.size, 0)) AS s",
    "MATCH (f:File) WHERE 10 / f.size > 3 RETURN f.uid AS x",
    "MATCH (f:File) RETURN 10 / f.size AS x",
    "MATCH (t:Tool) WHERE 10 / t.size > 3 RETURN t.uid AS x",
    "MATCH (f:File) WHERE f.uid IN ['b-4', 'a-4'] AND 10 / f.size > 0 RETURN f.uid AS x",
    "MATCH (t:Task) WHERE t.duration_s * 2 > 3 RETURN t.uid AS x",
    "MATCH (u:User) RETURN u {.*} AS m, properties(u) AS p",
    "MATCH (u:User) RETURN u.uid AS x ORDER BY u.uid DESC LIMIT 3",
    "MATCH (u:User) WITH u ORDER BY u.uid DESC LIMIT 2 RETURN u.uid AS x",
    "MATCH (u:User)-[r:WORKS_AT]->(i) WHERE 10 / r.since >= 0 RETURN i.uid AS x",
    "MATCH (u:User) WHERE u.uid IN ['a-0', 'b-0', 'n-0'] RETURN u.uid AS x",
    "MATCH (u:User {user_id: $id})-->(t) RETURN t.uid AS x",
]
"""One query for each place through which data could come: each does show others' data when the gate is not asked."""


@pytest.fixture(scope="module")
def graphs(servers: Any) -> Iterator[Graphs]:
    with two_graphs(servers) as sessions:
        yield sessions


class Differs(Exception):
    """A query whose answer tells that others' data are there."""


def asked(graphs: Graphs, passed: Passed) -> tuple[Any, Any]:
    """The answers of the two graphs."""
    alone, among = (answer(session, passed.text, dict(passed.parameters)) for session in graphs)
    return alone, among


def ask_at_random(graphs: Graphs, count: int) -> Counter[str]:
    """So many random queries through the gate, on both graphs. Differs at the first that answers differently."""
    seen: Counter[str] = Counter()

    def one(statement: tree.Statement) -> None:
        text = print_statement(statement)
        try:
            passed = inspect(text, {}, tenant_id=A, limits=LIMITS)
        except GateRefusal:
            seen["refused"] += 1
            return
        alone, among = asked(graphs, passed)
        if alone != among:
            raise Differs(f"{text}\n{passed.text}\n{alone}\n{among}")
        seen["failed" if alone[0] == "error" else "empty" if not alone[1] else "rows"] += 1

    known = count == QUERIES
    run = settings(
        max_examples=count, deadline=None, database=None, derandomize=known, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
    )(given(statements())(one))  # fmt: skip
    run()
    return seen


@pytest.mark.requirement("gate:isolation")
@pytest.mark.requirement("gate:runs")
def test_random_queries_answer_the_same_whether_or_not_others_are_there(
    graphs: Graphs, request: pytest.FixtureRequest
) -> None:
    wanted = request.config.getoption("--isolation-queries") or QUERIES

    seen = ask_at_random(graphs, wanted)

    assert seen["rows"] > wanted / 5
    assert seen["failed"] < wanted / 20


@pytest.mark.requirement("gate:isolation")
@pytest.mark.parametrize("text", EXPOSED)
def test_each_place_that_shows_others_data_by_itself_shows_ones_own_through_the_gate(graphs: Graphs, text: str) -> None:
    given_ = {"id": "u1"}
    unguarded = print_statement(parse(text))
    bare = [answer(session, unguarded, given_) for session in graphs]

    alone, among = asked(graphs, inspect(text, given_, tenant_id=A, limits=Limits(score=1e15)))

    assert bare[0] != bare[1], "this place shows nothing"
    assert alone == among
    assert alone[0] == "rows" and alone[1]


def _loose(kind: type) -> Callable[[pytest.MonkeyPatch], None]:
    def apply(patch: pytest.MonkeyPatch) -> None:
        patch.setitem(tenant._REWRITES, kind, lambda binder, part: part)

    return apply


def _inside_unchecked(patch: pytest.MonkeyPatch) -> None:
    for module in (tenant, shortest):
        patch.setattr(module, "nodes_own", lambda path: tree.Const(True))
    patch.setattr(tenant, "_steps_own", lambda steps: tree.Const(True))


def _shortest_filtered_afterwards(patch: pytest.MonkeyPatch) -> None:
    def match(binder: Any, clause: tree.Match) -> tree.Match:
        own = [tenant.nodes_own(path.variable) for path in clause.paths if path.shortest and path.variable]
        return replace(clause, where=tenant.joined([*own, *([clause.where] if clause.where else [])]))

    bind_others = tenant._Binder.match
    patch.setitem(
        tenant._REWRITES, tree.Match,
        lambda binder, clause: (match if any(path.shortest for path in clause.paths) else bind_others)(binder, clause),
    )  # fmt: skip
    patch.setattr(tenant, "without_shortest", lambda query, *rest: query)


MUTANTS = {
    "nodes": _loose(tree.Node),
    "relationships": _loose(tree.Rel),
    "insides": _inside_unchecked,
    "shortest": _shortest_filtered_afterwards,
}


@pytest.mark.requirement("gate:isolation-can-fail")
@pytest.mark.parametrize("name", MUTANTS)
def test_the_proof_turns_red_when_a_part_of_the_rewriting_is_missing(
    graphs: Graphs, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    MUTANTS[name](monkeypatch)
    monkeypatch.setattr(tenant, "prove", lambda records: 0)

    with pytest.raises(Differs):
        ask_at_random(graphs, QUERIES)


@pytest.mark.requirement("gate:isolation-can-fail")
@pytest.mark.requirement("gate:guards")
def test_the_proof_turns_red_when_conditions_that_can_fail_are_not_guarded(
    graphs: Graphs, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "MATCH (t:Tool) WHERE 10 / t.size > 3 RETURN t.uid AS x"
    monkeypatch.setattr(tenant, "guarded", lambda where, paths, *rest: (paths, [] if where is None else [where]))

    alone, among = asked(graphs, inspect(text, {}, tenant_id=A))

    assert alone[0] == "rows"
    assert among[0] == "error"


@pytest.mark.requirement("gate:proof")
def test_without_the_tenant_layer_nothing_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenant, "bind", lambda query, *rest: query)

    with pytest.raises(AssertionError, match="not bound"):
        inspect("MATCH (n) RETURN n", {}, tenant_id=A)
