"""Tables and what is done to their rows: what is kept, what is refused, and how it is said."""

import io
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from apps.files.tables import RowError, TableError, Writer, rows, safe_cell
from apps.files.transforms import AnyOperation, through

pytestmark = pytest.mark.requirement("tools:etl")
OPERATION: TypeAdapter[Any] = TypeAdapter(AnyOperation)


def done(row: dict[str, Any], *operations: dict[str, Any]) -> dict[str, Any] | None:
    return through([OPERATION.validate_python(one) for one in operations], row)


def read(tmp_path: Path, content: bytes, format_: Any = "csv") -> list[Any]:
    (tmp_path / "table").write_bytes(content)
    return [row if isinstance(row, dict) else str(row) for _, _, row in rows(tmp_path / "table", format_)]


def test_csv_is_read_with_quotes_line_feeds_and_a_mark_at_its_beginning(tmp_path: Path) -> None:
    content = '\ufeffa,b\r\n1,"x, ""y""\nz"\r\n\r\n2,\r\nonly one\r\n'.encode()

    assert read(tmp_path, content) == [{"a": "1", "b": 'x, "y"\nz'}, {"a": "2", "b": ""}, "1 cells under 2 headings"]


def test_lines_of_json_are_objects(tmp_path: Path) -> None:
    found = read(tmp_path, b'{"a": 1}\n\n[1]\nno\n', "jsonl")

    assert found == [{"a": 1}, "this is not a JSON object", "this is not JSON"]


@pytest.mark.parametrize(
    ("content", "format_", "says"),
    [
        (b"a,a\n1,2\n", "csv", "each column once"),
        (b'a\n"1\n', "csv", "not CSV"),
        (b"\xff\xfe", "jsonl", "not UTF-8"),
        (b"x" * (5 << 20), "jsonl", "longer than 4 MiB"),
    ],
    ids=["twice", "quote", "bytes", "long"],
)
def test_what_is_no_table_says_where(tmp_path: Path, content: bytes, format_: Any, says: str) -> None:
    with pytest.raises(TableError, match=says):
        read(tmp_path, content, format_)


@pytest.mark.requirement("security:62")
@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+x", "'+x"),
        ("-x", "'-x"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("-5", "-5"),
        ("+3.5e-2", "+3.5e-2"),
        ("-1e", "'-1e"),
        (-5, "-5"),
        (None, ""),
        (True, "true"),
        (["=x"], '["=x"]'),
        ("x=1", "x=1"),
    ],
)
def test_a_cell_is_never_a_formula(value: Any, cell: str) -> None:
    assert safe_cell(value) == cell


def test_a_csv_has_the_columns_of_its_first_row() -> None:
    file = io.StringIO(newline="")
    writer = Writer(file, "csv")

    writer.write({"a": 1, "b": "x"})
    writer.write({"b": "y"})
    with pytest.raises(RowError, match="'c'"):
        writer.write({"a": 1, "c": 2})

    assert (file.getvalue(), writer.count) == ("a,b\r\n1,x\r\n,y\r\n", 2)


@pytest.mark.parametrize(
    ("value", "to", "expected"),
    [
        ("42", "integer", 42),
        (" 42 ", "integer", 42),
        ("4.0", "integer", 4),
        ("4.5", "decimal", 4.5),
        ("1e3", "decimal", 1000.0),
        ("", "integer", None),
        (None, "text", None),
        (True, "text", "true"),
        ("yes", "boolean", True),
        ("0", "boolean", False),
        (7, "text", "7"),
    ],
)
def test_a_cast_gives_the_type(value: Any, to: str, expected: Any) -> None:
    assert done({"a": value}, {"op": "cast", "columns": {"a": to}}) == {"a": expected}


@pytest.mark.parametrize(
    ("value", "to"),
    [
        ("x", "integer"),
        ("4.5", "integer"),
        ("nan", "decimal"),
        ("inf", "decimal"),
        ("1_000", "integer"),
        ("maybe", "boolean"),
        ("9" * 50, "integer"),
    ],
)
def test_what_does_not_read_as_its_type_is_a_bad_row(value: Any, to: str) -> None:
    with pytest.raises(RowError):
        done({"a": value}, {"op": "cast", "columns": {"a": to}})


@pytest.mark.parametrize(
    ("value", "test", "wanted", "passes"),
    [
        ("17", "eq", 17, True),
        ("17", "eq", "17.0", True),
        ("x", "eq", "x", True),
        ("x", "ne", "y", True),
        ("9", "lt", "10", True),
        ("a", "lt", "b", True),
        ("", "lt", "b", False),
        (None, "missing", None, True),
        ("", "present", None, False),
        ("TP53", "starts_with", "TP", True),
        ("TP53", "contains", "5", True),
        ("TP53", "ends_with", "4", False),
        ("b", "in", ["a", "b"], True),
        ("c", "in", ["a", "b"], False),
        (3, "ge", 3, True),
    ],
)
def test_a_filter_keeps_what_passes(value: Any, test: str, wanted: Any, passes: bool) -> None:
    kept = done({"a": value}, {"op": "filter", "column": "a", "test": test, "value": wanted})

    assert (kept is not None) == passes


@pytest.mark.parametrize(
    ("how", "more", "expected"),
    [
        ("concat", {"separator": "-"}, "3-4"),
        ("sum", {}, 7),
        ("difference", {}, -1),
        ("product", {}, 12),
        ("quotient", {}, 0.75),
        ("first", {}, "3"),
        ("length", {}, 1),
        ("constant", {"value": None}, None),
    ],
)
def test_a_column_is_derived(how: str, more: dict[str, Any], expected: Any) -> None:
    made = done({"a": "3", "b": "4"}, {"op": "derive", "column": "c", "how": how, "columns": ["a", "b"], **more})

    assert made == {"a": "3", "b": "4", "c": expected}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "derive", "column": "c", "how": "quotient", "columns": ["a", "zero"]},
        {"op": "derive", "column": "c", "how": "sum", "columns": ["text", "a"]},
        {"op": "derive", "column": "c", "how": "product", "columns": ["huge", "huge"]},
        {"op": "select", "columns": ["nothing"]},
        {"op": "rename", "columns": {"a": "text"}},
    ],
    ids=["zero", "text", "huge", "column", "twice"],
)
def test_what_cannot_be_worked_out_is_a_bad_row(operation: dict[str, Any]) -> None:
    with pytest.raises(RowError):
        done({"a": "3", "zero": "0", "text": "x", "huge": 2**62}, operation)
