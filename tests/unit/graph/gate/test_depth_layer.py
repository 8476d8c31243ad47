"""Layer 4: hops, work, sizes, regular expressions."""

import re
import time
from contextlib import suppress

import pytest

from apps.graph.gate import regexes
from apps.graph.gate.check import inspect
from apps.graph.gate.verdict import GateRefusal


def refusal(query: str, **parameters: object) -> GateRefusal:
    with pytest.raises(GateRefusal) as refused:
        inspect(query, parameters, tenant_id="A")
    assert refused.value.layer == "depth", refused.value.detail
    return refused.value


@pytest.mark.requirement("gate:hops")
@pytest.mark.parametrize(("written", "printed"), [("*", "*..5"), ("*2..", "*2..5"), ("*..3", "*..3"), ("*2", "*2")])
def test_a_path_without_bound_gets_one(written: str, printed: str) -> None:
    assert f"-[{printed} {{" in inspect(f"MATCH (a:User)-[{written}]->(b) RETURN b", {}, tenant_id="A").text


@pytest.mark.requirement("gate:hops")
@pytest.mark.parametrize("hops", ["*6", "*..6", "*1..100", "*6..", "*3..2"])
@pytest.mark.parametrize(
    "place",
    [
        "MATCH (a:User)-[{}]->(b) RETURN b",
        "MATCH (a) WHERE (a)-[{}]->() RETURN a",
        "MATCH (a) RETURN [(a)-[{}]->(b) | b] AS x",
        "MATCH p = shortestPath((a:User {{uid: 'a'}})-[{}]-(b:File {{uid: 'b'}})) RETURN p",
    ],
)
def test_a_path_beyond_five_hops_is_refused_wherever_it_stands(hops: str, place: str) -> None:
    assert "hops" in refusal(place.format(hops)).message


@pytest.mark.requirement("gate:work")
@pytest.mark.parametrize(
    "text",
    [
        "MATCH (a), (b), (c), (d) RETURN count(*) AS c",
        "MATCH (a:User) MATCH (b:User) MATCH (c:User) RETURN count(*) AS c",
        "MATCH (a:User) OPTIONAL MATCH (b:User) OPTIONAL MATCH (c:User) RETURN count(*) AS c",
        "MATCH (a:User), (b:Task) CALL { MATCH (c:File) RETURN c } RETURN count(*) AS c",
        "MATCH (a:User), (b:Task) WHERE EXISTS { MATCH (c:File) WHERE c.size / 2 = 1 } RETURN count(*) AS c",
        "MATCH (a:User), (b:Task) RETURN size([(c:File)-->(d) | c]) AS c",
        "MATCH (a)-[*]-(b)-[*]-(c)-[*]-(d) RETURN count(*) AS c",
        "UNWIND range(1, 10000) AS a UNWIND range(1, 10000) AS b UNWIND range(1, 10000) AS c RETURN count(*) AS c",
        "MATCH (a:User) WITH collect(a) AS l UNWIND l AS x UNWIND l AS y UNWIND l AS z RETURN count(*) AS c",
        "MATCH p = shortestPath((a:User)-[*]-(b:User)) RETURN p",
    ],
)
def test_a_query_that_may_touch_too_much_is_refused(text: str) -> None:
    assert "rows" in refusal(text).message


@pytest.mark.requirement("gate:work")
@pytest.mark.parametrize(
    "text",
    [
        "MATCH (a:User)-[:RUNS]->(t)-[:OUTPUT]->(f)-[:INPUT]->(s)-[:OUTPUT]->(g) RETURN count(*) AS c",
        "MATCH (a:User {user_id: '1'}), (b:File {file_id: '2'}), (c:Task {task_id: '3'}) RETURN a, b, c",
        "MATCH (a:User), (i:Institution) RETURN count(*) AS c",
        "MATCH (a:User)-[*]-(b) RETURN count(b) AS c",
        "MATCH (a:User) WITH count(a) AS x MATCH (b:Task) WITH x, count(b) AS y MATCH (c:File) RETURN x, y",
        "MATCH p = shortestPath((a:User {user_id: '1'})-[*]-(b:User {user_id: '2'})) RETURN p",
        "UNWIND range(1, 100) AS a UNWIND range(1, 100) AS b RETURN count(*) AS c",
        "MATCH (a:User) WITH collect(a.user_name) AS l RETURN [x IN range(0, size(l) - 1) | l[toInteger(x)]] AS x",
    ],
)
def test_what_people_ask_is_not_too_much(text: str) -> None:
    assert inspect(text, {}, tenant_id="A")


@pytest.mark.requirement("gate:work")
@pytest.mark.parametrize(
    "expression",
    ["range(1, 1000000000)", "range(1, 1e9)", "range(1, $big)", "range(1, $text)", "range(0, 10, 0)", "range(1, 2 * 3)",
     "range(10000000, 1, -1)", "range(1, toInteger('999999999'))", "range(-5000, 5001)", "range($missing, 2)"],
)  # fmt: skip
def test_a_range_is_short_and_its_length_can_be_told(expression: str) -> None:
    assert "range" in refusal(f"UNWIND {expression} AS x RETURN x", big=10**9, text="9", missing=None).message


@pytest.mark.requirement("gate:work")
@pytest.mark.parametrize(
    "text",
    [
        "RETURN reduce(s = 'x', i IN range(1, 40) | s + s) AS x",
        "RETURN reduce(s = [1], i IN range(1, 40) | s + [1] + s) AS x",
        "RETURN reduce(s = 'aa', i IN range(1, 40) | replace(s, 'a', s)) AS x",
        "WITH 'x' AS s " + "WITH s + s AS s " * 30 + "RETURN s",
        "WITH ['x'] AS s " + "WITH [x IN s | x + x] AS s " * 30 + "RETURN s",
        "RETURN replace($long, 'a', $long) AS x",
        "WITH 'aaaa' AS s "
        + "CALL { WITH s RETURN s + s + s + s AS t UNION WITH s RETURN '' AS t } WITH t AS s " * 20
        + "RETURN size(s) AS n",
    ],
)
def test_a_value_that_may_grow_without_end_is_refused(text: str) -> None:
    assert "grow" in refusal(text, long="a" * 10_000).message


@pytest.mark.requirement("gate:work")
@pytest.mark.parametrize(
    "text",
    [
        "RETURN [x IN range(1, 10000) | [y IN range(1, 10000) | x]] AS x",
        "MATCH (a:User) WITH collect(a) AS l RETURN [x IN l | [y IN l | [z IN l | 1]]] AS x",
        "RETURN size([a IN range(1, 400) | size([b IN range(1, 400) | size([c IN range(1, 400) | c])])]) AS x",
        "RETURN reduce(s = 0, x IN range(1, 9000) | s + size([y IN range(1, 9000) | y])) AS x",
        "MATCH (u:User {user_id: '1'}) RETURN size([(u)-[*..5]-()-[*..5]-(x) | x]) AS x",
        "RETURN any(x IN range(1, 9000) WHERE all(y IN range(1, 9000) WHERE x <> y)) AS x",
        "RETURN " + " + ".join(["size([x IN range(1, 999) WHERE size([y IN range(1, 999) | y]) = 1])"] * 9) + " AS x",
    ],
)
def test_lists_inside_lists_which_no_server_stops_are_refused(text: str) -> None:
    assert "for one row" in refusal(text).message


@pytest.mark.requirement("gate:work")
@pytest.mark.parametrize(
    "step", ["-x IN $thousands", "toUpper($long) = 'A'", "$long CONTAINS 'b'", "size($long + x) = 1"]
)
def test_large_values_read_again_for_each_element_are_refused(step: str) -> None:
    given = {"thousands": list(range(50_000)), "long": "a" * 300_000}

    assert "for one row" in refusal(f"RETURN size([x IN range(1, 9999) WHERE {step}]) AS n", **given).message
    assert inspect("MATCH (t:Task) WHERE t.task_id IN $thousands RETURN t", given, tenant_id="A")


@pytest.mark.requirement("gate:work")
@pytest.mark.parametrize(
    "many",
    ["UNWIND range(1, 10000) AS a UNWIND range(1, 40) AS b", "MATCH (a:File), (b:File)",
     "MATCH (:User)-[:RUNS]->(a)-[:OUTPUT]->()-[:INPUT]->()"],
)  # fmt: skip
@pytest.mark.parametrize(
    "read",
    ["reduce(s = 0, x IN l | s + size([y IN range(1, 30) WHERE y = x]))", "size([x IN l WHERE x IN range(1, 900)])",
     "size([x IN l WHERE $text =~ 'a*b' OR $text =~ 'a*c'])"],
)  # fmt: skip
def test_a_collected_list_is_as_long_as_there_are_rows(many: str, read: str) -> None:
    given = {"text": "a" * 1000}

    assert "for one row" in refusal(f"{many} WITH collect(a) AS l RETURN {read} AS n", **given).message
    assert inspect(f"{many} WITH collect(a.name) AS l RETURN size(l) AS n", {}, tenant_id="A")


@pytest.mark.requirement("gate:work")
def test_union_passes_on_the_largest_of_its_values() -> None:
    lists = "CALL { RETURN range(0, 9999) AS x UNION ALL RETURN [] AS x } "

    assert "rows" in refusal(lists + " ".join(f"UNWIND x AS x{i}" for i in range(4)) + " RETURN count(*) AS n").message


@pytest.mark.requirement("gate:work")
@pytest.mark.parametrize("shape", ["reduce(a{0} = 0, x{0} IN [1] | a{0} + {1})", "size(range(0, {1}))"])
def test_the_estimate_itself_takes_little_time_however_deep_a_query_nests(shape: str) -> None:
    expression = "1"
    for depth in range(24):
        expression = shape.format(depth, expression)
    began = time.thread_time()

    with suppress(GateRefusal):
        inspect(f"RETURN {expression} AS x", {}, tenant_id="A")

    assert time.thread_time() - began < 5


@pytest.mark.requirement("gate:work")
@pytest.mark.parametrize(
    "expression",
    ["reduce(s = 0, x IN range(1, 1000) | s + x)", "reduce(m = 0, x IN [1, 2] | CASE WHEN x > m THEN x ELSE m END)",
     "reduce(s = '', x IN ['a', 'b'] | s + x)", "[x IN range(1, 100) | x * x]", "split('a,b', ',')"],
)  # fmt: skip
def test_values_of_ordinary_size_pass(expression: str) -> None:
    assert inspect(f"RETURN {expression} AS x", {}, tenant_id="A")


EVIL = ["(a+)+$", "(a|a)*$", "(a*)*b", "(.*a){20}", "(?:x+x+)+y", "((a+)b)+", "(a{1,5})+", "(?=a)b", "(?<=a)b",
        r"(a)\1", "a{1,500}", ".*.*.*.*x", "a" * 201, "(a", "(?<n>a)", "(a?){30}", r"\Qx", "([a-z]+)*",
        r"(\(*)*x", r"\(*\(*\(*\(*x", r"[(]*[(]*[(]*[(]*x", r"(a+[\c])(a])+x", r"([\Q]+)+\E]b", r"[\\[]x",
        "[a[bc]]+", "[a-z&&[aeiou]]",
        "a?" * 40 + "a" * 40, "(a|a)" * 38, "a{0,99}" * 25, "(a|b|c)" * 7, "(a?b?c?){0,1}" + "x{0,50}" * 3]  # fmt: skip
GENTLE = ["(?i).*kinase.*", "TP5[0-9]", "^a.*b$", "(foo|bar)", "[A-Z]{2,5}-?[0-9]+", r"\d+\.\d+", "(ab)+", "a|b|c",
          "(?:ab)?c", r"[\]]+", ".*a.*b.*", r"\(x\)+", "[+*]+", "(brca1|brca2|tp53|egfr)s?",
          r"[\[\]]+", r"[a\\]x", "[\u00e0-\u00ff]+", r"[\w.-]+@[\w.-]+", "|".join("abcdefghijklmnop"),
          "v?[0-9]{1,3}\\.[0-9]{1,3}"]  # fmt: skip


@pytest.mark.requirement("gate:regexes")
@pytest.mark.parametrize("pattern", EVIL)
def test_a_regular_expression_that_may_take_for_ever_is_refused(pattern: str) -> None:
    assert "regular expression" in refusal("MATCH (n) WHERE n.name =~ $p RETURN n", p=pattern).message


@pytest.mark.requirement("gate:regexes")
@pytest.mark.parametrize("pattern", GENTLE)
def test_a_gentle_regular_expression_passes_and_is_gentle(pattern: str) -> None:
    assert regexes.fault(pattern, 200) is None

    began = time.thread_time()
    re.search(pattern, "ab" * 150 + "!")
    assert time.thread_time() - began < 5


@pytest.mark.requirement("gate:regexes")
@pytest.mark.requirement("gate:work")
@pytest.mark.parametrize(
    "text",
    ["RETURN $long =~ 'a*a*b' AS x", "RETURN $short =~ 'a*a*a*b' AS x",
     "RETURN size([x IN range(1, 10000) WHERE $short =~ '.*b.*']) AS x",
     "MATCH (n:Gene) RETURN any(x IN range(1, 1000) WHERE n.name =~ '.*b.*c.*') AS x",
     "RETURN $long + 'b' =~ 'a{0,30}a{0,30}b' AS x"],
)  # fmt: skip
def test_a_regular_expression_costs_what_its_text_and_its_repetitions_make_it_cost(text: str) -> None:
    assert "for one row" in refusal(text, long="a" * 200_000, short="a" * 1_000).message


@pytest.mark.requirement("gate:regexes")
@pytest.mark.parametrize(
    "text",
    ["MATCH (u:User)-[:RUNS]->(t)-[:OUTPUT]->(f) WHERE f.user_filename =~ '(?i).*a.*b.*c' RETURN f",
     "MATCH (p:Protein) WHERE p.sequence =~ '.*M[KR]{2}.*' RETURN p", "RETURN $short =~ '.*b' AS x"],
)  # fmt: skip
def test_a_regular_expression_on_a_property_is_not_too_much(text: str) -> None:
    assert inspect(text, {"short": "a" * 1_000}, tenant_id="A")


@pytest.mark.requirement("gate:regexes")
@pytest.mark.parametrize("pattern", ["n.name", "'a' + n.name", "$number", "toLower('A')"])
def test_a_regular_expression_is_a_text_that_can_be_looked_at(pattern: str) -> None:
    assert "must be a text" in refusal(f"MATCH (n) WHERE n.name =~ {pattern} RETURN n", number=1).message
