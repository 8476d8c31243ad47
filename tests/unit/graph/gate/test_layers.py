"""The gate as a whole: six layers, one verdict, and a text that is printed from the tree."""

import hashlib

import pytest

from apps.graph.cypher.parser import parse
from apps.graph.gate.check import LAYERS, inspect
from apps.graph.gate.limits import Limits
from apps.graph.gate.verdict import GateRefusal

TENANT = "11111111-aaaa-4aaa-8aaa-111111111111"
NAMES = ["syntax", "read-only", "tenant", "depth", "time", "rows"]


@pytest.mark.requirement("gate:six-layers")
def test_the_gate_is_six_layers_in_this_order() -> None:
    assert [name for name, _ in LAYERS] == NAMES


@pytest.mark.requirement("gate:six-layers")
def test_every_layer_says_what_it_found_and_how_long_it_took() -> None:
    passed = inspect("MATCH (u:User)-[*]->(f) RETURN u, f", {}, tenant_id=TENANT)

    assert [report.name for report in passed.layers] == NAMES
    assert all(report.ok and report.note and report.elapsed_ms >= 0 for report in passed.layers)
    assert passed.columns == ("u", "f")


@pytest.mark.requirement("gate:refusal")
@pytest.mark.parametrize(
    ("layer", "text"),
    [
        ("syntax", "MATCH (n) RETURN m"),
        ("read-only", "MATCH (n) RETURN id(n)"),
        ("tenant", "MATCH (n:Person) RETURN n"),
        ("depth", "MATCH (a)-[*9]->(b) RETURN b"),
        ("rows", "MATCH (n) RETURN n SKIP 1000000"),
    ],
)
def test_a_refusal_names_its_layer_the_reason_and_what_to_do(layer: str, text: str) -> None:
    with pytest.raises(GateRefusal) as refused:
        inspect(text, {}, tenant_id=TENANT)

    error = refused.value
    assert (error.layer, error.code, error.http_status) == (layer, "cypher_refused", 422)
    assert error.message.endswith(".")
    assert error.extra["layer"] == layer
    assert error.detail.startswith(error.message)


@pytest.mark.requirement("gate:refusal")
def test_a_refusal_of_the_first_layer_says_where() -> None:
    with pytest.raises(GateRefusal) as refused:
        inspect("MATCH (n)\n  DETACH DELETE n", {}, tenant_id=TENANT)

    assert refused.value.position == (2, 3)
    assert refused.value.extra["position"] == {"line": 2, "column": 3}


@pytest.mark.requirement("gate:reprinted")
def test_what_runs_is_printed_from_the_tree_and_hashed() -> None:
    text = "match /* hidden */ (u:User)\n// x\nwhere u.user_name = 'a' return u.user_name;"

    passed = inspect(text, {}, tenant_id=TENANT)

    assert passed.text == (
        "MATCH (u:User {tenant_id: $__tenant}) WHERE u.user_name = 'a' RETURN u.user_name AS `u.user_name` LIMIT 1000"
    )
    assert passed.sha256 == hashlib.sha256(passed.text.encode()).hexdigest()
    assert parse(passed.text)


@pytest.mark.requirement("gate:reprinted")
def test_only_parameters_that_the_text_names_are_sent_and_nobody_can_change_them() -> None:
    given = {"name": "a", "unused": "b"}

    passed = inspect("MATCH (u:User {user_name: $name}) RETURN u", given, tenant_id=TENANT)
    given["name"] = "changed"

    assert dict(passed.parameters) == {"name": "a", "__tenant": TENANT}
    with pytest.raises(TypeError):
        passed.parameters["__tenant"] = "other"  # type: ignore[index]


@pytest.mark.requirement("gate:time")
def test_callers_may_shorten_the_time_and_never_lengthen_it() -> None:
    text, limits = "MATCH (n) RETURN n", Limits(timeout_s=5.0)

    assert inspect(text, {}, tenant_id=TENANT, limits=limits).timeout_s == 5.0
    assert inspect(text, {}, tenant_id=TENANT, limits=limits, timeout_s=1.5).timeout_s == 1.5
    assert inspect(text, {}, tenant_id=TENANT, limits=limits, timeout_s=60).timeout_s == 5.0


@pytest.mark.requirement("gate:time")
@pytest.mark.parametrize("asked", [0, -1, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(asked: float) -> None:
    with pytest.raises(GateRefusal) as refused:
        inspect("MATCH (n) RETURN n", {}, tenant_id=TENANT, timeout_s=asked)

    assert refused.value.layer == "time"


@pytest.mark.requirement("gate:six-layers")
@pytest.mark.parametrize("mode", ["explain", "profile"])
def test_explain_and_profile_are_told_and_never_printed(mode: str) -> None:
    passed = inspect(f"{mode} MATCH (n) RETURN n", {}, tenant_id=TENANT)

    assert passed.mode == mode
    assert passed.text.startswith("MATCH")


@pytest.mark.requirement("gate:six-layers")
@pytest.mark.parametrize("tenant", ["", " ", "a ", None, 7])
def test_without_a_tenant_there_is_no_gate(tenant: object) -> None:
    with pytest.raises(ValueError, match="tenant"):
        inspect("MATCH (n) RETURN n", {}, tenant_id=tenant)  # type: ignore[arg-type]


@pytest.mark.requirement("gate:rows")
@pytest.mark.parametrize(
    ("text", "asked", "ending"),
    [
        ("MATCH (n) RETURN n", None, " LIMIT 1000"),
        ("MATCH (n) RETURN n LIMIT 5", None, " LIMIT 5"),
        ("MATCH (n) RETURN n LIMIT 5000", None, " LIMIT 1000"),
        ("MATCH (n) RETURN n LIMIT $many", None, " LIMIT 1000"),
        ("MATCH (n) RETURN n LIMIT $few", None, " LIMIT 7"),
        ("MATCH (n) RETURN n SKIP $few LIMIT 20", 10, " SKIP 7 LIMIT 10"),
        ("MATCH (n) RETURN n LIMIT 0", None, " LIMIT 0"),
        ("MATCH (n) RETURN n", 50, " LIMIT 50"),
        ("MATCH (n) RETURN n", 5000, " LIMIT 1000"),
    ],
)
def test_the_outermost_limit_is_added_or_lowered(text: str, asked: int | None, ending: str) -> None:
    passed = inspect(text, {"many": 10**6, "few": 7}, tenant_id=TENANT, rows=asked)

    assert passed.text.endswith(ending)
    assert passed.row_limit == min(asked or 1000, 1000)


@pytest.mark.requirement("gate:rows")
def test_a_union_gets_its_limit_around_the_whole() -> None:
    text = "MATCH (u:User) RETURN u.user_name LIMIT 3 UNION ALL MATCH (t:Tool) RETURN t.name AS `u.user_name`"

    passed = inspect(text, {}, tenant_id=TENANT, rows=2)

    assert passed.columns == ("u.user_name",)
    assert passed.text == (
        "CALL { MATCH (u:User {tenant_id: $__tenant}) RETURN u.user_name AS __column1 LIMIT 3 "
        "UNION ALL MATCH (t:Tool {tenant_id: $__tenant}) RETURN t.name AS __column1 } "
        "RETURN __column1 AS `u.user_name` LIMIT 2"
    )


@pytest.mark.requirement("gate:rows")
@pytest.mark.parametrize("bound", ["$text", "$negative", "$broken", "$truth", "$huge"])
def test_limits_are_whole_numbers_that_are_not_negative(bound: str) -> None:
    given = {"text": "5", "negative": -1, "broken": 1.5, "truth": True, "huge": 2**40}

    with pytest.raises(GateRefusal) as refused:
        inspect(f"MATCH (n) WITH n LIMIT {bound} RETURN n", given, tenant_id=TENANT)

    assert refused.value.layer == "rows"


@pytest.mark.requirement("gate:shortest")
def test_what_runs_is_the_same_text_on_every_server() -> None:
    text = "MATCH p = shortestPath((a:User {user_id: '1'})-[*..4]-(b:File {file_id: '2'})) RETURN length(p) AS l"

    texts = {inspect(text, {}, tenant_id=TENANT, dialect=dialect).text for dialect in ("opencypher", "memgraph")}

    assert len(texts) == 1
    assert "BFS" not in texts.pop()
