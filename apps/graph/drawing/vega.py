"""Rows as a Vega-Lite specification, with the data in it: nothing is fetched, and no text is an expression.

Columns are called c0, c1, ... in the data, because Vega-Lite reads dots and brackets in names; their titles are theirs.
"""

import re
from collections.abc import Sequence
from typing import Any, Literal

from apps.graph.drawing.text import label_of, shown

Mark = Literal["bar", "line", "area", "point", "arc", "histogram"]
Measure = Literal["quantitative", "temporal", "nominal"]
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_TIME = re.compile(r"\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?)?)?", re.ASCII)


def measure_of(values: Sequence[Any]) -> Measure:
    """What a column holds: numbers, times as ISO texts, or names."""
    there = [value for value in values if value is not None]
    if there and all(isinstance(one, int | float) and not isinstance(one, bool) for one in there):
        return "quantitative"
    if there and all(isinstance(one, str) and len(one) >= len("2024-05") and _TIME.fullmatch(one) for one in there):
        return "temporal"
    return "nominal"


def choose(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> tuple[Mark, str, str | None, str | None]:
    """The kind of chart that such data ask for, and its columns: (mark, x, y, colour).

    ValueError without columns.
    """
    measures = {name: measure_of([row[place] for row in rows]) for place, name in enumerate(columns)}
    numbers = [name for name in columns if measures[name] == "quantitative"]
    times = [name for name in columns if measures[name] == "temporal"]
    names = [name for name in columns if measures[name] == "nominal"]
    if not columns:
        raise ValueError("there is no column to draw")
    if times and numbers:
        return "line", times[0], numbers[0], next(iter(names), None)
    if names and numbers:
        return "bar", names[0], numbers[0], names[1] if len(names) > 1 else None
    if len(numbers) > 1:
        return "point", numbers[0], numbers[1], None
    if numbers:
        return "histogram", numbers[0], None, None
    return "bar", (names or times)[0], None, None


def specification(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    mark: Mark,
    x: str,
    y: str | None,
    color: str | None,
    title: str,
) -> dict[str, Any]:
    """``y`` None: how many rows there are for each x. ``x``, ``y`` and ``color`` are names of columns."""
    keys = {name: f"c{place}" for place, name in enumerate(columns)}
    used = [name for name in dict.fromkeys((x, y, color)) if name is not None]
    measures = {name: measure_of([row[columns.index(name)] for row in rows]) for name in used}
    values = [{keys[name]: _value(row[columns.index(name)], measures[name]) for name in used} for row in rows]
    return {
        "$schema": SCHEMA,
        "title": label_of(title) if title else _titled(x, y),
        "width": 480,
        "height": 300,
        "data": {"values": values},
        "mark": {"type": "bar" if mark == "histogram" else mark, "tooltip": True},
        "encoding": _encoding(mark, _Field(x, keys, measures), y and _Field(y, keys, measures),
                              color and _Field(color, keys, measures)),
    }  # fmt: skip


class _Field:
    """A column as an encoding names it."""

    def __init__(self, name: str, keys: dict[str, str], measures: dict[str, Measure]) -> None:
        self.measure = measures[name]
        self.channel: dict[str, Any] = {"field": keys[name], "type": self.measure, "title": label_of(name) or " "}


_COUNTED: dict[str, Any] = {"aggregate": "count", "type": "quantitative", "title": "count"}


def _encoding(mark: Mark, x: Any, y: Any, color: Any) -> dict[str, Any]:
    amount = y.channel if y else _COUNTED
    if mark == "arc":
        return {"theta": {**amount, "stack": True}, "color": {**x.channel, "type": "nominal"}}
    across = dict(x.channel)
    if mark == "histogram":
        across, amount = {**across, "bin": True, "type": "quantitative"}, _COUNTED
    elif mark == "bar" and x.measure == "nominal":
        across["sort"] = None  # as the rows come
    encoding: dict[str, Any] = {"x": across, "y": amount}
    if color:
        encoding["color"] = {**color.channel, "type": "nominal" if color.measure == "nominal" else color.measure}
    return encoding


def _titled(x: str, y: str | None) -> str:
    return label_of(f"{y or 'count'} by {x}")


def _value(value: Any, measure: Measure) -> Any:
    """Numbers and times as they are; anything else as a line of text."""
    return value if measure == "quantitative" or value is None else label_of(shown(value))
