"""The records of CSV (RFC 4180), read one at a time and bounded. Pure.

A record may go over many lines inside quotes, so that bounds on a line and on a cell do not bound it: without its own
it takes as much memory as its file has, and nobody who waits for it can stop it.
"""

import csv
from collections.abc import Iterable, Iterator

CELL_CHARS_MAX = 1 << 20
RECORD_CHARS_MAX = 4 << 20
CELLS_MAX = 10_000
csv.field_size_limit(CELL_CHARS_MAX)


class CsvError(ValueError):
    """What is read is not CSV. The text says why; it stands at the last line that was taken."""


class RecordTooLargeError(CsvError):
    """A record is beyond the bounds. Where the next one begins nobody knows."""


def records(lines: Iterable[str]) -> Iterator[list[str]]:
    """The cells of each record; none for an empty line. Takes no more lines than the record at hand needs.

    CsvError, also for a cell beyond CELL_CHARS_MAX; RecordTooLargeError beyond RECORD_CHARS_MAX or CELLS_MAX. Whatever
    ``lines`` raises passes.
    """
    taken = _Taken(lines)
    reader = csv.reader(taken, strict=True)
    while True:
        taken.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise CsvError(f"this is not CSV: {error}") from error
        if len(cells) > CELLS_MAX:
            raise _too_many_cells()
        yield cells


class _Taken:
    """Lines, counted from the beginning of each record."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._chars = 0

    def begin(self) -> None:
        self._chars = 0

    def __iter__(self) -> "_Taken":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        if not self._chars and '"' not in line and line.count(",") >= CELLS_MAX:
            raise _too_many_cells()  # before they are made
        self._chars += len(line)
        if self._chars > RECORD_CHARS_MAX:
            raise RecordTooLargeError(f"the record is longer than {RECORD_CHARS_MAX:,} characters")
        return line


def _too_many_cells() -> RecordTooLargeError:
    return RecordTooLargeError(f"the record has more than {CELLS_MAX:,} cells")
