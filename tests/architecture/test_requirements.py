"""The table of promises and the tests that carry them, held against each other."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.spec.requirements import AREAS, REQUIREMENTS

TESTS = Path(__file__).resolve().parents[1]


def marked() -> Iterator[tuple[str, str]]:
    """(requirement id, file:line) of every marker in the tests."""
    for path in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(), str(path))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.requirement":
                where = f"{path.relative_to(TESTS.parent)}:{node.lineno}"
                assert len(node.args) == 1 and isinstance(node.args[0], ast.Constant), where
                yield str(node.args[0].value), where


def test_every_promise_has_a_test() -> None:
    proved = {name for name, _ in marked()}

    assert sorted(REQUIREMENTS.keys() - proved) == []


def test_every_marker_names_a_promise_of_the_table() -> None:
    unknown = [f"{where}: {name}" for name, where in marked() if name not in REQUIREMENTS]

    assert unknown == []


def test_a_promise_is_one_sentence_with_a_source_and_stands_in_one_area() -> None:
    assert sum(len(area) for area in AREAS) == len(REQUIREMENTS)
    for name, (source, sentence) in REQUIREMENTS.items():
        assert source, name
        assert sentence.endswith(".") and sentence[:-1].count(". ") == 0, name
