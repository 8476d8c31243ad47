"""Tables in files: CSV with headings, or a JSON object a line. Read and written a row at a time. Pure but for the file.

What a spreadsheet would take for a formula is written behind an apostrophe (security, attack 62): text that begins with
``= + - @``, a tab or a carriage return and is no number.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Literal

TableFormat = Literal["csv", "jsonl"]
MEDIA_TYPES: dict[str, str] = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
LINE_CHARS_MAX = 4 << 20
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
csv.field_size_limit(1 << 20)


class RowError(ValueError):
    """A row that cannot be read, or made into what was asked for. The text says why."""


class TableError(ValueError):
    """The table cannot be read any further."""


Row = dict[str, Any]


def rows(path: Path, format_: TableFormat) -> Iterator[tuple[int, int, Row | RowError]]:
    """(line, bytes read so far, row), a RowError in place of a row that cannot be read. TableError."""
    with path.open("rb") as file:
        lines = _Lines(file)
        yield from (_csv(lines) if format_ == "csv" else _jsonl(lines))


class Writer:
    """Writes rows; ``count`` of them so far. A CSV's headings are the first row's columns, or ``columns``."""

    def __init__(self, file: IO[str], format_: TableFormat, columns: Iterable[str] = ()) -> None:
        self.count = 0
        self._file, self._format = file, format_
        self._columns = list(columns)
        self._csv = csv.writer(file, lineterminator="\r\n")
        if format_ == "csv" and self._columns:
            self._csv.writerow([safe_cell(name) for name in self._columns])

    def turn_to(self, file: IO[str]) -> None:
        """Write on there."""
        self._file = file
        self._csv = csv.writer(file, lineterminator="\r\n")

    def write(self, row: Mapping[str, Any]) -> None:
        """RowError for a column that a CSV's headings do not have."""
        if self._format == "jsonl":
            self._file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
        else:
            if not self._columns:
                self._columns = list(row)
                self._csv.writerow([safe_cell(name) for name in self._columns])
            beyond = row.keys() - set(self._columns)
            if beyond:
                raise RowError(f"it has {sorted(beyond)[0][:40]!r}, which the first row has not: select columns first")
            self._csv.writerow([safe_cell(row.get(name)) for name in self._columns])
        self.count += 1


def safe_cell(value: Any) -> str:
    """A value as a cell that no spreadsheet runs."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


class _Lines:
    """Text lines, counted, with the bytes they took."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.number = self.bytes_read = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        raw = self._file.readline(LINE_CHARS_MAX)
        if not raw:
            raise StopIteration
        if len(raw) >= LINE_CHARS_MAX and not raw.endswith(b"\n"):
            raise TableError(f"line {self.number + 1} is longer than {LINE_CHARS_MAX >> 20} MiB")
        self.number += 1
        self.bytes_read += len(raw)
        try:
            return raw.decode("utf-8-sig" if self.number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise TableError(f"line {self.number} is not UTF-8") from error


def _csv(lines: _Lines) -> Iterator[tuple[int, int, Row | RowError]]:
    reader = csv.reader(lines, strict=True)
    try:
        headings = next(reader, None)
        if headings is None:
            return
        if len(set(headings)) != len(headings):
            raise TableError("the headings of a CSV must name each column once")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(headings):
                yield lines.number, lines.bytes_read, RowError(f"{len(cells)} cells under {len(headings)} headings")
            else:
                yield lines.number, lines.bytes_read, dict(zip(headings, cells, strict=True))
    except csv.Error as error:
        raise TableError(f"line {lines.number} is not CSV: {error}") from error


def _jsonl(lines: _Lines) -> Iterator[tuple[int, int, Row | RowError]]:
    for line in lines:
        if not line.strip():
            continue
        row: Row | RowError
        try:
            said = json.loads(line)
            row = said if isinstance(said, dict) else RowError("this is not a JSON object")
        except (ValueError, RecursionError):
            row = RowError("this is not JSON")
        yield lines.number, lines.bytes_read, row
