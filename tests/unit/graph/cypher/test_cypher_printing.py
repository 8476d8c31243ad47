"""Grouping, spelling and the normal forms of what is printed."""

from typing import Any

import pytest
from hypothesis import given, settings

from apps.graph.cypher import tree
from apps.graph.cypher.parser import parse
from apps.graph.cypher.printer import print_expression, print_statement
from tests.unit.graph.cypher.trees import texts


def expression(text: str) -> tree.Expr:
    last = parse(f"RETURN {text} AS it").query.branches[0].clauses[-1]
    assert isinstance(last, tree.Return)
    return last.projection.columns[0].expression


def grouped(text: str) -> str:
    """The expression with every operator's operands in brackets."""

    def shown(it: Any) -> str:
        if isinstance(it, tree.Binary):
            return f"<{shown(it.left)} {it.operator} {shown(it.right)}>"
        if isinstance(it, tree.Unary):
            return f"<{it.operator} {shown(it.operand)}>"
        if isinstance(it, tree.Compare):
            rest = "".join(f" {a} {shown(b)}" for a, b in zip(it.operators, it.operands[1:], strict=True))
            return f"<{shown(it.operands[0])}{rest}>"
        if isinstance(it, tree.IsNull):
            return f"<{shown(it.operand)} IS {'NOT ' if it.negated else ''}NULL>"
        return print_expression(it)

    return shown(expression(text))


@pytest.mark.requirement("cypher:grouping")
@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("a OR b XOR c AND d", "<a OR <b XOR <c AND d>>>"),
        ("a AND b OR c", "<<a AND b> OR c>"),
        ("a - b - c", "<<a - b> - c>"),
        ("a ^ b ^ c", "<<a ^ b> ^ c>"),
        ("a + b * c ^ d", "<a + <b * <c ^ d>>>"),
        ("a / b * c % d", "<<<a / b> * c> % d>"),
        ("-a ^ b", "<<- a> ^ b>"),
        ("-2 ^ b", "<-2 ^ b>"),
        ("a - -b", "<a - <- b>>"),
        ("NOT a = b", "<NOT <a = b>>"),
        ("NOT a AND b", "<<NOT a> AND b>"),
        ("NOT NOT a", "<NOT <NOT a>>"),
        ("a = b = c", "<a = b = c>"),
        ("(a = b) = c", "<<a = b> = c>"),
        ("a < b <= c <> d", "<a < b <= c <> d>"),
        ("a + b IN c", "<<a + b> IN c>"),
        ("a IN b + c", "<a IN <b + c>>"),
        ("a STARTS WITH b = c", "<<a STARTS WITH b> = c>"),
        ("a = b IS NULL", "<a = <b IS NULL>>"),
        ("NOT a IS NULL", "<NOT <a IS NULL>>"),
        ("a + b IS NOT NULL", "<<a + b> IS NOT NULL>"),
        ("a IN b IS NULL", "<<a IN b> IS NULL>"),
        ("a =~ b CONTAINS c", "<<a =~ b> CONTAINS c>"),
        ("a<-b", "<a < <- b>>"),
        ("a<-1", "<a < -1>"),
        ("xs[0]-1", "<xs[0] - 1>"),
        ("(a)-1", "<a - 1>"),
        ("(a)--1", "<a - -1>"),
        ("(a)<(b)", "<a < b>"),
    ],
)
def test_operators_bind_as_in_opencypher(text: str, meaning: str) -> None:
    assert grouped(text) == meaning


@pytest.mark.requirement("cypher:grouping")
@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("((a))", "a"),
        ("(a AND b) AND c", "a AND b AND c"),
        ("a AND (b AND c)", "a AND (b AND c)"),
        ("(a OR b) AND c", "(a OR b) AND c"),
        ("a + b IN c", "(a + b) IN c"),  # older grammars read a + (b IN c)
        ("-a IN b", "(-a) IN b"),
        ("a IN b + c", "a IN (b + c)"),
        ("a + b IS NULL", "(a + b) IS NULL"),
        ("-a ^ b", "(-a) ^ b"),
        ("a ^ b ^ c", "(a ^ b) ^ c"),
        ("a - -5", "a - (-5)"),
        ("(a = b) - ([1])", "(a = b) - ([1])"),  # without parentheses: a relationship
        ("[x IN xs, 1]", "[(x IN xs), 1]"),
        ("[(x IN xs)]", "[(x IN xs)]"),  # without parentheses: a comprehension
        ("xs[(x IN xs)]", "xs[(x IN xs)]"),
        ("(a.b).c[1]", "a.b.c[1]"),
        ("(a + b).c", "(a + b).c"),
        ("(1).c", "(1).c"),
        ("a < b AND NOT c", "a < b AND NOT c"),
    ],
)
def test_parentheses_stand_where_they_are_needed_or_engines_differ(text: str, printed: str) -> None:
    read = expression(text)

    assert print_expression(read) == printed


@pytest.mark.requirement("cypher:normal-forms")
@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("match (n) return n", "MATCH (n) RETURN n"),
        ("MATCH(n:`User`)RETURN n.`user_name`;", "MATCH (n:User) RETURN n.user_name"),
        ("MATCH (n) WHERE exists(n.x) RETURN n", "MATCH (n) WHERE n.x IS NOT NULL RETURN n"),
        ("MATCH (n) WHERE (n)-->() RETURN n", "MATCH (n) WHERE exists((n)-->()) RETURN n"),
        ("MATCH (n) WHERE NOT (n) - [ ] -> () RETURN n", "MATCH (n) WHERE NOT exists((n)-->()) RETURN n"),
        (
            "MATCH (n) WHERE EXISTS { (n)-->(m) WHERE m.x = 1 } RETURN n",
            "MATCH (n) WHERE EXISTS { MATCH (n)-->(m) WHERE m.x = 1 } RETURN n",
        ),
        (
            "MATCH (u) CALL (u) { MATCH (u)-->(t) RETURN count(t) AS c } RETURN c",
            "MATCH (u) CALL { WITH u MATCH (u)-->(t) RETURN count(t) AS c } RETURN c",
        ),
        (
            "MATCH (a), (b) CALL (a, b) { RETURN a.x AS x UNION RETURN b.x AS x } RETURN x",
            "MATCH (a), (b) CALL { WITH a, b RETURN a.x AS x UNION WITH a, b RETURN b.x AS x } RETURN x",
        ),
        ("MATCH (a)<-[r:A|:B*2..2]->(b) RETURN r", "MATCH (a)-[r:A|B*2]-(b) RETURN r"),
        ("MATCH (a)-[*..]->(b) RETURN b", "MATCH (a)-[*]->(b) RETURN b"),
        ("RETURN 0x1F, 0o17, 1.50, 1e3, .5, 1E-10", "RETURN 31, 15, 1.5, 1000.0, 0.5, 1e-10"),
        ("RETURN \"a'b\", 'a\"b', '\\u00e9'", "RETURN 'a\\'b', 'a\"b', 'é'"),
        ("RETURN n ORDER BY n ASCENDING, n.x DESCENDING", "RETURN n ORDER BY n, n.x DESC"),
        ("RETURN TRUE, False, nULL", "RETURN true, false, null"),
    ],
)
def test_spellings_of_one_meaning_become_one(text: str, normal: str) -> None:
    assert print_statement(parse(text)) == normal
    assert parse(normal) == parse(text)


@pytest.mark.requirement("cypher:normal-forms")
def test_explain_and_profile_are_modes_and_not_printed_unless_asked_for() -> None:
    explained = parse("EXPLAIN RETURN 1")

    assert (explained.mode, parse("profile RETURN 1").mode, parse("RETURN 1").mode) == ("explain", "profile", "run")
    assert print_statement(explained) == "RETURN 1"
    assert print_statement(explained, mode=True) == "EXPLAIN RETURN 1"


def read_like_java(text: str) -> str:
    """\\uXXXX decoded before anything else is looked at, unless the backslash is itself escaped: as Java reads."""
    out, at = "", 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1] == "u":
            out, at = out + chr(int(text[at + 2 : at + 6], 16)), at + 6
        elif text[at] == "\\":
            out, at = out + text[at : at + 2], at + 2
        else:
            out, at = out + text[at], at + 1
    return out


def read_blindly(text: str) -> str:
    """\\uXXXX decoded wherever it stands, before anything else is looked at."""
    out, at = "", 0
    while at < len(text):
        if text.startswith("\\u", at):
            out, at = out + chr(int(text[at + 2 : at + 6], 16)), at + 6
        else:
            out, at = out + text[at], at + 1
    return out


@pytest.mark.requirement("cypher:one-reading")
@settings(max_examples=300, deadline=None, derandomize=True)
@given(texts)
def test_a_text_is_the_same_whenever_an_engine_decodes_its_escapes(text: str) -> None:
    printed = print_expression(tree.Const(text))

    assert expression(printed) == tree.Const(text)
    assert printed[0] == printed[-1] == "'" and all(sign.isprintable() or sign > "\uffff" for sign in printed)
    for early in (read_like_java(printed), read_blindly(printed)):
        inside = early[1:-1].replace("\\\\", "").replace("\\'", "")
        assert "'" not in inside and early[0] == early[-1] == "'", printed


@pytest.mark.requirement("cypher:one-reading")
def test_a_backslash_before_a_u_is_never_an_escape() -> None:
    value = "\\u0027 }) DETACH DELETE n //"

    printed = print_expression(tree.Const(value))

    assert printed == r"'\\\u00750027 }) DETACH DELETE n //'"
    assert expression(printed) == expression(read_like_java(printed)) == tree.Const(value)


@pytest.mark.requirement("cypher:one-reading")
def test_names_are_quoted_when_they_need_it_and_only_then() -> None:
    query = "MATCH (`user`:`File`)-[`a b`:`RUNS`]->(`match` {`end`: 1}) RETURN `user`.`x``y`, `città` AS `Ordered`"

    assert print_statement(parse(query)) == (
        "MATCH (user:File)-[`a b`:RUNS]->(`match` {`end`: 1}) RETURN user.`x``y`, `città` AS Ordered"
    )


@pytest.mark.requirement("cypher:one-reading")
@pytest.mark.parametrize(
    "expression",
    [
        tree.Var("a\\u0060"), tree.Var(""), tree.Var("a\u200bb"), tree.Var("a\nb"), tree.Param("a b"), tree.Param("a}"),
        tree.Call("a.b", ()), tree.Call("`a`", ()), tree.Call("RETURN", ()), tree.Prop(tree.Var("n"), "\u202e"),
        tree.Const(2**63), tree.Const(float("nan")), tree.Const(float("inf")), tree.Const("\x00"), tree.Const("\ud800"),
        tree.HasLabels(tree.Var("n"), ()), tree.PatternPredicate(tree.Path((tree.Node("n"),))),
    ],
    ids=repr,
)  # fmt: skip
def test_what_no_text_means_is_not_printed(expression: tree.Expr) -> None:
    with pytest.raises(ValueError):
        print_expression(expression)


@pytest.mark.requirement("cypher:dialects")
@pytest.mark.parametrize(
    ("pattern", "memgraph"),
    [
        ("p = shortestPath((a:User)-[*..5]-(b))", "p = (a:User)-[ *BFS ..5]-(b)"),
        ("p = shortestPath((a)-[r:RUNS|INPUT*1..4]->(b))", "p = (a)-[r:RUNS|INPUT *BFS 1..4]->(b)"),
        ("shortestPath((a)<-[*]-(b))", "(a)<-[ *BFS]-(b)"),
        ("p = allShortestPaths((a)-[:RUNS*..3]-(b))", "p = (a)-[:RUNS *ALLSHORTEST ..3 (r, n | 1)]-(b)"),
        ("p = (a)-[*..3]-(b)", "p = (a)-[*..3]-(b)"),
    ],
)
def test_shortest_paths_are_printed_in_the_engine_s_words(pattern: str, memgraph: str) -> None:
    statement = parse(f"MATCH {pattern} RETURN a")

    assert print_statement(statement) == f"MATCH {pattern} RETURN a"
    assert print_statement(statement, "memgraph") == f"MATCH {memgraph} RETURN a"
