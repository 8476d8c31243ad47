"""Whatever is sent: a tree or a CypherSyntaxError, soon, and no exhausted stack."""

import random
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.graph.cypher import parser
from apps.graph.cypher.brackets import MAX_DEPTH
from apps.graph.cypher.errors import CypherSyntaxError
from apps.graph.cypher.lexer import MAX_CHARACTERS, MAX_TOKENS
from apps.graph.cypher.parser import MAX_LEVELS, parse, parse_change
from apps.graph.cypher.printer import print_statement
from apps.graph.cypher.walk import levels, transform
from tests.unit.graph.cypher.corpus import ACCEPTED, REFUSED

SOON_S = 20.0  # of the processor; fifty times what the slowest takes
PIECES = [
    *"()[]{}<>-.,:;|=+*/%^$'\"`\\ \n!&@#~0123456789", "--", "-->", "<--", "-[", "]->", "..", "//", "/*", "*/",
    "\\u0041", "MATCH ", "OPTIONAL ", "WHERE ", "WITH ", "RETURN ",
    "UNWIND ", "CALL ", "UNION ", "ALL ", "AS ", "CASE ", "WHEN ",
    "THEN ", "END ", "EXISTS {", "exists(", "any(x IN ", "reduce(a = ", "shortestPath(", "count(", "DISTINCT ", "IN ",
    "IS ", "NOT ", "NULL ", "STARTS ", "AND ", "n", "x.y", ":User", "(n)", "(n)-->(m)", "'text'", "1.5", "1e9",
    "DELETE ", "CREATE ", "SET ", "é", "\u200b", "\x00", "名", "😀",
]  # fmt: skip


def outcome(text: str, read: Callable[[str], object] = parse) -> str:
    started = time.thread_time()
    try:
        read(text)
        result = "read"
    except CypherSyntaxError as error:
        assert error.line > 0 and error.column > 0 and error.detail
        result = error.detail
    assert time.thread_time() - started < SOON_S, text[:200]
    return result


@pytest.mark.requirement("cypher:bounded")
@pytest.mark.parametrize(
    "place", ["MATCH ({}) RETURN 1 AS x", "RETURN n.{} AS x", "RETURN ${} AS x", "RETURN {}() AS x"]
)
def test_a_name_has_a_bound(place: str) -> None:
    assert "at most 200" in outcome(place.format("a" * 201))
    assert "at most 200" in outcome("RETURN 1 AS `a" + "\u0301\u0316" * 5_000 + "`")  # to normalise it takes seconds
    assert outcome("RETURN 1 AS `" + "é" * 200 + "`") == "read"


@pytest.mark.requirement("cypher:bounded")
@pytest.mark.requirement("security:84")
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 500, 6_000])
@pytest.mark.parametrize(
    ("opening", "closing"),
    [("(", ")"), ("[", "]"), ("{a: ", "}"), ("[x IN ", "]"), ("f(", ")"), ("(", ""), ("[", ""), ("{", ""), ("n[", "]")],
)
def test_brackets_nest_to_a_bound(opening: str, closing: str, depth: int) -> None:
    text = f"RETURN {opening * depth}1{closing * depth} AS x"

    assert "deeper than 50" in outcome(text) or "words and signs" in outcome(text)


@pytest.mark.requirement("cypher:bounded")
@pytest.mark.parametrize(
    ("opening", "middle", "closing"),
    [("(", "1", ")"), ("[", "1", "]"), ("{a: ", "1", "}"), ("[x IN ", "xs", "]"), ("f(", "1", ")")],
)
def test_fifty_levels_of_brackets_are_read(opening: str, middle: str, closing: str) -> None:
    assert outcome(f"RETURN {opening * MAX_DEPTH}{middle}{closing * MAX_DEPTH} AS x") == "read"


@pytest.mark.requirement("cypher:bounded")
@pytest.mark.requirement("security:84")
@pytest.mark.parametrize(
    "text",
    [
        "RETURN " + "NOT " * 1_500 + "true",
        "RETURN " + "- " * 1_500 + "x",
        "RETURN 1" + " + 1" * 900,
        "MATCH (n) WHERE n.x = 1" + " OR n.x = 1" * 300 + " RETURN n",
        "RETURN n" + ".a" * 900,
        "RETURN n" + "[0]" * 600,
        "RETURN 1 AS x " + "CALL { RETURN 1 AS x UNION " * 40,
        "CALL { RETURN [x IN " * 25 + "xs" + "] AS x } RETURN x" * 25,
        "MATCH (n) WHERE " + "EXISTS { MATCH (n) WHERE " * 45 + "true" + "}" * 45 + " RETURN n",
        "MATCH (n) WITH * " * 490 + "DELETE n",
        "RETURN " + "CASE WHEN true THEN " * 400 + "1" + " END" * 400,
    ],
    ids=lambda text: text[:40],
)
def test_what_is_deep_without_brackets_is_refused_too(text: str) -> None:
    assert outcome(text) != "read"


@pytest.mark.requirement("cypher:bounded")
def test_a_hundred_conditions_in_a_row_are_read_printed_compared_and_rebuilt() -> None:
    text = "MATCH (n) WHERE n.x = 0" + "".join(f" OR n.x = {number}" for number in range(1, 140)) + " RETURN n"

    statement = parse(text)

    assert 140 <= levels(statement) <= MAX_LEVELS
    assert parse(print_statement(statement)) == statement and hash(statement) == hash(parse(text))
    assert transform(statement, lambda record: record) is statement
    assert sys.getrecursionlimit() == 1000


@pytest.mark.requirement("cypher:bounded")
def test_length_and_tokens_are_bounded() -> None:
    long_text = "RETURN '" + "x" * MAX_CHARACTERS + "'"
    many_tokens = "RETURN [" + "1," * MAX_TOKENS + "1]"
    ten_megabytes = "RETURN '" + "'" * 10_000_000

    assert "longer than 65536" in outcome(long_text) and "longer than" in outcome(ten_megabytes)
    assert "more than 2000 words" in outcome(many_tokens)
    assert outcome("RETURN [" + "1," * (MAX_TOKENS // 2 - 3) + "1]") == "read"


@pytest.mark.requirement("cypher:bounded")
@pytest.mark.parametrize(
    "piece", ["/*", "'", "\\", "`", "'\\", "(", "-", "1.", "/", "$", "\"'", "\n", "a", "1", "é", "'a\\\\"]
)
def test_a_full_length_of_one_piece_costs_little(piece: str) -> None:
    for before in ("", "RETURN ", "RETURN '", "/*", "RETURN `"):
        outcome((before + piece * MAX_CHARACTERS)[:MAX_CHARACTERS])


@pytest.mark.requirement("cypher:fuzz")
@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_any_soup_of_pieces_is_read_or_refused(text: str) -> None:
    outcome(text)
    outcome(text, parse_change)


@pytest.mark.requirement("cypher:fuzz")
@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    outcome(text)
    outcome("MATCH (n) WHERE n.x = " + text + " RETURN n")


@pytest.mark.requirement("cypher:fuzz")
def test_mutated_queries_are_read_or_refused_and_what_is_read_comes_back() -> None:
    chance = random.Random(5)
    texts = [entry.text for entry in (*ACCEPTED, *REFUSED)]

    for _ in range(1_500):
        text = chance.choice(texts)
        for _ in range(chance.randint(1, 3)):
            at, end = sorted((chance.randint(0, len(text)), chance.randint(0, len(text))))
            piece = chance.choice([chance.choice(PIECES), "", chance.choice(texts)[:20], text[at:end]])
            text = text[:at] + piece + text[chance.choice([at, end, at + 1]) :]
        if outcome(text) == "read":
            statement = parse(text)
            assert repr(parse(print_statement(statement, mode=True))) == repr(statement), text


@pytest.mark.requirement("cypher:threads")
def test_threads_that_parse_first_at_once_load_the_grammar_once_and_agree() -> None:
    parser._load.cache_clear()
    together = threading.Barrier(8)

    def read(number: int) -> list[str]:
        together.wait(timeout=240)
        return [repr(parse(entry.text)) for entry in ACCEPTED[number::8]]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read, range(8)))

    assert parser._load.cache_info().misses == 1
    assert found == [[repr(parse(entry.text)) for entry in ACCEPTED[number::8]] for number in range(8)]
