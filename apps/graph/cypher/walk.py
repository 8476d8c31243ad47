"""Going through a tree, and making a changed one, whatever its records are."""

from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import cache
from typing import Any

from apps.graph.cypher import changes, tree

_LEAVES = (str, int, float, bool, type(None))


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind)) if kind.__module__ in (tree.__name__, changes.__name__) else ()


def children(record: Any) -> list[Any]:
    """The records directly inside ``record``, in the order of its fields; those inside tuples belong to it."""
    found: list[Any] = []
    for name in _field_names(type(record)):
        value = getattr(record, name)
        if isinstance(value, tuple):
            _from_tuple(value, found)
        elif not isinstance(value, _LEAVES):
            found.append(value)
    return found


def walk(record: Any) -> Iterator[Any]:
    """``record`` and every record below it, each before what is inside it. Iterative: any depth will do."""
    waiting = [record]
    while waiting:
        one = waiting.pop()
        yield one
        below = children(one)
        below.reverse()
        waiting += below


def levels(record: Any) -> int:
    """How many records lie inside each other at the deepest place, the outermost counted."""
    level = 0
    here = [record]
    while here:
        level += 1
        here = [below for one in here for below in children(one)]
    return level


def transform(record: Any, change: Callable[[Any], Any]) -> Any:
    """A tree in which ``change`` has answered for every record, from the leaves up. What it leaves as it is stays the
    same object, and so does what holds only such records."""
    values = []
    changed = False
    for name in _field_names(type(record)):
        value = getattr(record, name)
        if isinstance(value, tuple):
            new = _transform_tuple(value, change)
        elif isinstance(value, _LEAVES):
            new = value
        else:
            new = transform(value, change)
        changed = changed or new is not value
        values.append(new)
    return change(type(record)(*values) if changed else record)


def _from_tuple(value: tuple[Any, ...], found: list[Any]) -> None:
    for one in value:
        if isinstance(one, tuple):
            _from_tuple(one, found)
        elif not isinstance(one, _LEAVES):
            found.append(one)


def _transform_tuple(value: tuple[Any, ...], change: Callable[[Any], Any]) -> tuple[Any, ...]:
    new = tuple(
        _transform_tuple(one, change)
        if isinstance(one, tuple)
        else one
        if isinstance(one, _LEAVES)
        else transform(one, change)
        for one in value
    )
    return value if all(a is b for a, b in zip(new, value, strict=True)) else new
