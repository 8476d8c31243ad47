"""CSV under its headings, as both kinds of it are read: the graph's own files and tables. Pure."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from apps.graph.records import RecordError, UntrustedError
from kernel.csv_records import CsvError, RecordTooLargeError, records

T = TypeVar("T")


def under_headings(
    lines: Iterator[str], heading: str, names_of: Callable[[list[str]], list[T]]
) -> Iterator[list[tuple[T, str]] | None]:
    """(name, cell) of each record; None for a line without one, which the headings are. ``names_of``: what the headings
    mean, or an error. ``heading``: the file's first line, when ``lines`` begin later than that.

    RecordError; UntrustedError for a record beyond the bounds, after which nobody knows where the next one begins.
    """
    try:
        names = names_of(_first(heading)) if heading else None
        for cells in records(lines):
            if names is None:
                names = names_of(cells)
                yield None
            elif not cells:
                yield None
            elif len(cells) != len(names):
                raise RecordError(f"{len(cells)} cells under {len(names)} headings")
            else:
                yield list(zip(names, cells, strict=True))
    except RecordTooLargeError as error:
        raise UntrustedError(str(error)) from error
    except CsvError as error:
        raise RecordError(str(error)) from error


def _first(heading: str) -> list[str]:
    try:
        return next(records([heading]))
    except CsvError as error:
        raise UntrustedError("the headings must be one line of CSV") from error
