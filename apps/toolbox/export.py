"""What a query or a few labels give, as CSV, JSON lines or Cypher: in the answer when it is small, else as a file.

What is personal is hidden as the tenant has it, in the file as in the answer; etl.export is the way to the graph's own
content.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import IO, Any, Literal

from django.conf import settings
from pydantic import Field, JsonValue, model_validator

from apps.files import services
from apps.files.tables import RowError, Writer
from apps.graph import queries
from apps.graph.gate.limits import DEFAULTS
from apps.graph.records import Edge, Node, Record
from apps.graph.results import Rows
from apps.graph.schema import KINDS
from apps.graph.transfer.choice import FORMATS
from apps.graph.transfer.reading import pages
from apps.graph.transfer.sections import BY_NAME
from apps.tenancy import hiding
from apps.toolbox.parts import transfers
from apps.toolbox.parts.transfers import MEDIA_TYPES, FileOut
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.spec import ToolInput, ToolOutput, tool

INLINE_BYTES = 64 * 1024
ROWS_MAX = 100_000
PERMISSIONS = ("graph:read", "files:create")
EXAMPLE = {"cypher": "MATCH (g:Gene) RETURN g.symbol AS symbol, g.chromosome AS chromosome ORDER BY symbol LIMIT 5"}
Kind = Literal["csv", "jsonl", "cypher"]


class ExportIn(ToolInput):
    cypher: str | None = Field(
        None, min_length=1, max_length=DEFAULTS.text_bytes, description="One query that reads; at most 1000 rows of it."
    )
    parameters: dict[str, JsonValue] = Field(
        default_factory=dict, max_length=DEFAULTS.parameters, description="Values of `$name` in the query."
    )
    labels: list[str] = Field(
        default_factory=list, max_length=18, description="Instead of a query: labels and relationship types."
    )
    limit: int = Field(10_000, ge=1, le=ROWS_MAX, description="Rows at most.")
    as_file: bool = Field(False, description="A file although it is small.")
    name: str = Field("", max_length=255, description="Of the file.")

    @model_validator(mode="after")
    def one_source(self) -> "ExportIn":
        """A query or labels."""
        if (self.cypher is None) == (not self.labels):
            raise ValueError("give either cypher or labels")
        return self


class ExportOut(ToolOutput):
    rows: int
    truncated: bool = Field(description="There are more rows than these.")
    content: str | None = Field(description="All of it when it is small; else null, and there is a file.")
    file: FileOut | None


@dataclass(frozen=True, slots=True)
class _Found:
    """``records``: nodes and relationships. ``rows``: the same, or a query's rows, as tables. One of them is set."""

    records: Iterator[Record] | None = None
    rows: Iterator[dict[str, Any]] | None = None
    columns: tuple[str, ...] = ()
    truncated: bool = False


@tool(
    "export.csv",
    effect="write",
    title="Export as CSV",
    permissions=PERMISSIONS,
    timeout_s=60.0,
    approval="never",
    example=EXAMPLE,
)
def csv(context: ToolContext, given: ExportIn) -> ExportOut:
    """Give the rows of a query, or the nodes of labels, as CSV.

    Up to 64 kB come in the answer; more becomes a file of yours. Lists and maps are JSON in a cell; text that a
    spreadsheet would run stands behind an apostrophe. Personal data is hidden.
    """
    return _export(context, given, "csv")


@tool(
    "export.json",
    effect="write",
    title="Export as JSON lines",
    permissions=PERMISSIONS,
    timeout_s=60.0,
    approval="never",
    example=EXAMPLE,
)
def json_(context: ToolContext, given: ExportIn) -> ExportOut:
    """Give the rows of a query, or the nodes and relationships of labels and types, as a JSON object a line.

    Up to 64 kB come in the answer; more becomes a file of yours. Personal data is hidden.
    """
    return _export(context, given, "jsonl")


@tool(
    "export.cypher",
    effect="write",
    title="Export as Cypher",
    permissions=PERMISSIONS,
    timeout_s=60.0,
    approval="never",
    example={"cypher": "MATCH (g:Gene) RETURN g ORDER BY g.symbol LIMIT 3"},
)
def cypher(context: ToolContext, given: ExportIn) -> ExportOut:
    """Give nodes and relationships as Cypher statements that make them again, one a line.

    Those that a query returns, or all of labels and types. Up to 64 kB come in the answer; more becomes a file of
    yours. Personal data is hidden.
    """
    return _export(context, given, "cypher")


def _export(context: ToolContext, given: ExportIn, kind: Kind) -> ExportOut:
    found = _of_query(context, given, kind) if given.cypher is not None else _of_labels(context, given, kind)
    scrub = hiding.scrubber(context.tenant_id)
    start = io.StringIO(newline="")
    writing = _Writing(start, kind, found, scrub)
    more = writing.until(context, INLINE_BYTES, given.limit)
    if not more and not given.as_file and len(start.getvalue().encode()) <= INLINE_BYTES:
        return ExportOut(
            rows=writing.count,
            truncated=found.truncated or writing.is_cut,
            content=start.getvalue(),
            file=None,
        )
    draft = services.begin(
        context.principal,
        name=given.name or f"export.{kind}",
        media_type=MEDIA_TYPES[kind],
        file_id=transfers.id_for(context, "export"),
    )
    if not draft.is_done:
        target = draft.work / "export"
        with draft:
            with target.open("w", encoding="utf-8", newline="") as file:
                file.write(start.getvalue())
                writing.turn_to(file, draft.set_aside)
                writing.until(context, None, given.limit)
            details = {"rows": writing.count, "truncated": found.truncated or writing.is_cut}
            draft.finish(target, details=details)
    made = transfers.made(draft.row)
    return ExportOut(rows=made.rows, truncated=bool(draft.row.details.get("truncated")), content=None, file=made)


class _Writing:
    """Rows on their way into a text; it can be turned to another in between."""

    LOOK_EVERY = 500

    def __init__(self, file: IO[str], kind: Kind, found: _Found, scrub: Callable[[Any], Any]) -> None:
        self.count, self.is_cut = 0, False
        self._kind, self._scrub = kind, scrub
        self._items: Iterator[Any] = iter(found.records if found.records is not None else found.rows or ())
        self._file = file
        self._room: Callable[[int], object] = lambda size_bytes: None
        self._size_bytes = 0
        self._table: Writer | None = None
        if found.records is None:
            self._table = Writer(file, "csv" if kind == "csv" else "jsonl", found.columns)

    def turn_to(self, file: IO[str], room: Callable[[int], object]) -> None:
        """Write on there; ``room(bytes in all)`` is asked before each row."""
        self._file, self._room = file, room
        if self._table is not None:
            self._table.turn_to(file, room)

    def until(self, context: ToolContext, most_chars: int | None, limit: int) -> bool:
        """Write on. True: there is more, for the text has as many characters as it may have."""
        for item in self._items:
            if self.count >= limit:
                self.is_cut = True
                return False
            self._write(item)
            self.count += 1
            if self.count % self.LOOK_EVERY == 0:
                context.checkpoint()
            if most_chars is not None and self._file.tell() > most_chars:
                return True
        return False

    def _write(self, item: Any) -> None:
        if self._table is not None:
            try:
                self._table.write(self._scrub(dict(item)))
            except RowError as error:
                raise ToolFailed(f"Row {self.count + 1} cannot be written: {error}.", code="row_refused") from error
            return
        record: Record = item
        clean = self._scrub(dict(record.properties))
        section = BY_NAME[record.label if isinstance(record, Node) else record.type]
        if isinstance(record, Node):
            record = Node(record.label, record.uid, clean, record.kind)
        else:
            record = Edge(record.type, record.start, record.end, clean)
        line = FORMATS[self._kind].line(section, record)
        self._size_bytes += len(line.encode())
        self._room(self._size_bytes)
        self._file.write(line)


def _of_query(context: ToolContext, given: ExportIn, kind: Kind) -> _Found:
    passed = queries.inspected(
        context.principal,
        given.cypher or "",
        given.parameters,
        rows=min(given.limit, settings.GRAPH_ROW_LIMIT),
        timeout_s=min(settings.GRAPH_TIMEOUT_S, context.left_s),
    )
    if passed.mode != "run":
        raise ToolFailed(f"{passed.mode.upper()} gives no rows to export: leave it out.", code="explain_elsewhere")
    rows = queries.read(context.principal, passed)
    if kind != "cypher":
        return _Found(rows=iter(rows.as_records()), columns=tuple(rows.columns), truncated=rows.truncated)
    records = list(_records_of(rows))
    if rows.rows and not records:
        raise ToolFailed("The query returns no nodes or relationships: RETURN n, not n.name.", code="nothing_to_export")
    return _Found(records=iter(records), truncated=rows.truncated)


def _records_of(rows: Rows) -> Iterator[Record]:
    """Nodes first: the relationships name them."""
    for node in rows.nodes:
        kinds = [label for label in node["labels"] if label in KINDS]
        base = next((label for label in node["labels"] if label in BY_NAME), None)
        if base is not None:
            yield Node(base, node["uid"], node["properties"], kinds[0] if kinds else None)
    for edge in rows.edges:
        yield Edge(edge["type"], edge["start"], edge["end"], edge["properties"])


def _of_labels(context: ToolContext, given: ExportIn, kind: Kind) -> _Found:
    sections = transfers.sections_named(given.labels)
    records: Iterator[Record] = chain.from_iterable(
        found for section in sections for found, _ in pages(context.tenant_id, section, "")
    )
    if kind != "csv":
        return _Found(records=records)
    if len(sections) > 1:
        raise ToolFailed(
            "A CSV is one table: name one label or type, or use etl.export, which makes a zip of several.",
            code="one_label_only",
        )
    section = sections[0]
    fixed = ("uid", "labels") if section.is_nodes else ("start", "end", "type")
    names = tuple(one.name for one in section.properties if one.name not in fixed)
    return _Found(rows=map(_as_row, records), columns=(*fixed, *names))


def _as_row(record: Record) -> dict[str, Any]:
    if isinstance(record, Node):
        return {**record.properties, "uid": record.uid, "labels": ":".join(record.labels)}
    return {**record.properties, "start": record.start, "end": record.end, "type": record.type}
