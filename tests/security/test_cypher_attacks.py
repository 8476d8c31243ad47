"""Attacks through Cypher that the gate stops before anything is sent: security.md 65 to 91, 94 to 97, 100."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from apps.graph.cypher import tree
from apps.graph.cypher.parser import parse
from apps.graph.gate import check
from apps.graph.gate.belongs import belongs
from apps.graph.gate.change import inspect_change
from apps.graph.gate.check import inspect
from apps.graph.gate.limits import DEFAULTS
from apps.graph.gate.verdict import GateRefusal
from tests.isolation_data import ALMOST_A, A, answer, two_graphs

T = "tenant_id: $__tenant"


def refused(text: str, parameters: dict[str, Any] | None = None) -> GateRefusal:
    with pytest.raises(GateRefusal) as error:
        inspect(text, parameters or {}, tenant_id=A)
    return error.value


@pytest.fixture(scope="module")
def graphs(servers: Any) -> Iterator[Any]:
    """A's data alone, and among others'."""
    with two_graphs(servers) as sessions:
        yield sessions


@pytest.mark.requirement("security:65")
@pytest.mark.parametrize("text", ["CREATE (n:User)", "MATCH (n) mErGe (m:User) RETURN m",
                                  "MATCH (n)\n\tDETACH\n\nDELETE n",
                                  "MATCH (n) SET n.name = 'x'", "MATCH (n) REMOVE n.name",
                                  "FOREACH (x IN [1] | CREATE (n))",
                                  "MATCH (n) WITH n CALL { WITH n DELETE n } RETURN 1 AS x"])  # fmt: skip
def test_a_write_never_passes(text: str) -> None:
    assert refused(text).layer == "syntax"


@pytest.mark.requirement("security:66")
@pytest.mark.requirement("security:68")
@pytest.mark.parametrize("text", ["MATCH (n) DETACH/**/DELETE n", "MATCH (n) // x\n DELETE n", "MATCH (n) /* RETURN n",
                                  "MATCH (n) \\u0044ELETE n", "MATCH (`a\\u0060) DELETE n //`) RETURN 1 AS x",
                                  "MATCH (n) \\U00000044ELETE n", "MATCH (n) ＤELETE n"])  # fmt: skip
def test_comments_and_escapes_hide_no_write(text: str) -> None:
    assert refused(text).layer == "syntax"


@pytest.mark.requirement("security:66")
def test_what_looks_like_a_comment_inside_a_text_is_text() -> None:
    passed = inspect("MATCH (n) WHERE n.name = '/* x */ // ; DELETE' RETURN n", {}, tenant_id=A)

    assert "'/* x */ // ; DELETE'" in passed.text


@pytest.mark.requirement("security:73")
@pytest.mark.requirement("security:75")
@pytest.mark.requirement("security:76")
@pytest.mark.requirement("security:77")
@pytest.mark.requirement("security:78")
@pytest.mark.requirement("security:79")
@pytest.mark.requirement("security:81")
@pytest.mark.parametrize(
    "text",
    ["LOAD CSV FROM 'file:///etc/passwd' AS row RETURN row",
     "LOAD CSV FROM 'http://169.254.169.254/' AS row RETURN row",
     "CALL mg.create_module_file('x.py', 'import os') YIELD path RETURN path", "CALL mg.load_all()",
     "CALL `mg`.`load`('x')",
     "CALL do.when(true, 'MATCH (n) DELETE n', '') YIELD value RETURN value", "CALL periodic.iterate('a', 'b', {})",
     "CALL json_util.load_from_url('http://x') YIELD objects RETURN objects", "CALL export_util.json('/tmp/x')",
     "CALL refactor.rename_label('A', 'B')", "CALL apoc.load.json('x')", "CALL dbms.components()", "CALL db.labels()",
     "MATCH (n) CALL gds.pageRank.stream('g') YIELD score RETURN score", "SHOW USERS", "SHOW CONFIG", "DUMP DATABASE",
     "CREATE USER x", "GRANT ALL TO x", "SET PASSWORD TO 'x'", "TERMINATE TRANSACTIONS '1'", "USE DATABASE other",
     "STORAGE MODE IN_MEMORY_ANALYTICAL", "CREATE TRIGGER t ON CREATE AFTER COMMIT EXECUTE RETURN 1", "DROP GRAPH",
     "FREE MEMORY", "ANALYZE GRAPH", "RECOVER SNAPSHOT '/x'", "CREATE INDEX ON :User(uid)"],
)  # fmt: skip
def test_procedures_files_and_administration_never_pass(text: str) -> None:
    assert refused(text).layer == "syntax"


@pytest.mark.requirement("security:80")
@pytest.mark.parametrize("call", ["username()", "roles()", "propertySize(n, 'name')", "getHopsCounter()",
                                  "toGeojson(n)",
                                  "unknown(n)", "mgload(n)", "shortest(n)", "id(n)", "elementId(n)"])  # fmt: skip
def test_a_function_that_is_not_on_the_list_never_passes(call: str) -> None:
    assert refused(f"MATCH (n) RETURN {call} AS x").layer == "read-only"


@pytest.mark.requirement("security:83")
@pytest.mark.parametrize("text", ["MATCH (n) RETURN n; MATCH (n) DELETE n", "RETURN 1 AS x;;",
                                  "RETURN 1 AS x; RETURN 2 AS x",
                                  "RETURN 1 AS x\x00", "; RETURN 1 AS x"])  # fmt: skip
def test_one_statement_is_taken_at_a_time(text: str) -> None:
    assert refused(text).layer == "syntax"
    assert inspect("RETURN ';' AS x;", {}, tenant_id=A)


@pytest.mark.requirement("security:84")
@pytest.mark.parametrize(
    "text",
    ["MATCH (n) RETURN n UNION MATCH (n) DELETE n", "MATCH (n) " + "WITH * " * 50 + "DELETE n",
     "RETURN " + "(" * 500 + "1" + ")" * 500 + " AS x", "RETURN " + "[" * 500 + "]" * 500 + " AS x",
     "RETURN " + "{a: " * 500 + "1" + "}" * 500 + " AS x", "RETURN " + "NOT " * 1990 + "true AS x",
     "RETURN " + " + ".join(["1"] * 2000) + " AS x"],
)  # fmt: skip
def test_what_is_hidden_deep_or_nested_without_end_is_refused_soon(text: str) -> None:
    began = time.thread_time()

    refused(text)

    assert time.thread_time() - began < 10


@pytest.mark.requirement("security:85")
@pytest.mark.parametrize("text", ["MATCH (n)", "MATCH (n) WITH n", "CALL mg.procedures() YIELD * RETURN 1 AS x",
                                  "WITH 1 AS `x`;", "MATCH (n) CALL { MATCH (m) } RETURN n",
                                  "MATCH (n) FINISH"])  # fmt: skip
def test_a_query_without_result_is_refused(text: str) -> None:
    assert refused(text).layer == "syntax"


@pytest.mark.requirement("security:86")
def test_the_value_of_a_parameter_stays_a_value() -> None:
    evil = "'}) DETACH DELETE n //"

    passed = inspect("MATCH (n:User {user_name: $name}) RETURN n", {"name": evil}, tenant_id=A)

    assert passed.text == f"MATCH (n:User {{{T}, user_name: $name}}) RETURN n LIMIT 1000"
    assert passed.parameters["name"] == evil


@pytest.mark.requirement("security:86")
@pytest.mark.parametrize(
    ("text", "parameters"),
    [("MATCH (n:$label) RETURN n", {"label": {"a": 1}}), ("MATCH ()-[r:$type]->() RETURN r", {"type": "RUNS"}),
     ("MATCH (n) RETURN n LIMIT $x", {"x": "5 UNION MATCH (m) RETURN m"}), ("MATCH (n) RETURN n LIMIT $x", {"x": {}}),
     ("MATCH (n $map) RETURN n", {"map": {"tenant_id": "B"}}), ("MATCH (n) RETURN $__tenant AS x", {"__tenant": "B"}),
     ("RETURN 1 AS x", {"__tenant": "B", "tenant_id": {"tenant_id": 1}})],
)  # fmt: skip
def test_no_parameter_stands_for_a_word_or_for_the_gates_own(text: str, parameters: dict[str, Any]) -> None:
    refused(text, parameters)


@pytest.mark.requirement("security:86")
def test_a_reserved_name_is_never_the_callers() -> None:
    draft = check.new_draft("RETURN 1 AS x", {"__tenant": "B"}, A, DEFAULTS, "opencypher", None, None)

    assert refused("MATCH (n) RETURN n", {"__tenant": "B"}).layer == "tenant"
    assert check.used_parameters(draft, [tree.Param("__tenant")]) == {"__tenant": A}  # even if it came so far


@pytest.mark.requirement("security:88")
@pytest.mark.parametrize(
    "text",
    ["MATCH (a),(b),(c),(d) RETURN a, b, c, d", "MATCH (a)-[*1..100]->(b) RETURN b",
     "UNWIND range(1, 1000000000) AS x RETURN x",
     "UNWIND range(1, 1e9) AS x RETURN x", "MATCH p = allShortestPaths((a)-[*..50]-(b)) RETURN p",
     "MATCH (n) WHERE n.name =~ '(a+)+$' RETURN n", "RETURN '" + "x" * 10_000_000 + "' AS x",
     "RETURN reduce(s = 'x', i IN range(1, 100) | s + s) AS x",
     "MATCH (n) WITH collect(n) AS l UNWIND l AS a UNWIND l AS b UNWIND l AS c UNWIND l AS d RETURN count(*) AS x"],
)  # fmt: skip
def test_a_query_that_would_exhaust_the_server_is_refused(text: str) -> None:
    began = time.thread_time()

    assert refused(text).layer in ("syntax", "depth")
    assert time.thread_time() - began < 10


@pytest.mark.requirement("security:88")
def test_paths_rows_and_time_without_bound_get_one() -> None:
    passed = inspect("MATCH (a:User)-[*]->(b) RETURN b", {}, tenant_id=A, rows=10**9, timeout_s=10**6)

    assert "[*..5 " in passed.text
    assert passed.text.endswith(" LIMIT 1000")
    assert (passed.row_limit, passed.timeout_s) == (1000, 5.0)


@pytest.mark.requirement("security:89")
@pytest.mark.parametrize(
    "text",
    ["MATCH (f:File) WHERE 10 / f.size > 3 RETURN f.uid AS x", "MATCH (f:File) WHERE f.size * 2 > 3 RETURN f.uid AS x",
     "MATCH (t:Task)-->(f:File) WHERE 10 / f.size > 3 RETURN f.uid AS x",
     "MATCH (f) WHERE f.size[0] = 1 RETURN f.uid AS x",
     "MATCH (u:User) OPTIONAL MATCH (u)-->(t) WHERE 10 / t.duration_s > 3 RETURN u.uid AS x, t.uid AS y",
     "MATCH (u:User) RETURN [(u)-->(t) WHERE 10 / t.duration_s > 3 | t.uid] AS x",
     "MATCH (u:User) WHERE EXISTS { MATCH (u)-->(t:Task) WHERE 10 / t.duration_s > 3 } RETURN u.uid AS x",
     "MATCH p = (u:User)-[*..2]->(f) WHERE all(x IN nodes(p) WHERE 10 / coalesce(x.size, 1) > 0) RETURN f.uid AS x",
     "MATCH (u:User)-[r:WORKS_AT]->(i) WHERE 10 / r.since >= 0 RETURN i.uid AS x",
     "MATCH (f:File) WHERE f.uid STARTS WITH 'b' AND 1 / 0 = 1 RETURN f.uid AS x",
     "MATCH (f:File {uid: 'b-4'}) WHERE 10 / f.size > 3 RETURN f.uid AS x",
     "MATCH (t:Tool) WHERE 10 / t.size > 3 RETURN t.uid AS x",
     "MATCH (f:File {uid: 'b-4'}) WITH f WHERE 10 / f.size > 3 RETURN f.uid AS x",
     "MATCH (f:File) WHERE f.uid = 'b-4' WITH f ORDER BY 10 / f.size RETURN f.uid AS x",
     "MATCH (f:File {uid: 'b-4'}) UNWIND range(0, size(f.uid) - 1) AS i RETURN 10 / f.size AS x",
     "MATCH (f:File {uid: 'b-4'}) CALL { WITH f RETURN 10 / f.size AS y } RETURN y",
     "MATCH (f:File {uid: 'b-4'}) RETURN sum(10 / f.size) AS x",
     "MATCH (f:File {uid: 'b-4'})--(t) WHERE (10 / f.size > 3 OR t.uid = 'x') XOR true RETURN t.uid AS x",
     "MATCH (a:User {uid: 'a-0'}) OPTIONAL MATCH (f:File {uid: 'b-4'}) WHERE 10 / f.size > 3 RETURN f",
     "MATCH (a:User) MATCH (f:File {uid: 'b-4'}) WHERE EXISTS { MATCH (a)-->(t) WHERE 10 / f.size > 0 } RETURN a",
     "MATCH (f:File {uid: 'b-4'}) WHERE any(x IN [10 / f.size] WHERE x > 1) RETURN f",
     "MATCH (f:File {uid: 'b-4'}) WHERE size([(f)--(t) WHERE 10 / f.size > 1 | t]) > 0 RETURN f",
     "MATCH (f:File {uid: 'b-4'}) WHERE size([(f)--(t) | 10 / f.size]) > 0 RETURN f",
     "MATCH (f:File {uid: 'b-4'}) WHERE f.size IN f.uid RETURN f",
     "MATCH (f:File) WHERE f.uid = 'b-1' AND toLower(f.size) = 'x' RETURN f.uid AS x"],
)  # fmt: skip
def test_no_error_tells_of_another_tenants_data(graphs: Any, text: str) -> None:
    passed = inspect(text, {}, tenant_id=A)

    alone, among = (answer(session, passed.text, dict(passed.parameters)) for session in graphs)

    assert alone == among


@pytest.mark.requirement("security:89")
@pytest.mark.parametrize("word", ["EXPLAIN", "PROFILE"])
def test_explain_and_profile_are_never_sent_as_part_of_a_text(word: str) -> None:
    passed = inspect(f"{word} MATCH (n:User) RETURN n", {}, tenant_id=A)

    assert (passed.mode, passed.text.split()[0]) == (word.lower(), "MATCH")


@pytest.mark.requirement("security:91")
def test_nothing_about_a_verdict_can_be_changed_after_it() -> None:
    passed = inspect("MATCH (n:User {user_name: $x}) RETURN n", {"x": "a"}, tenant_id=A)

    with pytest.raises(AttributeError):
        passed.text = "MATCH (n) RETURN n"  # type: ignore[misc]
    with pytest.raises(TypeError):
        passed.parameters["x"] = "b"  # type: ignore[index]
    again = inspect("match (n:User {user_name: $x}) return n", {"x": "a"}, tenant_id=A)
    assert again.sha256 == passed.sha256
    assert parse(passed.text) == parse(again.text)


@pytest.mark.requirement("security:94")
@pytest.mark.parametrize("where", ["n.uid = 'x' OR true", "true OR n.uid = 'x'", "NOT (n.uid = 'x' AND false)",
                                   "n.uid = 'x' XOR true", "n.uid = 'x' OR true // AND n.uid = 'y'\n"])  # fmt: skip
def test_no_condition_reaches_around_the_tenant(graphs: Any, where: str) -> None:
    passed = inspect(f"MATCH (n:User) WHERE {where} RETURN n.uid AS x", {}, tenant_id=A)

    kind, rows = answer(graphs[1], passed.text, dict(passed.parameters))

    assert kind == "rows"
    assert {uid for (uid,) in rows} == {"a-0", "a-3", "a-6", "a-9"}


@pytest.mark.requirement("security:95")
@pytest.mark.requirement("security:96")
@pytest.mark.parametrize(
    "text",
    ["MATCH (u:User) OPTIONAL MATCH (u)-->(t) RETURN t.uid AS x",
     "MATCH (u:User) UNWIND [(u)--(t) | t.uid] AS x RETURN x",
     "MATCH (n) WHERE EXISTS { (n)--({uid: 'b-2'}) } RETURN n.uid AS x",
     "MATCH (n) WHERE exists((n)--({uid: 'n-2'})) RETURN n.uid AS x",
     "MATCH p = shortestPath((a:User)-[*..3]-(b:File)) UNWIND nodes(p) AS n RETURN n.uid AS x",
     "MATCH (u:User) UNWIND [y IN [(u)--(t) | t] | y.uid] AS x RETURN x",
     "MATCH (u:User) RETURN u.uid AS x UNION MATCH (t:Task) RETURN t.uid AS x",
     "MATCH (u:User) CALL { WITH u MATCH (u)--(t) RETURN t } RETURN t.uid AS x",
     "MATCH (u:User) WITH u AS v MATCH (v)--(t) RETURN t.uid AS x",
     "MATCH ()-[r]-() UNWIND [startNode(r).uid, endNode(r).uid] AS x RETURN x",
     "MATCH p = ()-[*..2]-() UNWIND nodes(p) AS n RETURN n.uid AS x",
     "MATCH p = (:User)-[*0..2]-() UNWIND nodes(p) AS n RETURN n.uid AS x",
     "MATCH (:User)-[r*..2]-() UNWIND r AS s UNWIND [startNode(s).uid, endNode(s).uid] AS x RETURN x"],
)  # fmt: skip
def test_every_way_to_a_node_leads_to_ones_own(graphs: Any, text: str) -> None:
    passed = inspect(text, {}, tenant_id=A)

    kind, rows = answer(graphs[1], passed.text, dict(passed.parameters))

    assert kind == "rows"
    assert all(uid is None or uid.startswith("a-") for (uid,) in rows)


@pytest.mark.requirement("security:96")
@pytest.mark.parametrize("where", ["id(n) = 17", "id(n) IN range(0, 1000000)", "elementId(n) = '#1:0'"])
def test_nodes_are_not_found_by_the_servers_own_numbers(where: str) -> None:
    assert refused(f"MATCH (n) WHERE {where} RETURN n").layer == "read-only"


@pytest.mark.requirement("security:97")
@pytest.mark.parametrize(
    "text",
    ["MATCH (n:User) SET n.tenant_id = 'B'", "CREATE (n:User {tenant_id: 'B'})", "MATCH (n:User) SET n += $map",
     "MATCH (n:User) SET n += {tenant_id: 'B'}", "MERGE (n:User {tenant_id: 'B'})", "MATCH (n:User) REMOVE n.tenant_id",
     "MATCH (n:User) CREATE (n)-[:RUNS {tenant_id: 'B'}]->(t:Task)", "MATCH (n:User) SET n.uid = 'x'"],
)  # fmt: skip
def test_no_change_gives_a_thing_to_another_tenant(text: str) -> None:
    with pytest.raises(GateRefusal) as error:
        inspect_change(text, {"map": {"tenant_id": "B"}}, tenant_id=A)

    assert error.value.layer == "tenant"


@pytest.mark.requirement("security:97")
def test_what_a_change_makes_is_ones_own_and_no_edge_leads_to_another(graphs: Any) -> None:
    among = graphs[1]
    made = inspect_change(
        "UNWIND [1, 2] AS i CREATE (:File {file_id: toString(i), user_filename: 'made', size: i, extension: 'fa', "
        "bucket_name: 'b'})-[:INPUT]->(:Task {task_id: toString(i), status: 'queued'})",
        {},
        tenant_id=A,
    )
    joined = inspect_change(
        "MATCH (a:User {user_id: 'u0'}), (b:Task {uid: 'b-2'}) CREATE (a)-[:RUNS]->(b)", {}, tenant_id=A
    )

    with among.begin_transaction() as transaction:
        transaction.run(made.text, dict(made.parameters)).consume()
        found = transaction.run(
            "MATCH (f:File {user_filename: 'made'})-[r]->(t) RETURN f.tenant_id, r.tenant_id, t.tenant_id, f.uid"
        ).values()
        edges = transaction.run(joined.text, dict(joined.parameters)).consume().counters.relationships_created
        transaction.rollback()

    assert [row[:3] for row in found] == [[A, A, A], [A, A, A]]
    assert len({row[3] for row in found}) == 2
    assert edges == 0


@pytest.mark.requirement("security:100")
def test_a_tenant_that_is_almost_ones_own_is_another(graphs: Any) -> None:
    passed = inspect("MATCH (n) RETURN n", {}, tenant_id=A)

    kind, rows = answer(graphs[1], passed.text, dict(passed.parameters))

    assert (kind, len(rows)) == ("rows", 15)
    assert not any(belongs({"tenant_id": other}, A) for other in ALMOST_A)
