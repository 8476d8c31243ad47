"""Whatever comes in: a verdict or a refusal comes out, and what is let through is bound when it is read again."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.graph.cypher import tree
from apps.graph.cypher.parser import parse
from apps.graph.cypher.printer import print_statement
from apps.graph.cypher.walk import walk
from apps.graph.gate import tenant
from apps.graph.gate.change import inspect_change
from apps.graph.gate.check import inspect
from apps.graph.gate.verdict import GateRefusal
from tests.isolation_queries import statements
from tests.unit.graph.cypher.corpus import ACCEPTED, REFUSED

QUICK = settings(max_examples=250, deadline=None, database=None, derandomize=True,
                 suppress_health_check=list(HealthCheck))  # fmt: skip
TEXTS = [entry.text for entry in (*ACCEPTED, *REFUSED)]
GIVEN: dict[str, Any] = {"name": "x", "x": 1, "ids": ["a"], "status": "failed", "limit": 3, "skip": 1}


def let_through(text: str) -> str | None:
    """The text that may run, or None when the gate refuses; anything else is a fault."""
    try:
        return inspect(text, GIVEN, tenant_id="A").text
    except GateRefusal:
        return None


def is_bound(text: str) -> bool:
    """Whether the printed text, read again, holds no pattern without the tenant."""
    tenant.prove(walk(parse(text)))
    return True


@pytest.mark.requirement("gate:refusal")
@pytest.mark.parametrize("entry", REFUSED, ids=lambda entry: entry.text[:40])
def test_each_text_that_must_not_pass_is_refused_by_the_gate(entry: Any) -> None:
    assert let_through(entry.text) is None


@pytest.mark.requirement("gate:proof")
@pytest.mark.requirement("gate:reprinted")
@given(statements())
@QUICK
def test_what_is_let_through_is_bound_when_it_is_read_again(statement: tree.Statement) -> None:
    text = let_through(print_statement(statement))

    assert text is None or is_bound(text)


@pytest.mark.requirement("gate:refusal")
@given(st.sampled_from(TEXTS), st.sampled_from(TEXTS), st.integers(0, 200), st.integers(0, 200))
@QUICK
def test_texts_cut_and_joined_anywhere_break_nothing(one: str, other: str, end: int, start: int) -> None:
    text = let_through(one[:end] + other[start:])

    assert text is None or is_bound(text)


@pytest.mark.requirement("gate:refusal")
@given(st.lists(st.sampled_from(sorted({word for text in TEXTS for word in text.split()})), max_size=25))
@QUICK
def test_words_in_any_order_break_nothing(words: list[str]) -> None:
    text = let_through("MATCH (n:User) " + " ".join(words) + " RETURN n")

    assert text is None or is_bound(text)


@pytest.mark.requirement("gate:changes")
@given(st.sampled_from(TEXTS), st.sampled_from(TEXTS), st.integers(0, 200), st.integers(0, 200))
@QUICK
def test_changes_cut_and_joined_anywhere_break_nothing(one: str, other: str, end: int, start: int) -> None:
    try:
        change = inspect_change(one[:end] + other[start:], GIVEN, tenant_id="A")
    except GateRefusal:
        return

    assert is_bound(change.count_text)


@pytest.mark.requirement("gate:parameters")
@given(st.dictionaries(st.text(max_size=8), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3), max_leaves=6,
), max_size=3))  # fmt: skip
@QUICK
def test_parameters_of_any_kind_break_nothing(parameters: dict[str, Any]) -> None:
    names = [name for name in parameters if name.isidentifier() and name.isascii()]
    text = "RETURN " + ", ".join([f"${name} AS c{number}" for number, name in enumerate(names)] or ["1 AS c"])

    try:
        passed = inspect(text, parameters, tenant_id="A")
    except GateRefusal:
        return

    assert all(passed.parameters[name] == parameters[name] for name in names)
