"""Rows as Markdown, CSV or JSON, and numbers as a sparkline."""

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json

from apps.graph.drawing.text import shown

CELL_CHARS = 500
_MARKUP = "\\`*_{}[]()<>#+-.!|~&:@$="
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_TICKS = "▁▂▃▄▅▆▇█"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table of GitHub's Markdown. Whatever is in a cell is text: no link, picture, markup or HTML."""
    lines = [_line(columns), "|" + "|".join([" --- "] * len(columns)) + "|", *map(_line, rows)]
    return "\n".join(lines) + "\n"


def csv_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """RFC 4180. A text that a spreadsheet would take for a formula stands behind an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([_harmless(one) for one in columns])
    writer.writerows([[_harmless(value) for value in row] for row in rows])
    return out.getvalue()


def json_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A list of objects, one a row."""
    return to_json([dict(zip(columns, row, strict=True)) for row in rows], inf_nan_mode="strings").decode()


def sparkline(values: Sequence[float | None]) -> str:
    """One character a number, from the smallest to the largest; a space where there is none."""
    numbers = [value for value in values if value is not None and math.isfinite(value)]
    if not numbers:
        return " " * len(values)
    least, span = min(numbers), max(numbers) - min(numbers)
    steps = len(_TICKS) - 1
    return "".join(
        " " if value is None or not math.isfinite(value)
        else _TICKS[round((value - least) / span * steps) if 0 < span < math.inf else steps // 2]
        for value in values
    )  # fmt: skip


def _line(cells: Sequence[Any]) -> str:
    return "|" + "|".join(f" {_cell(one)} " for one in cells) + "|"


def _cell(value: Any) -> str:
    text = " ".join(shown(value).replace("\0", "").split())
    text = text if len(text) <= CELL_CHARS else text[: CELL_CHARS - 1] + "…"
    return "".join(f"\\{char}" if char in _MARKUP else char for char in text)


def _harmless(value: Any) -> str:
    text = shown(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
