r"""CSV as neo4j-admin reads it: a directory with ``nodes-LABEL.csv`` and ``relationships-TYPE.csv``.

Headings are ``uid:ID,:LABEL,task_id:string,size:long,tags:string[]`` and ``:START_ID,:END_ID,:TYPE,since:long``. An
empty cell is a property that is missing. A text that is empty, or begins with a backslash or with what a spreadsheet
takes for a formula (``= + - @``, tab, carriage return, apostrophe), stands behind a backslash. Items of a list are
apart by ``;``; inside of them a backslash stands before ``;`` and backslash; a list without any is ``\[]``.
"""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from apps.graph.records import Node, Record, RecordError, UntrustedError
from apps.graph.schema import TENANT, Property
from apps.graph.transfer.formats import Format, Raw, RawEdge, RawNode
from apps.graph.transfer.headings import under_headings
from apps.graph.transfer.sections import Section

CSV_TYPES = {
    "text": "string", "integer": "long", "decimal": "double", "boolean": "boolean", "date": "string", "time": "string",
    "texts": "string[]",
}  # fmt: skip
NO_ITEMS = "\\[]"
_HIDDEN = ("=", "+", "-", "@", "\t", "\r", "'", "\\")
_ITEM = re.compile(r"((?:[^;\\]|\\.)*)(;|$)", re.DOTALL)


class Csv(Format):
    name = "csv"
    is_directory = True
    has_heading = True

    def file_name(self, section: Section) -> str:
        return f"{'nodes' if section.is_nodes else 'relationships'}-{section.name}.csv"

    def head(self, section: Section) -> str:
        fixed = ["uid:ID", ":LABEL"] if section.is_nodes else [":START_ID", ":END_ID", ":TYPE"]
        return _row([*fixed, *(f"{one.name}:{CSV_TYPES[one.type]}" for one in section.properties)])

    def line(self, section: Section, record: Record) -> str:
        if isinstance(record, Node):
            fixed = [_text(record.uid), ";".join(record.labels)]
        else:
            fixed = [_text(record.start), _text(record.end), record.type]
        return _row([*fixed, *(_cell(record.properties.get(one.name)) for one in section.properties)])

    def read(self, lines: Iterator[str], section: Section | None, heading: str) -> Iterator[Raw | None]:
        assert section is not None, "each file is of one section"
        for cells in under_headings(lines, heading, lambda names: _checked_headings(names, section)):
            yield None if cells is None else _record(dict(cells), section)


def _row(cells: list[str]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow(cells)  # what is in here is what gets quoted
    return written.getvalue().removesuffix("\r\n") + "\n"


def _text(value: str) -> str:
    return f"\\{value}" if value.startswith(_HIDDEN) else value or "\\"


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case list():
            items = ";".join(one.replace("\\", "\\\\").replace(";", "\\;") for one in value)
            return _text(items) if value else NO_ITEMS
        case _:
            return repr(value)


def _checked_headings(names: list[str], section: Section) -> list[str]:
    needed = {"uid:ID", ":LABEL"} if section.is_nodes else {":START_ID", ":END_ID", ":TYPE"}
    if not needed <= set(names) or len(set(names)) != len(names):
        raise UntrustedError(f"the headings must name {', '.join(sorted(needed))}, and none twice")
    return names


def _record(row: dict[str, str], section: Section) -> Raw:
    known = {one.name: one for one in section.properties}
    properties: dict[str, Any] = {}
    for heading, cell in row.items():
        name, _, _ = heading.partition(":")
        if name and heading != "uid:ID" and cell != "":
            properties[name] = _plain(cell) if name == TENANT else value_of(known.get(name), name, cell)
    if section.is_nodes:
        return RawNode(row[":LABEL"].split(";"), _plain(row["uid:ID"]), properties)
    if row[":TYPE"] != section.name:
        raise RecordError(f"a {row[':TYPE'][:40]} in the file of {section.name}")
    return RawEdge(section.name, _plain(row[":START_ID"]), _plain(row[":END_ID"]), properties)


def _plain(cell: str) -> str:
    return cell[1:] if cell.startswith("\\") else cell


def value_of(known: Property | None, name: str, cell: str) -> Any:
    """What a cell says, by the property's type; RecordError."""
    if known is None:
        raise RecordError(f"{section_word(name)} is not a property here")
    try:
        match known.type:
            case "integer":
                return int(cell)
            case "decimal":
                return float(cell)
            case "boolean":
                return {"true": True, "false": False}[cell]
            case "texts":
                return [] if cell == NO_ITEMS else _items(_plain(cell))
            case _:
                return _plain(cell)
    except (ValueError, KeyError):
        raise RecordError(f"{name} does not read as {CSV_TYPES[known.type]}") from None


def _items(text: str) -> list[str]:
    items = []
    for match in _ITEM.finditer(text):
        items.append(re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL))
        if not match[2]:
            break
    return items


def section_word(name: str) -> str:
    """A name from a file, as an error may show it."""
    return repr(name if len(name) <= 40 else name[:37] + "...")
