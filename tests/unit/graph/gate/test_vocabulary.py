"""Layer 3: which names a query may use."""

from typing import Any

import pytest

from apps.graph.gate.check import inspect
from apps.graph.gate.verdict import GateRefusal


def refusal(text: str, parameters: dict[str, Any] | None = None) -> GateRefusal:
    with pytest.raises(GateRefusal) as refused:
        inspect(text, parameters or {}, tenant_id="A")
    assert refused.value.layer == "tenant", refused.value.detail
    return refused.value


@pytest.mark.requirement("gate:vocabulary")
@pytest.mark.parametrize(
    "text",
    [
        "MATCH (n) WHERE n.tenant_id = 'B' RETURN n",
        "MATCH (n {tenant_id: 'B'}) RETURN n",
        "MATCH ()-[r {tenant_id: 'B'}]->() RETURN r",
        "MATCH (n) RETURN n.tenant_id AS x",
        "MATCH (n) RETURN n['tenant_id'] AS x",
        "MATCH (n) RETURN n[$key] AS x",
        "MATCH (n) RETURN n {.tenant_id} AS x",
        "MATCH (n) RETURN {tenant_id: 1} AS x",
        "MATCH (n) RETURN n.uid AS tenant_id",
        "MATCH (n) RETURN n.uid AS Tenant_ID",
        "MATCH (n) WITH n.uid AS tenant_id RETURN 1 AS x",
        "MATCH (tenant_id) RETURN 1 AS x",
        "MATCH ()-[tenant_id]->() RETURN 1 AS x",
        "MATCH tenant_id = ()-->() RETURN 1 AS x",
        "MATCH (n) RETURN $tenant_id AS x",
        "MATCH (n) RETURN properties(n).tenant_id AS x",
        "MATCH (n) RETURN [tenant_id IN [1] | 1] AS x",
        "MATCH (n) RETURN reduce(tenant_id = 1, x IN [1] | 1) AS x",
        "MATCH (n) WHERE EXISTS { MATCH (n)-->(m {tenant_id: 'B'}) } RETURN n",
        "MATCH (n) RETURN n.uid AS x ORDER BY n.tenant_id",
        "UNWIND [1] AS tenant_id RETURN 1 AS x",
        "MATCH (n) RETURN n.`tenant_id` AS x",
        "MATCH (n) WHERE n.tenant_id IS NOT NULL RETURN n",
    ],
)
def test_no_query_names_the_tenant_in_any_way(text: str) -> None:
    error = refusal(text, {"key": "tenant_id", "tenant_id": "B"})

    assert "tenant_id" in error.message.lower()
    assert "your own tenant" in error.hint


@pytest.mark.requirement("gate:vocabulary")
@pytest.mark.parametrize(
    "parameters", [{"x": {"tenant_id": "B"}}, {"x": [{"a": {"tenant_id": 1}}]}, {"x": {"TENANT_ID": 1}}]
)
def test_no_parameter_holds_a_map_that_names_the_tenant(parameters: dict[str, Any]) -> None:
    refusal("RETURN $x AS x", parameters)


@pytest.mark.requirement("gate:vocabulary")
@pytest.mark.parametrize("text", ["MATCH (__n) RETURN 1 AS x", "RETURN $__tenant AS x", "RETURN 1 AS __x",
                                  "MATCH (n) RETURN [__each IN [1] | 1] AS x"])  # fmt: skip
def test_the_gates_own_names_are_reserved(text: str) -> None:
    assert "reserved" in refusal(text).hint


@pytest.mark.requirement("gate:vocabulary")
@pytest.mark.requirement("security:86")
@pytest.mark.parametrize("name", ["__tenant", "__uid", "__other"])
def test_a_caller_gives_no_value_to_the_gates_own_parameters(name: str) -> None:
    assert "reserved" in refusal("MATCH (n) RETURN n", {name: "B"}).hint


@pytest.mark.requirement("gate:vocabulary")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("MATCH (n:Person) RETURN n", "no label Person"),
        ("MATCH (n:user) RETURN n", "Did you mean User?"),
        ("MATCH (n) WHERE n:Taks RETURN n", "Did you mean Task?"),
        ("MATCH ()-[:RUN]->() RETURN 1 AS x", "Did you mean RUNS?"),
        ("MATCH ()-[:runs]->() RETURN 1 AS x", "Did you mean RUNS?"),
        ("MATCH (n) RETURN n.usr_name AS x", "Did you mean user_name?"),
        ("MATCH (n {nmae: 'x'}) RETURN n", "Did you mean name?"),
        ("MATCH (n) RETURN n['password'] AS x", "no relationship has a property password"),
        ("MATCH (n) RETURN n {.secret} AS x", "property secret"),
    ],
)
def test_a_name_that_the_schema_does_not_have_is_refused_with_the_nearest(text: str, says: str) -> None:
    assert says in refusal(text).detail


@pytest.mark.requirement("gate:vocabulary")
@pytest.mark.parametrize(
    "text",
    ["MATCH (n) RETURN n[n.name] AS x", "MATCH (n) RETURN n[toLower('NAME')] AS x",
     "MATCH (n) UNWIND keys(n) AS k RETURN n[k] AS x",
     "MATCH (n) RETURN properties(n)[head(keys(n))] AS x", "MATCH (n) WITH n, 'tenant' + '_id' AS k RETURN n[k] AS x",
     "MATCH (n) RETURN n['tenant' + '_id'] AS x", "MATCH (n) RETURN [k IN keys(n) | n[k]] AS x",
     "MATCH (n) RETURN n[$missing] AS x"],
)  # fmt: skip
def test_a_property_cannot_be_named_by_a_value(text: str) -> None:
    assert "could be the name of a property" in refusal(text, {"missing": None}).message


@pytest.mark.requirement("gate:vocabulary")
@pytest.mark.parametrize(
    "text",
    ["MATCH (n) RETURN n['name'] AS x", "MATCH (n) RETURN n[$key] AS x", "RETURN [1, 2][0] AS x",
     "RETURN [1, 2][-1] AS x",
     "MATCH (n) RETURN labels(n)[0] AS x",
     "MATCH (n) WITH collect(n.name) AS l RETURN l[toInteger(1)] AS x",
     "UNWIND [1] AS i RETURN [1, 2][i] AS x", "RETURN {a: 1}['a'] AS x", "WITH {a: 1} AS m RETURN m.a AS x",
     "UNWIND $rows AS row RETURN row.colour AS x", "RETURN date().year AS x", "RETURN 'tenant_id' AS x",
     "MATCH (n) WHERE n.name = 'tenant_id' RETURN n", "RETURN [1, 2, 3][0..2] AS x"],
)  # fmt: skip
def test_names_that_are_known_and_places_in_lists_pass(text: str) -> None:
    assert inspect(text, {"key": "name", "rows": [{"colour": "red"}]}, tenant_id="A")


@pytest.mark.requirement("gate:vocabulary")
def test_keys_do_not_show_what_nobody_may_name() -> None:
    passed = inspect("MATCH (n) RETURN keys(n) AS k", {}, tenant_id="A")

    assert "[__key IN keys(n) WHERE __key <> 'tenant_id'] AS k" in passed.text
