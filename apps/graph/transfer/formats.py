"""What the three formats have in common. Each is one module: jsonl.py, csv_table.py, cypher_text.py. Pure.

A line here is what one record takes in a file; in CSV it may hold line feeds inside quotes.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apps.graph.records import Record
from apps.graph.transfer.sections import Section


@dataclass(frozen=True, slots=True)
class RawNode:
    """A node as a file has it: not yet held against the schema, and perhaps with a tenant_id."""

    labels: list[str]
    uid: Any
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RawEdge:
    """A relationship as a file has it."""

    type: str
    start: Any
    end: Any
    properties: Mapping[str, Any]


Raw = RawNode | RawEdge


class Format(ABC):
    """``is_directory``: a file for each section instead of one for all. ``is_keyed``: what it calls ids are values of
    the labels' keys (schema.Label.key), not uids. ``has_heading``: the first line says what the others hold."""

    name: str
    is_directory: bool = False
    is_keyed: bool = False
    has_heading: bool = False

    @abstractmethod
    def file_name(self, section: Section) -> str:
        """The file of a section; empty where one file holds all."""

    @abstractmethod
    def head(self, section: Section) -> str:
        """What stands before a section's first record."""

    @abstractmethod
    def line(self, section: Section, record: Record) -> str:
        """One record, its line feed included."""

    @abstractmethod
    def read(self, lines: Iterator[str], section: Section | None, heading: str) -> Iterator[Raw | None]:
        """The records of lines. RecordError for one that cannot be read; None for a line without a record.

        Takes no more lines than the record at hand needs, so that its caller knows where it stands. ``heading``: the
        file's first line, when ``lines`` begin later than that.
        """
