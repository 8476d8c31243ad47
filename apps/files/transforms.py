"""What can be done to the rows of a table: declared operations, one after the other. No text of a caller's is run.

Each takes a row and gives one, or None for a row that goes; RowError for one that it does not fit.
"""

import operator
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from apps.files.tables import Row, RowError

Column = Annotated[str, Field(min_length=1, max_length=200)]
Columns = Annotated[list[Column], Field(min_length=1, max_length=200)]
Plain = str | int | float | bool | None
CELL_CHARS_MAX = 1 << 20
ROW_CHARS_MAX = 4 << 20  # of all texts in a row, between any two operations, too


class Operation(BaseModel):
    """One step."""

    model_config = ConfigDict(extra="forbid")

    def apply(self, row: Row) -> Row | None:
        raise NotImplementedError


class Select(Operation):
    """Keep these columns, in this order."""

    op: Literal["select"]
    columns: Columns

    def apply(self, row: Row) -> Row:
        return {name: _of(row, name) for name in self.columns}


class Rename(Operation):
    """Old name -> new name."""

    op: Literal["rename"]
    columns: dict[Column, Column] = Field(min_length=1, max_length=200)

    def apply(self, row: Row) -> Row:
        for name in self.columns:
            _of(row, name)
        renamed = {self.columns.get(name, name): value for name, value in row.items()}
        if len(renamed) != len(row):
            raise RowError("two columns would have the same name")
        return renamed


class Cast(Operation):
    """Column -> type. An empty text becomes null; what does not read as its type is a bad line."""

    op: Literal["cast"]
    columns: dict[Column, Literal["text", "integer", "decimal", "boolean"]] = Field(min_length=1, max_length=200)

    def apply(self, row: Row) -> Row:
        made = dict(row)
        for name, to in self.columns.items():
            made[name] = _cast(name, _of(row, name), to)
            if to == "text":
                _require_small(made)
        return made


class Filter(Operation):
    """Keep rows whose column passes the test. Numbers and texts that read as numbers compare as numbers."""

    op: Literal["filter"]
    column: Column
    test: Literal[
        "eq", "ne", "lt", "le", "gt", "ge", "contains", "starts_with", "ends_with", "in", "missing", "present"
    ]
    value: Plain | list[Plain] = None

    def apply(self, row: Row) -> Row | None:
        return row if _passes(_of(row, self.column), self.test, self.value) else None


class Derive(Operation):
    """A new column, or a new value of one, from others."""

    op: Literal["derive"]
    column: Column
    how: Literal["concat", "sum", "difference", "product", "quotient", "lower", "upper", "trim", "length", "first",
                 "constant"]  # fmt: skip
    columns: list[Column] = Field(default_factory=list, max_length=50, description="What it is made from.")
    separator: str = Field("", max_length=20, description="Of concat.")
    value: Plain = Field(None, description="Of constant.")

    def apply(self, row: Row) -> Row:
        values = [_of(row, name) for name in self.columns]
        return {**row, self.column: self._value(values)}

    def _value(self, values: list[Any]) -> Any:
        if self.how == "constant":
            return self.value
        if self.how == "concat":
            texts, left = [], CELL_CHARS_MAX + len(self.separator)
            for value in values:
                texts.append("" if value is None else _text(value))
                left -= len(texts[-1]) + len(self.separator)
                if left < 0:
                    raise RowError(f"{self.column} would be longer than {CELL_CHARS_MAX} characters")
            return self.separator.join(texts)
        if self.how == "first":
            return next((value for value in values if value not in (None, "")), None)
        if not values:
            raise RowError(f"{self.how} needs columns")
        if self.how in _OF_TEXT:
            return None if values[0] is None else _OF_TEXT[self.how](_text(values[0]))
        return self._number([_number(name, value) for name, value in zip(self.columns, values, strict=True)])

    def _number(self, numbers: list[int | float | None]) -> Any:
        present = [number for number in numbers if number is not None]
        if len(present) != len(numbers):
            return None
        result: Any = present[0]
        try:
            for number in present[1:]:
                result = _OF_NUMBERS[self.how](result, number)
        except (ZeroDivisionError, OverflowError) as error:
            raise RowError(f"{self.column} cannot be worked out: {error}") from error
        if (isinstance(result, float) and result - result != 0) or (isinstance(result, int) and abs(result) >= 2**63):
            raise RowError(f"{self.column} is beyond what a number may be")
        return result


AnyOperation = Annotated[Select | Rename | Cast | Filter | Derive, Field(discriminator="op")]


def through(operations: Iterable[Operation], row: Row) -> Row | None:
    """The row after every operation; None when one of them lets it go. RowError."""
    found: Row | None = row
    for one in operations:
        if found is None:
            return None
        found = one.apply(found)
        if found is not None:
            _require_small(found)
    return found


def _require_small(row: Row) -> None:
    if sum(len(value) for value in row.values() if isinstance(value, str)) > ROW_CHARS_MAX:
        raise RowError(f"the row would have more than {ROW_CHARS_MAX:,} characters")


_OF_TEXT: dict[str, Callable[[str], Any]] = {
    "lower": str.lower, "upper": str.upper, "trim": str.strip, "length": len,
}  # fmt: skip
_OF_NUMBERS: dict[str, Callable[[Any, Any], Any]] = {
    "sum": operator.add, "difference": operator.sub, "product": operator.mul, "quotient": operator.truediv,
}  # fmt: skip
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
}  # fmt: skip
_IN_TEXT: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text, "starts_with": str.startswith, "ends_with": str.endswith,
}  # fmt: skip


def _of(row: Row, name: str) -> Any:
    if name not in row:
        raise RowError(f"there is no column {name[:40]!r}")
    return row[name]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return str(value).lower() if isinstance(value, bool) else str(value)
    except RecursionError as error:
        raise RowError("it is nested too deeply") from error


def _number(name: str, value: Any) -> int | float | None:
    if value is None or value == "":
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    found = _as_number(value)
    if found is None:
        raise RowError(f"{name} is no number: {_text(value)[:40]!r}")
    return found


def _as_number(value: Any) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if not isinstance(value, str):
        return value
    if len(value) > 40 or "_" in value:
        return None
    try:
        return int(value)
    except ValueError:
        pass
    try:
        found = float(value)
    except ValueError:
        return None
    return found if found - found == 0 else None


def _cast(name: str, value: Any, to: str) -> Any:
    if value is None or value == "":
        return None
    if to == "text":
        return _text(value)
    if to == "boolean":
        known = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
        found = known.get(_text(value).strip().lower())
        if found is None:
            raise RowError(f"{name} is neither true nor false: {_text(value)[:40]!r}")
        return found
    number = _number(name, value.strip() if isinstance(value, str) else value)
    if number is None and to == "decimal":
        return None
    try:
        if number is not None and to == "decimal":
            return float(number)
        whole = None if number is None else int(number)
    except (OverflowError, ValueError) as error:  # infinity, or none; ten to the 400th
        raise RowError(f"{name} is beyond what a number may be: {_text(value)[:40]!r}") from error
    if whole is None or number != whole:
        raise RowError(f"{name} is no whole number: {_text(value)[:40]!r}")
    return whole


def _passes(value: Any, test: str, wanted: Any) -> bool:
    is_missing = value is None or value == ""
    if test in ("missing", "present"):
        return is_missing == (test == "missing")
    if test == "in":
        return any(_equal(value, one) for one in (wanted if isinstance(wanted, list) else [wanted]))
    if test in ("eq", "ne"):
        return _equal(value, wanted) == (test == "eq")
    if is_missing or wanted is None:
        return False
    if test in _IN_TEXT:
        return _IN_TEXT[test](_text(value), _text(wanted))
    one, other = _as_number(value), _as_number(wanted)
    if one is None or other is None:
        return _COMPARED[test](_text(value), _text(wanted))
    return _COMPARED[test](one, other)


def _equal(value: Any, wanted: Any) -> bool:
    one, other = _as_number(value), _as_number(wanted)
    if one is not None and other is not None:
        return one == other
    return bool(value == wanted) or (value is not None and wanted is not None and _text(value) == _text(wanted))
