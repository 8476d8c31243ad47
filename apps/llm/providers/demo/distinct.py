"""Values of a list that must differ from each other."""

from typing import Any

from apps.llm.providers.demo.pattern_text import matching_text
from apps.llm.providers.demo.shapes import Shapes

MAX_DEPTH = 4
ALPHABETS = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def distinct(values: list[Any]) -> list[Any]:
    """Each value once, in order."""
    kept: list[Any] = []
    for value in values:
        if not any(_same(value, other) for other in kept):
            kept.append(value)
    return kept


def another(value: Any, others: list[Any], item: Any, number: int, shapes: Shapes, depth: int = 0) -> Any:
    """A value of the item's schema that is not among the others: another of the listed, the next number, a numbered
    text; the value itself when none is found."""
    for candidate in _variants(value, others, shapes.plain(item), number, shapes, depth):
        if shapes.fits(candidate, item) and not any(_same(candidate, other) for other in others):
            return candidate
    return value


def _variants(
    value: Any, others: list[Any], plain: dict[str, Any], number: int, shapes: Shapes, depth: int
) -> list[Any]:
    variants: list[Any] = [value, *(plain.get("enum") or ())]
    if isinstance(value, int | float) and not isinstance(value, bool):
        step = plain.get("multipleOf", 1)
        variants += [value + step * (number + 1), value - step * (number + 1), value + (number + 1) / 1000]
    if isinstance(value, str):
        numbered = (f"{value} {number + 1}", f"{value}{number + 1}", f"{value[:-3]}{number + 1:03}")
        variants += [*numbered, value + "a" * (number + 1)]
        for at in range(len(value) - 1, max(len(value) - 6, -1), -1):  # one letter or digit another
            alphabet = next((kind for kind in ALPHABETS if value[at] in kind), "")
            variants += [value[:at] + letter + value[at + 1 :] for letter in alphabet]
        if isinstance(plain.get("pattern"), str):
            variants.append(matching_text(plain["pattern"], least=len(value) + number + 1))
    if isinstance(value, dict) and depth < MAX_DEPTH:
        properties = plain.get("properties") or {}
        for key, part in value.items():
            theirs = [other.get(key) for other in others if isinstance(other, dict)]
            changed = another(part, theirs, properties.get(key, True), number, shapes, depth + 1)
            variants.append(value | {key: changed})
    if isinstance(value, list) and value and depth < MAX_DEPTH:
        firsts = [other[0] for other in others if isinstance(other, list) and other]
        items = plain.get("prefixItems")
        first = items[0] if items else plain.get("items", True)
        variants.append([another(value[0], firsts, first, number, shapes, depth + 1), *value[1:]])
    return [*variants, True, False, None, number, f"item {number + 1}", [number]]


def _same(one: Any, other: Any) -> bool:
    """Equality of JSON: 1 is 1.0 but not true."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
