"""Tables in files: CSV with headings, or a JSON object a line. Read and written a row at a time. Pure but for the file.

What a spreadsheet would take for a formula is written behind an apostrophe (security, attack 62): text that begins with
``= + - @``, a tab or a carriage return and is no number.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Literal

from kernel import csv_records
from kernel.csv_records import CELLS_MAX

TableFormat = Literal["csv", "jsonl"]
MEDIA_TYPES: dict[str, str] = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
LINE_CHARS_MAX = 4 << 20
LOOK_LINES = 10_000
ROW_BYTES_MAX = 4 << 20  # as it is written: what is longer could not be read again
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class RowError(ValueError):
    """A row that cannot be read, or made into what was asked for. The text says why."""


class TableError(ValueError):
    """The table cannot be read any further."""


Row = dict[str, Any]


def rows(
    path: Path, format_: TableFormat, look: Callable[[], object] = lambda: None
) -> Iterator[tuple[int, int, Row | RowError]]:
    """(line, bytes read so far, row), a RowError in place of a row that cannot be read. TableError.

    ``look`` is called every LOOK_LINES lines, for many of them may hold no row.
    """
    with path.open("rb") as file:
        lines = _Lines(file, look)
        yield from (_csv(lines) if format_ == "csv" else _jsonl(lines))


class Writer:
    """Writes rows; ``count`` of them so far, in ``size_bytes``. A CSV's headings are the first row's columns, or
    ``columns``. ``room(bytes in all)`` is called before anything is written, and may refuse it."""

    def __init__(
        self,
        file: IO[str],
        format_: TableFormat,
        columns: Iterable[str] = (),
        room: Callable[[int], object] = lambda size_bytes: None,
    ) -> None:
        self.count = self.size_bytes = 0
        self._file, self._format, self._room = file, format_, room
        self._columns = list(columns)
        if format_ == "csv" and self._columns:
            self._put(_csv_line(self._columns))

    def turn_to(self, file: IO[str], room: Callable[[int], object] = lambda size_bytes: None) -> None:
        """Write on there."""
        self._file, self._room = file, room

    def write(self, row: Mapping[str, Any]) -> None:
        """RowError for a column that a CSV's headings do not have, for a row of more than ROW_BYTES_MAX, and for what
        no text can hold: half a character, a number that JSON does not have. Nothing of it is written then."""
        columns = self._columns
        try:
            if self._format == "jsonl":
                text = _json_line(row)
            else:
                columns = columns or list(row)
                beyond = row.keys() - set(columns)
                if beyond:
                    name = sorted(beyond)[0][:40]
                    raise RowError(f"it has {name!r}, which the first row has not: select columns first")
                text = "" if self._columns else _csv_line(columns)
                text += _csv_line(row.get(name) for name in columns)
            self._put(text)
        except RecursionError as error:
            raise RowError("it is nested too deeply") from error
        self._columns = columns
        self.count += 1

    def _put(self, text: str) -> None:
        try:
            size_bytes = self.size_bytes + len(text.encode())
        except UnicodeEncodeError as error:
            raise RowError("it holds half a character (a lone surrogate)") from error
        self._room(size_bytes)
        self._file.write(text)
        self.size_bytes = size_bytes


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


def _csv_line(values: Iterable[Any]) -> str:
    cells, left = [], ROW_BYTES_MAX
    for value in values:
        cell = safe_cell(value)
        left = _less(left, cell)
        cells.append(cell)
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()


def _json_line(row: Mapping[str, Any]) -> str:
    """A part at a time: a short row may name one long text many times."""
    parts, left = [], ROW_BYTES_MAX
    for name, value in row.items():
        try:
            part = f"{json.dumps(name, ensure_ascii=False)}:{_COMPACT.encode(value)}"
        except ValueError as error:
            raise RowError(f"{name[:40]!r} is a number that JSON does not have") from error
        left = _less(left, part)
        parts.append(part)
    return "{" + ",".join(parts) + "}\n"


def _less(left: int, part: str) -> int:
    left -= len(part) if part.isascii() else len(part.encode(errors="replace"))
    if left < 0:
        raise RowError(f"it would be larger than {ROW_BYTES_MAX:,} bytes")
    return left


class _Lines:
    """Text lines, counted, with the bytes they took."""

    def __init__(self, file: IO[bytes], look: Callable[[], object]) -> None:
        self._file, self._look = file, look
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
        if self.number % LOOK_LINES == 0:
            self._look()
        try:
            return raw.decode("utf-8-sig" if self.number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise TableError(f"line {self.number} is not UTF-8") from error


def _csv(lines: _Lines) -> Iterator[tuple[int, int, Row | RowError]]:
    found = csv_records.records(lines)
    try:
        headings = next(found, None)
        if headings is None:
            return
        if len(set(headings)) != len(headings):
            raise TableError("the headings of a CSV must name each column once")
        for cells in found:
            if not cells:
                continue
            if len(cells) != len(headings):
                yield lines.number, lines.bytes_read, RowError(f"{len(cells)} cells under {len(headings)} headings")
            else:
                yield lines.number, lines.bytes_read, dict(zip(headings, cells, strict=True))
    except csv_records.CsvError as error:
        raise TableError(f"line {lines.number}: {error}") from error


def _jsonl(lines: _Lines) -> Iterator[tuple[int, int, Row | RowError]]:
    for line in lines:
        if not line.strip():
            continue
        row: Row | RowError
        try:
            said = json.loads(line)
            row = said if isinstance(said, dict) else RowError("this is not a JSON object")
            if isinstance(said, dict) and len(said) > CELLS_MAX:
                row = RowError(f"it has more than {CELLS_MAX:,} columns")
        except (ValueError, RecursionError):
            row = RowError("this is not JSON")
        yield lines.number, lines.bytes_read, row
