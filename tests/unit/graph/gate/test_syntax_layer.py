"""Layer 1: names, scopes, columns, parameters, sizes."""

from typing import Any

import pytest

from apps.graph.gate.check import inspect
from apps.graph.gate.verdict import GateRefusal


def refusal(text: str, parameters: dict[str, Any] | None = None) -> GateRefusal:
    with pytest.raises(GateRefusal) as refused:
        inspect(text, parameters or {}, tenant_id="A")
    assert refused.value.layer == "syntax", refused.value.detail
    return refused.value


def passes(text: str, parameters: dict[str, Any] | None = None) -> str:
    return inspect(text, parameters or {}, tenant_id="A").text


@pytest.mark.requirement("gate:syntax")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("MATCH (user:User) RETURN usr", "Did you mean user?"),
        ("MATCH (a:User) WITH a.user_name AS name RETURN a", "a is not known"),
        ("MATCH (a:User) RETURN b.name", "b is not known"),
        ("MATCH (a) WHERE b.name = 'x' MATCH (b) RETURN a", "b is not known"),
        ("MATCH (a) WHERE (a)-->(b) RETURN a", "b is not known"),
        ("MATCH (a) WHERE EXISTS { MATCH (a)-->(b) } RETURN b", "b is not known"),
        ("MATCH (a) RETURN [(a)-->(b) | b] AS x, b", "b is not known"),
        ("MATCH (a) CALL { MATCH (b) WHERE a.name = b.name RETURN b } RETURN b", "a is not known"),
        ("MATCH (a) CALL { WITH b MATCH (c) RETURN c } RETURN c", "b is not known"),
        ("RETURN [x IN [1] | y] AS z", "y is not known"),
        ("UNWIND x AS x RETURN x", "x is not known"),
    ],
)
def test_a_variable_that_is_not_known_is_named(text: str, says: str) -> None:
    assert says in refusal(text).detail


@pytest.mark.requirement("gate:syntax")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("MATCH (n)", "RETURN"),
        ("MATCH (n) WITH n", "RETURN"),
        ("MATCH (n) CALL { MATCH (m) } RETURN n", "RETURN"),
        ("RETURN 1 AS x MATCH (n) RETURN n", "MATCH cannot stand here"),
        ("MATCH (n) RETURN n.name AS x, n.id AS x", "Two columns"),
        ("MATCH (n) RETURN n.name, n.name", "Two columns"),
        ("MATCH (n) WITH n.name RETURN 1 AS x", "needs a name"),
        ("RETURN *", "nothing that * could stand for"),
        ("MATCH (a:User) RETURN a.user_name AS x UNION MATCH (b:User) RETURN b.user_name AS y", "same columns"),
        ("MATCH (n) CALL { RETURN 1 AS n } RETURN n", "known already"),
        ("MATCH (n) UNWIND [1] AS n RETURN n", "known already"),
        ("MATCH n = (n)-->() RETURN n", "known already"),
        ("MATCH (r)-[r]->() RETURN r", "cannot be a relationship"),
        ("MATCH p = (a)-->(b) MATCH (p) RETURN p", "cannot be a node"),
        ("MATCH (n) WHERE count(n) > 1 RETURN n", "cannot stand here"),
        ("MATCH (n) RETURN sum(count(n)) AS x", "cannot stand here"),
        ("MATCH (n) UNWIND collect(n) AS m RETURN m", "cannot stand here"),
        ("MATCH (n) RETURN toUpper(DISTINCT n.name) AS x", "DISTINCT"),
        ("MATCH (a), (b {name: a.name}) RETURN b", "same MATCH"),
        ("MATCH (a) CALL { WITH a.name AS x RETURN x } RETURN x", "only names"),
        ("MATCH (n) RETURN n LIMIT 1 + 1", "LIMIT"),
        ("MATCH (`a.b`) RETURN 1 AS x", "cannot be the name"),
        ("WITH 1 AS `a b` RETURN `a b`", "cannot be the name"),
    ],
)
def test_what_servers_would_report_each_in_its_own_way_is_refused(text: str, says: str) -> None:
    assert says in refusal(text).detail


@pytest.mark.requirement("gate:syntax")
def test_every_column_gets_the_name_that_its_author_wrote() -> None:
    passed = inspect("MATCH (n:User) RETURN n, n.user_name, count(*), keys(n) AS `my keys`", {}, tenant_id="A")

    assert passed.columns == ("n", "n.user_name", "count(*)", "my keys")


@pytest.mark.requirement("gate:syntax")
def test_a_star_becomes_the_names_that_it_stands_for() -> None:
    text = passes("MATCH (n:User)-[r*..2]->(m) WITH *, n.user_name AS name RETURN *")

    assert "WITH n, m, r, n.user_name AS name RETURN n, m, r, name" in text


@pytest.mark.requirement("gate:syntax")
def test_sorting_by_a_column_with_an_odd_name_sorts_by_its_expression() -> None:
    text = passes("MATCH (n:User) RETURN n.user_name AS `the name` ORDER BY `the name`")

    assert text.endswith("ORDER BY n.user_name LIMIT 1000")


@pytest.mark.requirement("gate:syntax")
def test_a_text_beyond_64_kb_is_refused_whatever_it_holds() -> None:
    assert "longer" in refusal("RETURN '" + "è" * 33_000 + "' AS x").detail


@pytest.mark.requirement("gate:syntax")
@pytest.mark.parametrize("deep", ["NOT " * 1500 + "true", " + ".join(["1"] * 900), "(" * 60 + "1" + ")" * 60])
def test_nesting_without_end_is_refused_and_breaks_nothing(deep: str) -> None:
    with pytest.raises(GateRefusal):
        inspect(f"RETURN {deep} AS x", {}, tenant_id="A")


@pytest.mark.requirement("gate:parameters")
@pytest.mark.parametrize(
    "value",
    [
        object(),
        b"bytes",
        {1: "x"},
        {"a": {"b": object()}},
        2**63,
        float("nan"),
        float("inf"),
        "half \ud800",
        (1, 2),
        {1},
    ],
)
def test_a_value_that_is_not_json_is_refused(value: Any) -> None:
    assert "parameter" in refusal("RETURN $x AS x", {"x": value}).detail


@pytest.mark.requirement("gate:parameters")
@pytest.mark.parametrize("name", ["", "a b", "a`b", "1a", "x" * 65, "è"])
def test_a_parameter_has_a_plain_name(name: str) -> None:
    assert "name of a parameter" in refusal("RETURN 1 AS x", {name: 1}).detail


@pytest.mark.requirement("gate:parameters")
def test_parameters_are_bounded_together_and_in_depth() -> None:
    nested: Any = []
    for _ in range(10):
        nested = [nested]

    assert "larger" in refusal("RETURN 1 AS x", {"a": "x" * 600_000, "b": "x" * 600_000}).detail
    assert "nested" in refusal("RETURN 1 AS x", {"a": nested}).detail
    assert "parameters at most" in refusal("RETURN 1 AS x", {f"p{i}": 1 for i in range(101)}).detail


@pytest.mark.requirement("gate:parameters")
def test_a_parameter_without_a_value_is_named() -> None:
    assert "$nmae has no value. Did you mean name?" in refusal("RETURN $nmae AS x", {"name": 1}).detail


@pytest.mark.requirement("gate:syntax")
def test_what_is_sorted_by_twice_is_printed_once() -> None:
    text = passes("MATCH (n:User) RETURN [n.uid, n.email] AS `two words` ORDER BY " + ", ".join(["`two words`"] * 400))

    assert text.endswith("RETURN [n.uid, n.email] AS `two words` ORDER BY [n.uid, n.email] LIMIT 1000")
    assert passes("MATCH (n) RETURN n.uid AS x, n.name AS y ORDER BY y, x DESC, y DESC").endswith(
        "ORDER BY y, x DESC LIMIT 1000"
    )
