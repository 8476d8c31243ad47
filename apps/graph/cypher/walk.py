"""Going through a tree, and making a changed one, whatever its records are."""

import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

from apps.graph.cypher import changes, tree

_KINDS: list[Any] = [
    kind
    for module in (tree, changes)
    for kind in vars(module).values()
    if isinstance(kind, type) and kind.__module__ == module.__name__
]
_RECORD = re.compile(rf"\b(Expr|{'|'.join(kind.__name__ for kind in _KINDS)})\b")
_FIELDS: dict[type, tuple[str, ...]] = {kind: tuple(field.name for field in fields(kind)) for kind in _KINDS}
_INNER: dict[type, tuple[str, ...]] = {
    kind: tuple(field.name for field in fields(kind) if _RECORD.search(str(field.type))) for kind in _KINDS
}
"""Fields that may hold records, by what they are declared as; the others hold names, numbers, truths."""


def children(record: Any) -> list[Any]:
    """The records directly inside ``record``, in the order of its fields; those inside tuples belong to it."""
    found: list[Any] = []
    for name in _INNER[type(record)]:
        value = getattr(record, name)
        if type(value) is tuple:
            _from_tuple(value, found)
        elif value is not None:
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
    same object, and so does what holds only such records. Recurses: parse() bounds how deep trees are."""
    kind = type(record)
    renewed: dict[str, Any] = {}
    for name in _INNER[kind]:
        value = getattr(record, name)
        if value is None:
            continue
        new = _transform_tuple(value, change) if type(value) is tuple else transform(value, change)
        if new is not value:
            renewed[name] = new
    if renewed:
        record = kind(*[renewed[name] if name in renewed else getattr(record, name) for name in _FIELDS[kind]])
    return change(record)


def _from_tuple(value: tuple[Any, ...], found: list[Any]) -> None:
    for one in value:
        if type(one) is tuple:
            _from_tuple(one, found)
        elif type(one) in _INNER:
            found.append(one)


def _transform_tuple(value: tuple[Any, ...], change: Callable[[Any], Any]) -> tuple[Any, ...]:
    new: list[Any] = []
    changed = False
    for one in value:
        kind = type(one)
        if kind is tuple:
            other: Any = _transform_tuple(one, change)
        elif kind in _INNER:
            other = transform(one, change)
        else:
            other = one
        changed = changed or other is not one
        new.append(other)
    return tuple(new) if changed else value
