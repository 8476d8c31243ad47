"""Conditions on one property that nothing can meet together: "in 2023 and in 2024", "on chromosome 7 and chromosome X".

Who asks so means one or the other; an answer of nothing would be a wrong one, said with confidence.
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from itertools import combinations
from typing import Any

from apps.graph.nl2cypher.grammar.frames import Link, Test, Thing

_EACH = ("=", "in", "from to", "<", "<=", ">", ">=")


def contradiction_in(meaning: object) -> str | None:
    """The property of which a meaning says two things that exclude each other."""
    for tests in _conditions(meaning):
        for one, other in combinations(tests, 2):
            if contradicts(one, other):
                return one.property
    return None


def _conditions(part: object) -> Iterator[tuple[Test, ...]]:
    if isinstance(part, Thing | Link):
        yield part.tests if isinstance(part, Thing) else part.edge_tests
    if isinstance(part, tuple):
        for one in part:
            yield from _conditions(one)
    elif is_dataclass(part):
        for field in fields(part):
            yield from _conditions(getattr(part, field.name))


def contradicts(one: Test, other: Test) -> bool:
    """Whether no value of a property is as both say."""
    if one.property != other.property:
        return False
    operators = {one.operator, other.operator}
    if "missing" in operators:
        return operators != {"missing"}
    if not operators <= {*_EACH, "<>", "not in"}:
        return False
    listed = [_listed(test) for test in (one, other)]
    for values, test in zip(listed, (other, one), strict=True):
        if values is not None:
            return not any(_meets(value, test) for value in values)
    if operators & {"<>", "not in"}:
        return False
    return _is_empty(one, other)


def _listed(test: Test) -> tuple[Any, ...] | None:
    """All values that meet it, where these are given."""
    if test.operator == "=":
        return (test.value,)
    return test.value if test.operator == "in" and isinstance(test.value, tuple) else None


def _meets(value: Any, test: Test) -> bool:
    given: Any = test.value
    if test.operator in ("=", "<>"):
        return (_plain(value) == _plain(given)) == (test.operator == "=")
    if test.operator in ("in", "not in"):
        return (_plain(value) in {_plain(one) for one in given}) == (test.operator == "in")
    if isinstance(value, str) != isinstance(given, str):
        return True
    if test.operator == "from to":
        return bool(given <= value < test.upper)
    return bool({"<": value < given, "<=": value <= given, ">": value > given, ">=": value >= given}[test.operator])


def _plain(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _is_empty(one: Test, other: Test) -> bool:
    """Whether nothing lies between the highest of the lower bounds and the lowest of the upper."""
    lower: list[tuple[Any, bool]] = []  # a bound, and whether it is out of bounds itself
    upper: list[tuple[Any, bool]] = []
    for test in (one, other):
        if test.operator in (">", ">=", "from to"):
            lower.append((test.value, test.operator == ">"))
        if test.operator in ("<", "<=", "from to"):
            upper.append((test.upper if test.operator == "from to" else test.value, test.operator != "<="))
    if len({isinstance(bound, str) for bound, _ in (*lower, *upper)}) != 1:
        return False
    return any(low > high or (low == high and (open_ or shut)) for low, open_ in lower for high, shut in upper)
