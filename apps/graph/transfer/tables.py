"""Tables that know nothing of graphs: one row a node of one label, or a relationship of one type. Pure.

Nodes are found again by their label's key (schema.Label.key), so that the same table twice changes nothing. A table of
relationships names their ends by those keys, in columns that are mapped to ``start`` and ``end``.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apps.graph.errors import TransferRefusedError
from apps.graph.records import Record, RecordError, UntrustedError
from apps.graph.schema import KINDS, LABEL_NAMES, TENANT, TYPE_NAMES, Property, label_named, relationship_named
from apps.graph.transfer.csv_table import section_word, value_of
from apps.graph.transfer.formats import Format, Raw, RawEdge, RawNode
from apps.graph.transfer.headings import under_headings
from apps.graph.transfer.sections import Section

START, END = "start", "end"


@dataclass(frozen=True, slots=True)
class Target:
    """What a row becomes. ``columns``: column -> property, ``start`` or ``end``; None: not taken. A column that is not
    named there is a property of its own name."""

    name: str
    is_node: bool
    columns: Mapping[str, str | None]
    known: Mapping[str, Property]
    key: str = ""

    def field(self, column: str) -> str | None:
        """What a column holds; UntrustedError for one that is nothing here."""
        name = self.columns.get(column, column)
        if name is None or name == TENANT or name in self.known or (not self.is_node and name in (START, END)):
            return name
        raise UntrustedError(
            f"the column {section_word(column)} is no property of {self.name}: map it to one, or to null"
        )

    def record(self, row: Mapping[str, Any]) -> Raw:
        """A row, its values by field."""
        properties = {name: value for name, value in row.items() if name not in (START, END)}
        if self.is_node:
            if not isinstance(properties.get(self.key), str):
                raise RecordError(f"{self.key} is missing, or no text")
            base = KINDS.get(self.name)
            return RawNode([base, self.name] if base else [self.name], properties[self.key], properties)
        if START not in row or END not in row:
            raise RecordError(f"a relationship needs {START} and {END}: map two columns to them")
        return RawEdge(self.name, row[START], row[END], properties)


def target_of(label: str | None, type_: str | None, columns: Mapping[str, str | None]) -> Target:
    """For a label or a relationship type of the schema. TransferRefusedError for none, both, or an unknown one."""
    if (label is None) == (type_ is None):
        raise TransferRefusedError("A table holds nodes of one label or relationships of one type: name one of them.")
    if label is not None:
        if label not in LABEL_NAMES:
            raise TransferRefusedError(f"There is no label {section_word(label)}: {', '.join(sorted(LABEL_NAMES))}.")
        found = label_named(label)
        return _mapped(Target(label, True, columns, {one.name: one for one in found.properties}, found.key))
    if type_ not in TYPE_NAMES:
        raise TransferRefusedError(f"There is no type {section_word(str(type_))}: {', '.join(sorted(TYPE_NAMES))}.")
    return _mapped(Target(type_, False, columns, {one.name: one for one in relationship_named(type_).properties}))


def _mapped(target: Target) -> Target:
    """TransferRefusedError where a column is mapped to what the target does not have."""
    fields = [TENANT, *target.known, *(() if target.is_node else (START, END))]
    for column, name in target.columns.items():
        if name is not None and name not in fields:
            raise TransferRefusedError(
                f"The column {section_word(column)} is mapped to {section_word(name)}, and {target.name} has only "
                f"{', '.join(fields[1:])}."
            )
    return target


class _Table(Format):
    is_keyed = True

    def __init__(self, target: Target) -> None:
        self.target = target
        self.name = f"table {target.name}"

    def file_name(self, section: Section) -> str:
        return ""

    def head(self, section: Section) -> str:
        raise NotImplementedError("tables are read, not written")

    def line(self, section: Section, record: Record) -> str:
        raise NotImplementedError("tables are read, not written")


class CsvTable(_Table):
    """CSV with a line of headings. Cells are read by the type of their property; an empty one is missing."""

    has_heading = True

    def read(self, lines: Iterator[str], section: Section | None, heading: str) -> Iterator[Raw | None]:
        for cells in under_headings(lines, heading, self._fields):
            yield None if cells is None else self.target.record(dict(self._values(cells)))

    def _fields(self, headings: list[str]) -> list[str | None]:
        fields = [self.target.field(heading.strip()) for heading in headings]
        named = [field for field in fields if field is not None]
        if len(named) != len(set(named)):
            raise UntrustedError("two columns are the same property")
        return fields

    def _values(self, cells: Iterable[tuple[str | None, str]]) -> Iterator[tuple[str, Any]]:
        for field, cell in cells:
            if field is not None and cell != "":
                plain = field in (START, END, TENANT) or (self.target.is_node and field == self.target.key)
                yield field, cell if plain else value_of(self.target.known.get(field), field, cell)


class JsonTable(_Table):
    """A JSON object a line, {column: value}."""

    def read(self, lines: Iterator[str], section: Section | None, heading: str) -> Iterator[Raw | None]:
        for line in lines:
            if not line.strip():
                yield None
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise RecordError("this is not JSON") from error
            if not isinstance(row, dict):
                raise RecordError("this is not a JSON object")
            fields = ((self.target.field(column), value) for column, value in row.items())
            yield self.target.record({field: value for field, value in fields if field and value is not None})
