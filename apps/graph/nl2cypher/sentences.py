"""Rows as sentences, without a model."""

from collections.abc import Sequence
from typing import Any

from apps.graph import schema

SHOWN = 5
VALUE_CHARS = 80
PLACES = 4


def bare_count(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int | None:
    """The one whole number that is all there is; None otherwise."""
    if len(columns) == 1 and len(rows) == 1 and type(rows[0][0]) is int:
        return int(rows[0][0])
    return None


def count_sentence(number: int, nouns: tuple[str, str] | None) -> str:
    """``42 tasks.``"""
    if nouns is None:
        return f"The answer is {number:,}."
    return f"{number:,} {nouns[0] if number == 1 else nouns[1]}."


def table_sentence(
    reading: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, truncated: bool
) -> str:  # fmt: skip
    """What the rows hold, the first few of them one by one."""
    if len(columns) == 1 and len(rows) == 1 and type(rows[0][0]) is bool:
        return f"{'Yes' if rows[0][0] else 'No'}. The question was {reading}."
    if not rows:
        return f"Nothing was found for {reading}."
    if len(columns) == 1 and len(rows) == 1:
        return f"{_upper(reading)}: {shown(rows[0][0])}."
    told = "; ".join(_row(columns, row) for row in rows[:SHOWN])
    amount = f"{len(rows):,} {'row' if len(rows) == 1 else 'rows'}"
    further = len(rows) - SHOWN
    more = f"; and {further:,} more" if further > 0 else ""
    cut = " There are more than were fetched." if truncated else ""
    return f"{_upper(reading)}, {amount}: {told}{more}.{cut}"


def shown(value: Any) -> str:
    """One value in a sentence: nodes by their names, paths as a chain, long texts cut, control characters out."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{round(value, PLACES):,}"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, dict):
        return _chain(value) if "nodes" in value else _node(value)
    if isinstance(value, list | tuple):
        return ", ".join(shown(one) for one in value[:SHOWN]) + (", …" if len(value) > SHOWN else "")
    text = "".join(one if one.isprintable() else " " for one in str(value))
    return text if len(text) <= VALUE_CHARS else f"{text[:VALUE_CHARS]}…"


def _row(columns: Sequence[str], row: Sequence[Any]) -> str:
    first, *rest = (shown(value) for value in row)
    details = ", ".join(f"{name} {value}" for name, value in zip(columns[1:], rest, strict=True))
    return f"{first} ({details})" if details else first


def _node(value: dict[str, Any]) -> str:
    labels, properties = value.get("labels") or [], value.get("properties") or {}
    known = next((schema.label_named(one) for one in labels if one in schema.LABEL_NAMES), None)
    if known is None:
        return str(value.get("uid") or value.get("type") or "a node")
    return f"{known.label.lower()} {properties.get(known.name) or properties.get(known.key) or value.get('uid')}"


def _chain(path: dict[str, Any]) -> str:
    parts = [_node(one) for one in path["nodes"]]
    types = [str(one.get("type", "")) for one in path.get("relationships", ())]
    linked = [f" -{type_}- {part}" for type_, part in zip(types, parts[1:], strict=False)]
    return parts[0] + "".join(linked) if parts else "an empty path"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
