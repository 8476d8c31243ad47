"""Layer 3: one test for each place where a pattern can stand (security 94 to 96)."""

import pytest

from apps.graph.cypher import tree
from apps.graph.cypher.parser import parse
from apps.graph.cypher.walk import transform, walk
from apps.graph.gate import tenant
from apps.graph.gate.check import inspect
from apps.graph.gate.guards import OWN
from apps.graph.gate.verdict import GateRefusal
from apps.graph.schema import TENANT

T = "tenant_id: $__tenant"
ALL = "all(__each IN nodes({}) WHERE __each.tenant_id = $__tenant)"


def rewritten(text: str, **parameters: object) -> str:
    """The text that runs, without the LIMIT that the last layer adds."""
    return inspect(text, {"x": "given", **parameters}, tenant_id="A").text.removesuffix(" LIMIT 1000")


def refused(text: str, **parameters: object) -> GateRefusal:
    with pytest.raises(GateRefusal) as error:
        inspect(text, parameters, tenant_id="A")
    return error.value


@pytest.mark.requirement("gate:positions")
def test_match_binds_named_and_nameless_nodes_and_relationships() -> None:
    assert rewritten("MATCH (u:User)-[r:RUNS]->()<--(f:File {extension: 'fa'}) RETURN u") == (
        f"MATCH (u:User {{{T}}})-[r:RUNS {{{T}}}]->({{{T}}})<-[{{{T}}}]-(f:File {{{T}, extension: 'fa'}}) RETURN u"
    )


@pytest.mark.requirement("gate:positions")
def test_patterns_beside_each_other_are_bound() -> None:
    assert rewritten("MATCH (a:User), (b:Tool) RETURN a, b") == f"MATCH (a:User {{{T}}}), (b:Tool {{{T}}}) RETURN a, b"


@pytest.mark.requirement("gate:positions")
def test_optional_match_is_bound() -> None:
    assert rewritten("MATCH (u:User) OPTIONAL MATCH (u)-[:RUNS]->(t) RETURN u, t").endswith(
        f"OPTIONAL MATCH (u {{{T}}})-[:RUNS {{{T}}}]->(t {{{T}}}) RETURN u, t"
    )


@pytest.mark.requirement("gate:positions")
def test_a_name_that_is_bound_again_is_bound_to_the_tenant_again() -> None:
    assert f"WITH u AS v MATCH (v {{{T}}})-[" in rewritten("MATCH (u:User) WITH u AS v MATCH (v)-->(t) RETURN t")


@pytest.mark.requirement("gate:positions")
def test_a_pattern_as_a_truth_is_bound() -> None:
    assert rewritten("MATCH (u:User) WHERE NOT (u)-[:RUNS]->(:Task) RETURN u") == (
        f"MATCH (u:User {{{T}}}) WHERE CASE WHEN u.tenant_id = $__tenant THEN "
        f"NOT EXISTS {{ MATCH (u {{{T}}})-[:RUNS {{{T}}}]->(:Task {{{T}}}) }} ELSE false END = true RETURN u"
    )


@pytest.mark.requirement("gate:positions")
def test_exists_of_a_pattern_is_bound() -> None:
    assert f"EXISTS {{ MATCH (u {{{T}}})-[{{{T}}}]-({{{T}}}) }}" in rewritten(
        "MATCH (u:User) WHERE exists((u)--()) RETURN u"
    )


@pytest.mark.requirement("gate:positions")
def test_exists_with_a_query_inside_is_bound_at_any_depth() -> None:
    text = rewritten("MATCH (u) WHERE EXISTS { MATCH (u)-->(t) WHERE EXISTS { (t)-->(:File) } } RETURN u")

    assert (
        f"EXISTS {{ MATCH (u {{{T}}})-[__part1 {{{T}}}]->(t {{{T}}}) WHERE CASE WHEN u.tenant_id = $__tenant "
        "AND t.tenant_id = $__tenant AND __part1.tenant_id = $__tenant THEN EXISTS {" in text
    )
    assert f"MATCH (t {{{T}}})-[{{{T}}}]->(:File {{{T}}})" in text


@pytest.mark.requirement("gate:positions")
def test_a_pattern_comprehension_is_bound() -> None:
    assert f"[(u {{{T}}})-[:RUNS {{{T}}}]->(t {{{T}}}) WHERE t.status = 'failed' | t.task_id]" in rewritten(
        "MATCH (u:User) RETURN [(u)-[:RUNS]->(t) WHERE t.status = 'failed' | t.task_id] AS ids"
    )


@pytest.mark.requirement("gate:positions")
def test_a_list_comprehension_over_a_pattern_is_bound() -> None:
    assert f"[x IN [(u {{{T}}})-[{{{T}}}]->(t {{{T}}}) | t] WHERE x.uid = 'a']" in rewritten(
        "MATCH (u:User) RETURN [x IN [(u)-->(t) | t] WHERE x.uid = 'a'] AS found"
    )


@pytest.mark.requirement("gate:positions")
def test_every_branch_of_a_union_is_bound() -> None:
    text = rewritten(
        "MATCH (a:User) RETURN a.uid AS x UNION MATCH (b:Tool) RETURN b.uid AS x UNION MATCH (c) RETURN c.uid AS x"
    )

    assert text.count(T) == 3


@pytest.mark.requirement("gate:positions")
def test_a_subquery_is_bound() -> None:
    assert f"CALL {{ WITH u MATCH (u {{{T}}})-[{{{T}}}]->(t {{{T}}}) RETURN count(t) AS c }}" in rewritten(
        "MATCH (u:User) CALL { WITH u MATCH (u)-->(t) RETURN count(t) AS c } RETURN u, c"
    )


@pytest.mark.requirement("gate:positions")
@pytest.mark.parametrize(
    "expression",
    ["CASE WHEN (u)-->() THEN 1 ELSE 2 END", "size([(u)-->(t) | t])", "[x IN [1] WHERE (u)-->(:Task)]",
     "any(x IN [(u)-->(t) | t] WHERE x.uid = 'a')", "reduce(s = 0, x IN [(u)-->(t) | 1] | s + x)",
     "{inside: [(u)-->(t) | t.uid]}", "u {.uid, tasks: [(u)-->(t) | t.uid]}", "[(u)-->(t) | [(t)-->(f) | f.uid]]"],
)  # fmt: skip
def test_patterns_inside_expressions_are_bound(expression: str) -> None:
    text = inspect(f"MATCH (u:User) RETURN {expression} AS x ORDER BY size([(u)-->(t) | t])", {}, tenant_id="A").text

    patterns = [part for part in walk(parse(text)) if isinstance(part, tree.Node | tree.Rel)]
    assert len(patterns) >= 7
    assert all(part.properties and part.properties.entries[0] == (TENANT, OWN) for part in patterns)


@pytest.mark.requirement("gate:positions")
@pytest.mark.parametrize("where", ["n.name = 'x' OR true", "true OR n.name = 'x'", "NOT n.name = 'x'",
                                   "n.name = 'x' XOR true", "n.name = 'x' // AND false"])  # fmt: skip
def test_no_precedence_reaches_around_the_tenant(where: str) -> None:
    assert rewritten(f"MATCH (n:Tool) WHERE {where}\nRETURN n").startswith(f"MATCH (n:Tool {{{T}}}) WHERE ")


@pytest.mark.requirement("gate:interiors")
def test_a_path_of_several_hops_is_named_and_its_inside_checked_first() -> None:
    assert rewritten("MATCH (a:User)-[*1..3]->(b) WHERE b.uid = 'x' RETURN b") == (
        f"MATCH __path1 = (a:User {{{T}}})-[*1..3 {{{T}}}]->(b {{{T}}}) "
        f"WHERE {ALL.format('__path1')} AND b.uid = 'x' RETURN b"
    )


@pytest.mark.requirement("gate:interiors")
@pytest.mark.parametrize(
    "text",
    ["MATCH p = (a)-[*..2]->(b) RETURN p", "MATCH (a) OPTIONAL MATCH (a)-[r*..2]->(b) RETURN r",
     "MATCH (a) WHERE (a)-[*..2]->() RETURN a", "MATCH (a) WHERE EXISTS { (a)-[*..2]->() } RETURN a",
     "MATCH (a) CALL { WITH a MATCH (a)-[*..2]->(b) RETURN b } RETURN b",
     "MATCH (a)-->(b)-[*..2]->(c)-[*..2]->(d) RETURN d"],
)  # fmt: skip
def test_the_inside_of_a_path_is_checked_wherever_it_stands(text: str) -> None:
    assert "WHERE __each.tenant_id = $__tenant)" in rewritten(text)


@pytest.mark.requirement("gate:interiors")
def test_the_inside_of_a_path_in_brackets_is_checked_step_by_step() -> None:
    assert (
        "WHERE all(__step IN __step1 WHERE startNode(__step).tenant_id = $__tenant "
        "AND endNode(__step).tenant_id = $__tenant) | b.uid]"
    ) in rewritten("MATCH (a) RETURN [(a)-[*..2]->(b) | b.uid] AS x")


@pytest.mark.requirement("gate:interiors")
def test_start_and_end_of_a_relationship_are_nodes_that_the_pattern_bound() -> None:
    text = rewritten("MATCH ()-[r:RUNS]->() RETURN startNode(r) AS a, endNode(r) AS b")

    assert text.startswith(f"MATCH ({{{T}}})-[r:RUNS {{{T}}}]->({{{T}}}) RETURN startNode(r)")


@pytest.mark.requirement("gate:shortest")
def test_a_shortest_path_is_looked_for_inside_the_tenant() -> None:
    text = (
        "MATCH p = shortestPath((a:User {user_id: '1'})-[:RUNS*..4]-(b:File)) "
        "WHERE b.file_id = '2' AND length(p) > 1 RETURN p"
    )

    assert rewritten(text) == (
        f"MATCH (a:User {{{T}, user_id: '1'}}), (b:File {{{T}}}) WHERE b.file_id = '2' "
        f"CALL {{ WITH a, b MATCH p = (a {{{T}}})-[:RUNS*..4 {{{T}}}]-(b {{{T}}}) WHERE {ALL.format('p')} "
        f"AND CASE WHEN {ALL.format('p')} AND all(__each IN relationships(p) WHERE __each.tenant_id = $__tenant) "
        "THEN length(p) > 1 ELSE false END = true RETURN p AS p ORDER BY length(p) LIMIT 1 } RETURN p"
    )


@pytest.mark.requirement("gate:shortest")
def test_all_shortest_paths_keep_those_of_the_least_length() -> None:
    text = rewritten(
        "MATCH (a:User {uid: 'a'}), (b:File {uid: 'b'}) MATCH p = allShortestPaths((a)-[r*..3]-(b)) RETURN p, r"
    )

    assert "WITH collect(p) AS __all1, min(length(p)) AS __least1 UNWIND __all1 AS p" in text
    assert "WHERE length(p) = __least1 RETURN p AS p, relationships(p) AS r }" in text


@pytest.mark.requirement("gate:shortest")
def test_an_optional_shortest_path_needs_both_ends() -> None:
    known = "MATCH (a:User {uid: 'a'}), (b:File {uid: 'b'}) OPTIONAL MATCH p = shortestPath((a)-[*..3]-(b)) RETURN p"

    assert "CALL { WITH a, b OPTIONAL MATCH p = (a" in rewritten(known)
    assert (
        "both ends" in refused("MATCH (a:User) OPTIONAL MATCH p = shortestPath((a)-[*..3]-(b:File)) RETURN p").message
    )


@pytest.mark.requirement("gate:shortest")
@pytest.mark.parametrize(
    "text",
    ["MATCH (a) RETURN [p = shortestPath((a)-[*..2]-(b:User)) | p] AS x",
     "MATCH (a) WHERE EXISTS { MATCH p = shortestPath((a)-[*..2]-(b:User)) } RETURN a",
     "MATCH p = shortestPath((a:User)-[*..2]-(b)), q = shortestPath((a)-[*..2]-(c)) RETURN p",
     "MATCH p = shortestPath((a:User)-[*..2]-(b:User)), (a)-[*..2]-(c) RETURN p"],
)  # fmt: skip
def test_a_shortest_path_where_it_cannot_be_rewritten_is_refused_with_an_alternative(text: str) -> None:
    error = refused(text)

    assert error.layer in ("tenant", "syntax")
    assert error.hint or error.position


@pytest.mark.requirement("gate:guards")
def test_what_cannot_fail_stands_alone_and_what_can_fail_behind_the_tenant() -> None:
    assert rewritten("MATCH (f:File) WHERE 10 / f.size > 1 AND f.extension IN ['fa'] RETURN f") == (
        f"MATCH (f:File {{{T}}}) WHERE f.extension IN ['fa'] "
        "AND CASE WHEN f.tenant_id = $__tenant THEN 10 / f.size > 1 ELSE false END = true RETURN f"
    )


@pytest.mark.requirement("gate:guards")
@pytest.mark.parametrize(
    "risky",
    ["10 / f.size > 1", "f.size + 1 > 2", "toLower(f.extension) = 'fa'", "f.extension =~ 'f.*'", "f.size IN f.uid",
     "f.uid[0] = 'a'", "f.size", "1 IN [f.size / 0]", "NOT 10 / f.size > 1", "f.uid = 'x' OR 10 / f.size > 1",
     "any(x IN f.uid WHERE x = 1)", "size([(f)-->() | 1]) / f.size > 0",
     "CASE WHEN f.size THEN true ELSE false END",
     "f.uid IN $x", "f.uid = 'x' XOR f.size ^ 2 = 4", "substring(f.uid, f.size) = ''"],
)  # fmt: skip
def test_whatever_can_fail_is_guarded(risky: str) -> None:
    assert "CASE WHEN f.tenant_id = $__tenant THEN" in rewritten(f"MATCH (f:File) WHERE {risky} RETURN f")


@pytest.mark.requirement("gate:guards")
def test_a_guard_covers_relationships_paths_and_names_from_outside() -> None:
    relationship = rewritten("MATCH (a)-[r]->(b) WHERE 10 / r.since > 1 RETURN a")
    path = rewritten("MATCH p = (a)-->(b) WHERE reduce(s = 0, x IN nodes(p) | s + x.size) > 1 RETURN a")
    outside = rewritten("MATCH (a:File) WHERE EXISTS { MATCH (b:File) WHERE a.size / b.size > 1 } RETURN a")

    assert "AND r.tenant_id = $__tenant THEN 10 / r.since > 1" in relationship
    assert f"CASE WHEN {ALL.format('p')} AND all(__each IN relationships(p)" in path
    assert "CASE WHEN b.tenant_id = $__tenant AND (a IS NULL OR a.tenant_id = $__tenant) THEN" in outside


@pytest.mark.requirement("gate:guards")
@pytest.mark.parametrize(
    "text",
    ["MATCH (t:Task) MATCH (:Protein)-->(f:File) WHERE 10 / t.size > 1 AND f.uid = 'f' RETURN t",
     "MATCH (t:Task), (:Protein)-->(f:File) WHERE f.size / 2 > 1 RETURN t",
     "MATCH (t:Task) WHERE EXISTS { MATCH (:Protein)-->(f:File) WHERE 1 / f.size > 1 } RETURN t",
     "MATCH (t:Task) RETURN [(:Protein)-->(f:File) WHERE 1 / t.size > 1 | f.uid] AS x",
     "MATCH (t:Task) OPTIONAL MATCH (:Protein)-->(f:File) WHERE 10 / t.size > 1 RETURN t"],
)  # fmt: skip
def test_a_guard_covers_what_the_condition_does_not_name_and_what_has_no_name(text: str) -> None:
    parts = (
        "(__part1:Protein {",
        "-[__part2 {",
        "__part1.tenant_id = $__tenant AND f.tenant_id = $__tenant AND __part2.",
    )

    printed = rewritten(text)

    assert [part for part in parts if part not in printed] == []


@pytest.mark.requirement("gate:guards")
def test_a_guard_in_brackets_covers_the_inside_of_a_path() -> None:
    steps = "all(__each IN __step1 WHERE __each.tenant_id = $__tenant AND startNode(__each).tenant_id = $__tenant"

    printed = rewritten("MATCH (a:File) RETURN [(a)-[*1..2]->(b) WHERE 10 / b.size > 1 | b.uid] AS x")

    assert f"CASE WHEN a.tenant_id = $__tenant AND b.tenant_id = $__tenant AND {steps}" in printed


@pytest.mark.requirement("gate:guards")
@pytest.mark.parametrize(
    "text",
    ["MATCH (f:File {size: 10 / 0}) RETURN f",
     "WITH 'x' AS z MATCH (p:Protein {name: z.uid}) RETURN p",
     "UNWIND [1, 2] AS z MATCH (p:Protein {name: z.uid}) RETURN p",
     "UNWIND $mixed AS z MATCH (p:Protein {name: z.uid}) RETURN p",
     "MATCH q = (a:File)-->(b) MATCH (p:Protein {name: q.uid}) RETURN p",
     "MATCH (a:File) WITH a.name AS z WITH z AS y WHERE EXISTS { (p:Protein {name: y.uid}) } RETURN y"],
)  # fmt: skip
def test_a_value_in_a_pattern_that_can_fail_is_refused_with_an_alternative(text: str) -> None:
    error = refused(text, mixed=[{"uid": "a"}, "b"])

    assert (error.layer, "WITH" in error.hint) == ("tenant", True)


@pytest.mark.requirement("gate:guards")
@pytest.mark.parametrize(
    "text",
    ["UNWIND $rows AS row MATCH (p:Protein {name: row.name}) WHERE p.uid = row.uid RETURN p",
     "UNWIND [{name: 'a', uid: 'b'}] AS row MATCH (p:Protein {name: row.name}) WHERE p.uid = row.uid RETURN p",
     "MATCH (a:File) WITH a AS row MATCH (p:Protein {name: row.name}) WHERE p.uid = row.uid RETURN p",
     "MATCH w = ()-->() UNWIND nodes(w) AS row MATCH (p:Protein {name: row.name}) WHERE p.uid = row.uid RETURN p"],
)  # fmt: skip
def test_a_property_of_a_node_or_a_map_is_read_where_it_stands(text: str) -> None:
    printed = rewritten(text, rows=[{"name": "a", "uid": "b"}, None])

    assert f"{{{T}, name: row.name}}) WHERE p.uid = row.uid RETURN" in printed


@pytest.mark.requirement("gate:guards")
def test_a_name_with_two_meanings_is_refused_where_the_difference_matters() -> None:
    text = "MATCH (t:Task) WITH t.status AS t MATCH (u:User) WHERE toLower(t) = u.uid RETURN u"

    assert "stands for two things" in refused(text).message


@pytest.mark.requirement("gate:proof")
@pytest.mark.parametrize("kind", [tree.Node, tree.Rel])
def test_a_tree_with_one_pattern_that_is_not_bound_stops_everything(kind: type) -> None:
    query = parse(rewritten("MATCH (a)-[r]->(b) RETURN a")).query
    assert tenant.prove(walk(query)) == 3

    loose = transform(query, lambda part: kind(*_without_properties(part)) if isinstance(part, kind) else part)

    with pytest.raises(AssertionError, match="not bound"):
        tenant.prove(walk(loose))


@pytest.mark.requirement("gate:proof")
def test_a_path_whose_inside_is_checked_by_its_author_alone_stops_everything() -> None:
    text = "MATCH p = (a {tenant_id: $__tenant})-[*..2 {tenant_id: $__tenant}]->(b {tenant_id: $__tenant}) {} RETURN p"
    query = parse(text.replace("{} RETURN", "WHERE all(x IN nodes(p) WHERE true) RETURN")).query

    with pytest.raises(AssertionError, match="inside of a path"):
        tenant.prove(walk(query))


def _without_properties(part: tree.Node | tree.Rel) -> tuple[object, ...]:
    if isinstance(part, tree.Node):
        return (part.variable, part.labels, part.any_label, None)
    return (part.direction, part.variable, part.types, part.hops, None)
