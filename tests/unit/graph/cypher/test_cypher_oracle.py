"""A grammar made by others takes what ours takes: openCypher 9 for ANTLR, where it knows the construct."""

from collections import Counter
from typing import Any

import pytest
from antlr4 import CommonTokenStream, InputStream, PredictionMode
from antlr4.error.ErrorListener import ErrorListener
from antlr4_cypher import CypherLexer, CypherParser

from apps.graph.cypher import tree
from apps.graph.cypher.parser import parse
from apps.graph.cypher.printer import print_statement
from apps.graph.cypher.walk import walk
from tests.unit.graph.cypher.corpus import ACCEPTED


class Complaints(ErrorListener):  # type: ignore[misc]
    def __init__(self) -> None:
        self.found: list[str] = []

    def syntaxError(self, recognizer: Any, symbol: Any, line: int, column: int, text: str, error: Any) -> None:
        self.found.append(text)


def complaints(text: str) -> list[str]:
    listener = Complaints()
    lexer = CypherLexer(InputStream(text))
    parser = CypherParser(CommonTokenStream(lexer))
    for part in (lexer, parser):
        part.removeErrorListeners()
        part.addErrorListener(listener)
    parser._interp.predictionMode = PredictionMode.SLL
    parser.script()
    return listener.found


def unknown_to_it(text: str, statement: tree.Statement) -> set[str]:
    """The constructs in a query that its grammar, of 2017, does not have or is known to read wrongly."""
    records = list(walk(statement))
    kinds = {type(record) for record in records}
    clauses = [clause for record in records if isinstance(record, tree.Branch) for clause in record.clauses]
    tests = {
        "EXPLAIN": statement.mode != "run",
        "CALL { }": tree.Subquery in kinds,
        "EXISTS { }": tree.Exists in kinds,
        "exists( )": "exists(" in text.lower(),
        "map projection": tree.MapProjection in kinds,
        "reduce": tree.Reduce in kinds,
        "=~": any(isinstance(record, tree.Binary) and record.operator == "=~" for record in records),
        "alternative labels": any(isinstance(record, tree.Node) and record.any_label for record in records),
        "named path in a comprehension": any(
            isinstance(record, tree.PatternComprehension) and record.pattern.variable for record in records
        ),
        "UNION": any(isinstance(record, tree.Query) and len(record.branches) > 1 for record in records),
        "more than one WITH": sum(isinstance(clause, tree.With) for clause in clauses) > 1,
        "odd names": "`" in print_statement(statement),
        "skip as a parameter": any(isinstance(record, tree.Param) and record.name == "skip" for record in records),
    }
    return {name for name, applies in tests.items() if applies}


@pytest.mark.requirement("cypher:oracle")
def test_an_independent_grammar_takes_what_is_accepted() -> None:
    refused: list[str] = []
    exempt: Counter[str] = Counter()
    checked = 0

    for entry in ACCEPTED:
        unknown = unknown_to_it(entry.text, parse(entry.text))
        exempt.update(unknown)
        if not unknown:
            checked += 1
            refused += [f"{entry.text}: {complaint}" for complaint in complaints(entry.text)[:1]]

    assert refused == []
    assert checked >= 150, exempt
    assert all(exempt.values()) and len(exempt) == 13, exempt  # an exemption that nothing needs is a mistake


@pytest.mark.requirement("cypher:oracle")
def test_it_takes_what_is_printed_as_well() -> None:
    sample = [parse(entry.text) for entry in ACCEPTED[::4]]

    texts = [text for one in sample if not unknown_to_it(text := print_statement(one), one)]

    assert len(texts) > 30
    assert [text for text in texts if complaints(text)] == []


@pytest.mark.requirement("cypher:oracle")
def test_it_does_complain_about_what_is_no_cypher() -> None:
    assert complaints("MATCH (n RETURN n") and complaints("MATCH (n) WHERE RETURN n") and complaints("RETURN 1 +")
