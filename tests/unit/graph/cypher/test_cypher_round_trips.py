"""print(parse(q)) parses to the same tree, and so does print of any tree."""

import pytest
from hypothesis import HealthCheck, given, settings

from apps.graph.cypher import tree
from apps.graph.cypher.parser import parse
from apps.graph.cypher.printer import print_expression, print_statement
from tests.unit.graph.cypher.corpus import ACCEPTED, Entry
from tests.unit.graph.cypher.trees import expressions, statements

NO_HURRY = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def same(one: object, other: object) -> bool:
    """Equal in value and in type: Const(1), Const(1.0) and Const(True) are three."""
    return repr(one) == repr(other)


@pytest.mark.requirement("cypher:reads")
@pytest.mark.requirement("cypher:round-trip")
@pytest.mark.parametrize("entry", ACCEPTED, ids=lambda entry: entry.text[:60])
def test_what_is_accepted_prints_to_one_line_that_means_the_same(entry: Entry) -> None:
    statement = parse(entry.text)

    printed = print_statement(statement, mode=True)

    assert same(parse(printed), statement)
    assert print_statement(parse(printed), mode=True) == printed
    assert "\n" not in printed


@pytest.mark.requirement("cypher:reads")
def test_the_corpus_has_every_kind_of_record_and_150_queries_or_more() -> None:
    seen = " ".join(repr(parse(entry.text)) for entry in ACCEPTED)

    kinds = [name for name, kind in vars(tree).items() if isinstance(kind, type) and kind.__module__ == tree.__name__]

    assert len(ACCEPTED) >= 150 and len({entry.text for entry in ACCEPTED}) == len(ACCEPTED)
    assert [kind for kind in kinds if f"{kind}(" not in seen] == []


@pytest.mark.requirement("cypher:round-trip")
@settings(NO_HURRY, max_examples=200)
@given(expressions)
def test_any_expression_comes_back_from_its_text(expression: tree.Expr) -> None:
    printed = f"RETURN {print_expression(expression)} AS it"

    returned = parse(printed).query.branches[0].clauses[0]

    assert isinstance(returned, tree.Return)
    assert same(returned.projection.columns[0].expression, expression), printed


@pytest.mark.requirement("cypher:round-trip")
@NO_HURRY
@given(statements)
def test_any_statement_comes_back_from_its_text(statement: tree.Statement) -> None:
    printed = print_statement(statement, mode=True)

    assert same(parse(printed), statement), printed
