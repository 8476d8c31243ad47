"""How large values are, as cost.py estimates them."""

from collections.abc import Iterable, Mapping
from typing import Any

from apps.graph.cypher import tree

Size = tuple[float, float]
"""How many elements or characters, and how large one is."""
ONE: Size = (1.0, 1.0)
PROPERTY: Size = (100.0, 1.0)


def total(size: Size) -> float:
    return size[0] * size[1]


def largest(sizes: Iterable[Size]) -> Size:
    """The most elements, and the largest element, of any of them."""
    found = list(sizes)
    return (max((size[0] for size in found), default=1.0), max((size[1] for size in found), default=1.0))


def of_value(value: Any) -> Size:
    """The size of a parameter's value."""
    if isinstance(value, str):
        return (float(max(len(value), 1)), 1.0)
    if isinstance(value, list | tuple | Mapping):
        elements = value.values() if isinstance(value, Mapping) else value
        return (float(max(len(value), 1)), max((total(of_value(one)) for one in elements), default=1.0))
    return ONE


def given(expression: tree.Expr | None, parameters: Mapping[str, Any]) -> Any:
    """The value of a constant or a parameter; None for anything else, and for nothing."""
    match expression:
        case tree.Const(value):
            return value
        case tree.Param(name):
            return parameters.get(name)
        case _:
            return None
