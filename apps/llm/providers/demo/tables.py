"""Rows out of what tools and people hand over: JSON in its usual envelopes, Markdown tables, CSV."""

import csv
import json
import math
import re
from dataclasses import dataclass
from typing import Any

MAX_ROWS = 20_000  # that are looked at; all are counted
MAX_COLUMNS = 200
_ENVELOPES = (
    "result",
    "data",
    "rows",
    "items",
    "results",
    "records",
    "values",
    "output",
    "jobs",
    "events",
    "hits",
    "primary",
)
_COUNTS = ("total", "total_count", "count", "rowcount", "row_count", "n", "num", "size")
_STARTS_TRIED = 8
_DIVIDER = re.compile(r"[\s|:-]+")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What a piece of data is. ``rows`` is None when it is one thing: then ``record`` or ``text``."""

    rows: list[Row] | None = None
    record: Row | None = None
    text: str = ""
    error: str = ""
    stated_count: int | None = None  # what the envelope says there is in all
    is_cut: bool = False  # the envelope says that there is more


def read(content: str) -> Found:
    """The content of a tool's message: the whole of it is data."""
    value = _json(content.strip())
    if value is not _NOT_JSON:
        return _found(value)
    table = _markdown(content) or _csv(content)
    if table is not None:
        return table
    text = content.strip()
    is_error = re.match(r"(?:error|errore|exception|traceback|failed)\b[\s:(]", text[:200], re.IGNORECASE)
    return Found(text=text, error=text[:500] if is_error else "")


def read_within(text: str) -> Found | None:
    """The rows in a person's message, wherever they stand in it; None when there are none."""
    table = _markdown(text)
    if table:
        return table
    decoder = json.JSONDecoder()
    starts = [match.start() for match, _ in zip(re.finditer(r"[\[{]", text), range(_STARTS_TRIED), strict=False)]
    for start in starts:
        try:
            value, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, list) and len(value) < 2 and not (value and isinstance(value[0], dict)):
            continue  # "[1]" in a text is no table
        found = _found(value)
        if found.rows is not None or found.record:
            return found
    block = re.search(r"```[^\n`]{0,40}+\n([^`]*+)```", text)
    body = block.group(1) if block else text.partition("\n")[2]
    return _csv(body) or _csv(text)


_NOT_JSON = object()


def _json(text: str) -> Any:
    if text[:1] not in ("{", "[") and not re.fullmatch(
        r"-?\d{1,300}(?:\.\d{1,300})?|true|false|null|\"[^\"]*\"", text[:2_000]
    ):
        return _NOT_JSON
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NOT_JSON


def _found(value: Any) -> Found:
    count: int | None = None
    is_cut = False
    columns: list[str] | None = None
    for _ in range(6):
        if not isinstance(value, dict):
            break
        error = _error_of(value)
        if error:
            return Found(error=error)
        if isinstance(value.get("columns"), list) and all(isinstance(name, str) for name in value["columns"]):
            columns = value["columns"]
        stated = [value[name] for name in _COUNTS if type(value.get(name)) is int and value[name] >= 0]
        inside = next((name for name in _ENVELOPES if isinstance(value.get(name), list | dict)), None)
        if inside is None:
            break
        count = stated[0] if stated else count
        is_cut = (
            is_cut
            or value.get("truncated") is True
            or value.get("has_more") is True
            or bool(value.get("next_page_token"))
        )
        value = value[inside]
    if isinstance(value, list):
        rows = _rows(value[:MAX_ROWS], columns)
        if count is None and len(value) > MAX_ROWS:
            count, is_cut = len(value), True
        return Found(rows=rows, stated_count=count, is_cut=is_cut)
    if isinstance(value, dict):
        return Found(record={str(name): part for name, part in list(value.items())[:MAX_COLUMNS]})
    if value is None:
        return Found(text="")
    return Found(record={"value": value}) if isinstance(value, int | float) else Found(text=str(value))


def _error_of(value: Row) -> str:
    error = value.get("error") or value.get("errors")
    failed = value.get("ok") is False or value.get("success") is False
    if not error and not failed:
        return ""
    parts = error if isinstance(error, dict) else value
    told = [
        str(parts[name]) for name in ("code", "message", "detail", "title") if isinstance(parts.get(name), str | int)
    ]
    if isinstance(error, str) and error not in told:
        told.insert(0, error)
    return ": ".join(told)[:500] or (json.dumps(error, default=str)[:500] if error else "it did not say why")


def _rows(values: list[Any], columns: list[str] | None) -> list[Row]:
    if values and all(isinstance(value, dict) for value in values):
        return [dict(list(value.items())[:MAX_COLUMNS]) for value in values]
    if values and all(isinstance(value, list) for value in values):
        names = (columns or [f"column {number + 1}" for number in range(len(values[0]))])[:MAX_COLUMNS]
        return [dict(zip(names, value, strict=False)) for value in values]
    name = columns[0] if columns and len(columns) == 1 else "value"
    return [{name: value} for value in values]


def _markdown(text: str) -> Found | None:
    lines = [line.strip() for line in text.splitlines() if line.lstrip().startswith("|")]
    if len(lines) < 2 or not _DIVIDER.fullmatch(lines[1]) or "-" not in lines[1]:
        return None
    names = _cells(lines[0])
    rows = [dict(zip(names, map(typed, _cells(line)), strict=False)) for line in lines[2 : MAX_ROWS + 2]]
    return _counted(rows, len(lines) - 2)


def _counted(rows: list[Row], count: int) -> Found:
    return Found(rows=rows, stated_count=count, is_cut=count > len(rows))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")][:MAX_COLUMNS]


def _csv(text: str) -> Found | None:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    count = len(lines) - 1
    lines = lines[: MAX_ROWS + 1]
    if len(lines) < 2:
        return None
    for delimiter in (",", ";", "\t"):
        width = lines[0].count(delimiter)
        if not 0 < width < MAX_COLUMNS or any(
            abs(line.count(delimiter) - width) > 0 and '"' not in line for line in lines
        ):
            continue
        if " " in lines[0].strip() and delimiter == "," and ", " in lines[0]:
            continue  # a sentence
        try:
            head, *body = list(csv.reader(lines, delimiter=delimiter))
        except csv.Error:
            continue
        names = [name.strip() for name in head]
        return _counted([dict(zip(names, map(typed, cells), strict=False)) for cells in body], count)
    return None


def typed(cell: str) -> Any:
    """A number where the cell is one."""
    cell = cell.strip()
    if len(cell) > 40 or not cell or cell[-1] not in "0123456789.":
        return cell
    try:
        number = float(cell)
    except ValueError:
        return cell
    if not math.isfinite(number):
        return cell
    return int(number) if number.is_integer() and "." not in cell and "e" not in cell.lower() else number
