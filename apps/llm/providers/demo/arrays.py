"""A list for a schema of type array; what fills a single part is given by the caller."""

from dataclasses import dataclass
from typing import Any, Protocol

from apps.llm.providers.demo.distinct import another, distinct
from apps.llm.providers.demo.lists import entries_of
from apps.llm.providers.demo.shapes import Schema, Shapes
from apps.llm.providers.demo.source import Source

MAX_DEPTH = 16
MAX_ITEMS = 200


@dataclass(frozen=True, slots=True)
class Filled:
    """``missing``: the required parts that nothing was said about."""

    value: Any
    is_found: bool
    missing: tuple[str, ...] = ()


class Filler(Protocol):
    """What fills one part of a schema. ``left``: how many parts it will still fill."""

    shapes: Shapes
    left: int

    def value(self, schema: Any, name: str, source: Source, depth: int, required: bool) -> Filled: ...


def array(filler: Filler, plain: Schema, name: str, source: Source, depth: int, required: bool) -> Filled:
    """A list that the schema takes: what speaks for entries, then as many as there must be."""
    prefix = plain.get("prefixItems") or []
    item = plain.get("items", True)
    least = min(max(plain.get("minItems", 0), 0), MAX_ITEMS * 10)
    most = min(plain.get("maxItems", MAX_ITEMS * 10), MAX_ITEMS * 10)
    values = [filler.value(part, name, source, depth + 1, True).value for part in prefix[:most]]
    entries = (
        entries_of(filler.shapes.plain(item), name, source, most=most - len(values))
        if depth < MAX_DEPTH and item is not False
        else []
    )
    found = bool(entries)
    missing: tuple[str, ...] = ()
    for entry in entries:
        if entry.value is not None and filler.shapes.fits(entry.value, item):
            values.append(entry.value)
        elif entry.source is not None:
            filled = filler.value(item, name, entry.source, depth + 1, True)
            missing = missing or filled.missing
            values.append(filled.value)
    contains = plain.get("contains")
    if contains is not None:
        both = {"allOf": [item, contains]} if item is not True else contains
        short = plain.get("minContains", 1) - sum(filler.shapes.fits(value, contains) for value in values)
        values += [
            filler.value(both, name, source, depth + 1, True).value for _ in range(min(max(short, 0), MAX_ITEMS))
        ]
    if plain.get("uniqueItems"):
        values = distinct(values)
    for number in range(2 * least):
        if len(values) >= least or filler.left < 0:
            break
        filled = filler.value(item, name, source.at(len(values)), depth + 1, True)
        value = (
            filled.value if not plain.get("uniqueItems") else another(filled.value, values, item, number, filler.shapes)
        )
        missing = missing or filled.missing
        values.append(value)
    return Filled(values[:most] if len(values) > most >= least else values, found, missing if required or least else ())
