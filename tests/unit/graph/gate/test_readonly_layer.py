"""Layer 2: functions by exact name, nothing else that can be called."""

import pytest

from apps.graph.cypher import tree
from apps.graph.gate.check import inspect
from apps.graph.gate.functions import FUNCTIONS
from apps.graph.gate.verdict import GateRefusal


def refusal(text: str) -> GateRefusal:
    with pytest.raises(GateRefusal) as refused:
        inspect(text, {}, tenant_id="A")
    return refused.value


@pytest.mark.requirement("gate:functions")
@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("id(n)", "uid"), ("elementId(n)", "uid"), ("username()", "who you are"), ("roles()", "who you are"),
        ("propertySize(n, 'name')", ""), ("toGeojson(n)", ""), ("degree(n)", "size([(n)--() | 1])"),
        ("counter('a', 0)", ""), ("project(n)", ""), ("getHopsCounter()", ""), ("toSet([1])", "DISTINCT"),
        ("stDev(n.size)", "from the rows"), ("timestamp()", "parameter"), ("valueType(n)", "schema"),
        ("toUper(n.name)", "Did you mean toUpper?"), ("shell('ls')", ""), ("randomUUID()", "parameters"),
    ],
)  # fmt: skip
def test_a_function_that_is_not_on_the_list_is_refused_with_an_alternative(call: str, says: str) -> None:
    error = refusal(f"MATCH (n) RETURN {call} AS x")

    assert error.layer == "read-only"
    assert says in error.hint


@pytest.mark.requirement("gate:functions")
@pytest.mark.parametrize("call", ["apoc.text.join(['a'], '')", "mg.procedures()", "`mg`.`load_all`()", "util.md5('x')"])
def test_functions_of_modules_are_refused(call: str) -> None:
    assert refusal(f"RETURN {call} AS x").layer in ("syntax", "read-only")


@pytest.mark.requirement("gate:functions")
@pytest.mark.parametrize("call", ["size()", "size(n, n)", "replace('a', 'b')", "pi(1)", "coalesce()"])
def test_a_function_takes_as_many_arguments_as_it_takes(call: str) -> None:
    assert "arguments" in refusal(f"MATCH (n) RETURN {call} AS x").message


@pytest.mark.requirement("gate:functions")
def test_functions_are_written_in_any_case_and_printed_in_one() -> None:
    passed = inspect("MATCH (n:User) RETURN TOUPPER(n.user_name) AS x, COUNT(n) AS y", {}, tenant_id="A")

    assert "RETURN toUpper(n.user_name) AS x, count(n) AS y" in passed.text


@pytest.mark.requirement("gate:functions")
def test_exists_of_a_property_is_said_in_words_that_all_servers_know() -> None:
    passed = inspect("MATCH (n:User) WHERE exists(n.email) RETURN n.user_name AS x", {}, tenant_id="A")

    assert "WHERE n.email IS NOT NULL" in passed.text


@pytest.mark.requirement("gate:functions")
def test_no_name_on_the_list_reaches_beyond_the_query() -> None:
    known = {
        "id",
        "elementid",
        "username",
        "roles",
        "load",
        "call",
        "shell",
        "timestamp",
        "randomuuid",
        "linenumber",
        "file",
    }

    assert not known & set(FUNCTIONS)
    assert all(name == one.name.lower() for name, one in FUNCTIONS.items())


@pytest.mark.requirement("gate:functions")
def test_the_tree_of_a_query_has_no_clause_that_writes() -> None:
    assert set(tree.Clause.__args__) == {tree.Match, tree.Unwind, tree.With, tree.Return, tree.Subquery}


@pytest.mark.requirement("gate:functions")
@pytest.mark.parametrize(
    "text",
    ["MATCH (n) RETURN toUpper(n.uid) AS x, id(n) AS y", "MATCH (n) WHERE size(labels(n)) = id(n) RETURN n",
     "RETURN toUpper(username()) AS x", "MATCH (n) WITH count(n) AS c CALL { RETURN roles() AS r } RETURN c, r",
     "MATCH (n) RETURN size([(n)-->(m) | elementId(m)]) AS x ORDER BY size(labels(n))"],
)  # fmt: skip
def test_every_function_is_looked_at_wherever_it_stands_among_others(text: str) -> None:
    error = refusal(text)

    assert error.layer == "read-only" and "not among the allowed functions" in error.message
