"""What an attacker found in the gate, on a real server: answers, errors and meanings that others' data changed."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from apps.graph.gate.check import inspect
from apps.graph.gate.limits import Limits
from tests.isolation_data import A, answer, two_graphs

OTHERS = ("b-0", "b-1", "b-2", "n-0", "n-1", "x0-0")
PATTERNS = (
    ("MATCH (f:File)", "f"),
    ("MATCH (f)", "f"),
    ("UNWIND [0] AS z MATCH (f:File)", "f"),
    ("MATCH (f:File)-[r:INPUT]->(t:Task)", "t"),
    ("MATCH (u:User)-[:RUNS]->(t:Task)-[:OUTPUT]->(f:File)", "u"),
    ("MATCH p = (f:File)-[*1..2]-(t)", "t"),
    ("MATCH (f:File), (u:User)", "u"),
    ("MATCH (u:User) MATCH (f:File)", "f"),
    ("MATCH (u:User) OPTIONAL MATCH (u)-[:RUNS]->(f)", "f"),
)
CONDITIONS = (
    "{n}.uid <> '{uid}' OR 1 / $zero = 1",
    "NOT ({n}.uid = '{uid}' AND 1 / $zero = 1)",
    "{n}.uid = '{uid}' AND 1 / $zero = 1",
    "NOT {n}.uid STARTS WITH '{uid}' OR $text / 2 = 1",
    "{n}.uid <> '{uid}' OR EXISTS {{ MATCH (q:User) WHERE 1 / $zero = 1 }}",
    "{n}.uid <> '{uid}' OR EXISTS {{ UNWIND [0] AS y WITH 1 / y AS q MATCH (w:User) RETURN q }}",
    "any(y IN [0] WHERE {n}.uid <> '{uid}' OR 1 / y = 1)",
    "size([y IN [0] WHERE {n}.uid = '{uid}' AND 1 / y = 1]) = 0",
)


ENDS = (
    "MATCH (u:User)-[q*1..3]-(t) WHERE all(y IN q WHERE 10 / (CASE WHEN {end}(y).uid < 'b' THEN 1 ELSE 0 END) > 0)",
    "MATCH (u)-[q*1..3]-(t) WHERE size([y IN q WHERE 1 / (CASE WHEN {end}(y).uid < 'b' THEN 1 ELSE 0 END) = 1]) > 0",
    "MATCH (u)-[r]-(t) WHERE 10 / (CASE WHEN {end}(r).uid < 'b' THEN 1 ELSE 0 END) > 0",
)


@pytest.fixture(scope="module")
def graphs(servers: Any) -> Iterator[Any]:
    """A's data alone, and among others'."""
    with two_graphs(servers) as sessions:
        yield sessions


@pytest.mark.requirement("gate:guards")
@pytest.mark.requirement("security:89")
@pytest.mark.parametrize("condition", CONDITIONS)
def test_what_fails_does_not_tell_whether_somebody_elses_node_is_there(graphs: Any, condition: str) -> None:
    alone, among = graphs
    told = []

    for (pattern, name), uid in itertools.product(PATTERNS, OTHERS):
        text = f"{pattern} WHERE {condition.format(n=name, uid=uid)} RETURN {name}.uid AS x"
        passed = inspect(text, {"zero": 0, "text": "x"}, tenant_id=A, limits=Limits(score=1e15))
        answers = [answer(session, passed.text, dict(passed.parameters)) for session in (alone, among)]
        if answers[0] != answers[1]:
            told.append(text)

    assert told == []


@pytest.mark.requirement("gate:guards")
@pytest.mark.requirement("security:96")
@pytest.mark.parametrize("condition", ENDS)
@pytest.mark.parametrize("end", ["startNode", "endNode"])
def test_the_ends_of_ones_own_relationships_tell_nothing_either(graphs: Any, condition: str, end: str) -> None:
    passed = inspect(f"{condition.format(end=end)} RETURN count(*) AS c", {}, tenant_id=A, limits=Limits(score=1e15))

    alone, among = (answer(session, passed.text, dict(passed.parameters)) for session in graphs)

    assert alone == among
    assert alone[0] == "rows"


ELSEWHERE = (
    "MATCH (t:Task) MATCH (p:Protein{key}) WHERE {risky} RETURN count(*) AS c",
    "MATCH (t:Task) MATCH (:Protein{key})-->(q) WHERE {risky} RETURN count(*) AS c",
    "MATCH (t:Task) MATCH (p:Protein{key}), (f:File) WHERE f.uid STARTS WITH 'a' AND {risky} RETURN count(*) AS c",
    "MATCH (t:Task) MATCH (p:Protein) WHERE p.name STARTS WITH 'a' AND {risky} RETURN count(*) AS c",
    "MATCH (t:Task) OPTIONAL MATCH (p:Protein{key}) WHERE {risky} RETURN count(p) AS c",
    "MATCH (t:Task) CALL {{ WITH t MATCH (p:Protein{key}) WHERE {risky} RETURN p }} RETURN count(*) AS c",
    "MATCH (t:Task) WHERE EXISTS {{ MATCH (p:Protein{key}) WHERE {risky} }} RETURN count(*) AS c",
    "MATCH (t:Task) RETURN size([(p:Protein{key})-->(q) WHERE {risky} | q]) AS c",
    "MATCH (p:Protein{key}) MATCH (t:Task) WHERE {risky} RETURN count(*) AS c",
    "MATCH (t:Task) WITH t, 'x' AS z MATCH (p:Protein{key}) WHERE p.uid = z.uid RETURN count(*) AS c",
)
"""A condition that fails on one's own data, in a MATCH of what only others have: it must not say that they have it."""


@pytest.mark.requirement("gate:guards")
@pytest.mark.requirement("security:89")
@pytest.mark.parametrize("text", ELSEWHERE)
def test_a_condition_on_ones_own_data_does_not_tell_what_only_others_have(graphs: Any, text: str) -> None:
    told = []

    for key, risky in itertools.product(
        ("", " {name: 'actin'}", " {name: 'none'}"), ("1 / $zero = 1", "t.status / 2 = 1")
    ):
        passed = inspect(text.format(key=key, risky=risky), {"zero": 0}, tenant_id=A, limits=Limits(score=1e15))
        answers = [answer(session, passed.text, dict(passed.parameters)) for session in graphs]
        if answers[0] != answers[1]:
            told.append(passed.text)

    assert told == []


NEVER = (
    "MATCH (u:User) WHERE CASE WHEN false THEN any(x IN [1] WHERE true) ELSE false END RETURN count(u) AS c",
    "MATCH (u:User) WITH u WHERE CASE WHEN false THEN any(x IN [1] WHERE true) ELSE false END RETURN count(u) AS c",
    "MATCH (u:User) WITH u WHERE NOT CASE WHEN false THEN none(x IN [1] WHERE true) ELSE true END RETURN count(u) AS c",
    "MATCH p = (u:User)-[*1..2]->(x) WHERE length(p) * 1 = 77 RETURN count(u) AS c",
    "MATCH p = (u:User)-[r*1..2]->(x) WHERE size(r) * 1 = 77 RETURN count(u) AS c",
    "MATCH (u:User) WHERE size([(u)-[*1..2]->(x) | x]) > 99 RETURN count(u) AS c",
    "MATCH (u:User) WHERE size([(u)-->(x) WHERE any(y IN [1] WHERE true) | x]) > 99 RETURN count(u) AS c",
)


@pytest.mark.requirement("gate:runs")
@pytest.mark.parametrize("text", NEVER)
def test_a_condition_that_is_never_true_finds_nothing(graphs: Any, text: str) -> None:
    passed = inspect(text, {}, tenant_id=A)

    found = answer(graphs[1], passed.text, dict(passed.parameters))

    assert found == ("rows", ((0,),))
