"""Data in and out of the graph, and from file to file: any size, a batch in memory at a time."""

from pathlib import Path
from typing import Literal
from uuid import UUID

from pydantic import Field, model_validator

from apps.files import services
from apps.files.models import File
from apps.files.services import Draft
from apps.files.tables import MEDIA_TYPES, RowError, TableError, TableFormat, Writer, rows
from apps.files.transforms import AnyOperation, through
from apps.toolbox.parts import transfers
from apps.toolbox.parts.transfers import BAD_SHOWN, RIGHTS, BadLine, FileOut, GraphFormat, Import, ImportOut
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.spec import ToolInput, ToolOutput, tool

AN_HOUR_S = 3600.0
FILE_ID = "Of a file that you may read: POST /v1/files sends one."
COLUMNS = "Column -> property of the schema, or null to leave it out; a relationship's ends are `start` and `end`."
ROWS_BETWEEN_LOOKS = 1000
BYTES_BETWEEN_LOOKS = 4 << 20  # read and written
BAD_KEPT = 20  # with the file


class ImportIn(ToolInput):
    file_id: UUID = Field(description=FILE_ID)
    format: GraphFormat = Field(description="csv without a label: a zip of the graph's own CSV files.")
    label: str | None = Field(None, max_length=64, description="The file is a table; its rows are nodes of this label.")
    rel_type: str | None = Field(None, max_length=64, description="... or relationships of this type.")
    columns: dict[str, str | None] | None = Field(None, max_length=200, description=COLUMNS)
    dry_run: bool = Field(False, description="Read and check everything, and write nothing.")
    max_bad_lines: int = Field(BAD_SHOWN, ge=0, le=500, description="More bad lines than that stop the import.")

    @model_validator(mode="after")
    def one_target(self) -> "ImportIn":
        """Rows are one or the other."""
        if self.label is not None and self.rel_type is not None:
            raise ValueError("give either label or rel_type")
        return self


class ExportIn(ToolInput):
    format: GraphFormat = Field(description="csv of more than one label or type: a zip.")
    labels: list[str] = Field(
        default_factory=list, max_length=18, description="Labels and relationship types; without them all."
    )
    name: str = Field("", max_length=255, description="Of the file.")


class TransformIn(ToolInput):
    file_id: UUID = Field(description=FILE_ID)
    source_format: TableFormat
    target_format: Literal["csv", "jsonl"]
    operations: list[AnyOperation] = Field(default_factory=list, max_length=50, description="Done in this order.")
    name: str = Field("", max_length=255, description="Of the file that is made.")
    max_bad_lines: int = Field(BAD_SHOWN, ge=0, le=500, description="More bad lines than that stop it.")


class TransformOut(ToolOutput):
    file: FileOut
    rows_read: int
    rows_written: int
    bad_lines: list[BadLine]


@tool(
    "etl.import",
    effect="write",
    title="Import a file into the graph",
    permissions=(*RIGHTS, "files:read"),
    timeout_s=AN_HOUR_S,
    long_running=True,
    example={"file_id": "$file", "format": "csv", "label": "Gene", "dry_run": True},
    example_role="data_engineer",
)
def import_(context: ToolContext, given: ImportIn) -> ImportOut:
    """Import a file of nodes and relationships into your tenant's graph.

    Either a format that etl.export writes, or a table (CSV with headings, JSON lines) of one label or relationship
    type. Rows of a table are found again by the label's key, so that the same file twice changes nothing. Bad lines are
    reported with number and reason and left out; a line of another tenant stops the import. Try dry_run first.
    """
    wanted = Import(
        file_id=given.file_id,
        format=given.format,
        label=given.label,
        rel_type=given.rel_type,
        columns=given.columns,
        dry_run=given.dry_run,
        bad_most=given.max_bad_lines,
    )
    return transfers.import_file(context, wanted)


@tool(
    "etl.export",
    effect="write",
    title="Export the graph into a file",
    permissions=(*RIGHTS, "files:create"),
    timeout_s=AN_HOUR_S,
    long_running=True,
    approval="never",
    example={"format": "jsonl", "labels": ["Gene", "Protein"], "name": "genes.jsonl"},
    example_role="data_engineer",
)
def export(context: ToolContext, given: ExportIn) -> FileOut:
    """Write labels and relationship types of your tenant's graph, or all of it, into a file of yours.

    The content is the graph's own, unmasked, and can be imported again (etl.import). It is no snapshot: changes made
    meanwhile may or may not be in it.
    """
    return transfers.export_file(context, given.format, transfers.sections_named(given.labels), name=given.name)


@tool(
    "etl.transform",
    effect="write",
    title="Transform a table into another",
    permissions=("files:create",),
    timeout_s=AN_HOUR_S,
    long_running=True,
    approval="never",
    example={
        "file_id": "$file",
        "source_format": "csv",
        "target_format": "jsonl",
        "operations": [
            {"op": "filter", "column": "symbol", "test": "present"},
            {"op": "select", "columns": ["symbol"]},
        ],
    },
)
def transform(context: ToolContext, given: TransformIn) -> TransformOut:
    """Make a new table from a file that is one: CSV with headings or JSON lines, by declared operations.

    select, rename, cast, filter and derive, in your order; no expression is run. Rows that do not fit an operation are
    reported with their line and left out. In CSV, text that a spreadsheet would run stands behind an apostrophe.
    """
    source, path = transfers.content_of(context, given.file_id)
    draft = services.begin(
        context.principal,
        name=given.name or f"transformed.{given.target_format}",
        media_type=MEDIA_TYPES[given.target_format],
        file_id=transfers.id_for(context, "transform"),
    )
    if draft.is_done:
        said = draft.row.details
        bad = [BadLine(**one) for one in said["bad_lines"]]
        return TransformOut(
            file=transfers.made(draft.row), rows_read=said["rows_read"], rows_written=said["rows"], bad_lines=bad
        )
    with draft:
        return _transformed(context, given, source, path, draft)


def _transformed(context: ToolContext, given: TransformIn, source: File, path: Path, draft: Draft) -> TransformOut:
    bad: list[BadLine] = []
    read = looked = 0
    target = draft.work / "table"
    try:
        with target.open("w", encoding="utf-8", newline="") as file:
            writer = Writer(file, given.target_format, room=draft.set_aside)
            for line, bytes_read, row in rows(path, given.source_format, context.checkpoint):
                read += 1
                try:
                    if isinstance(row, RowError):
                        raise row
                    made = through(given.operations, row)
                    if made is not None:
                        writer.write(made)
                except RowError as error:
                    bad.append(BadLine(file=source.name, line=line, reason=str(error)[:300]))
                    if len(bad) > given.max_bad_lines:
                        raise TableError(
                            f"more than {given.max_bad_lines} lines are bad; line {line}: {error}"
                        ) from error
                if read % ROWS_BETWEEN_LOOKS == 0 or bytes_read + writer.size_bytes - looked >= BYTES_BETWEEN_LOOKS:
                    looked = bytes_read + writer.size_bytes
                    context.progress("transforming", f"{read:,} rows", 100 * bytes_read / max(source.size_bytes, 1))
    except TableError as error:
        raise ToolFailed(f"The table cannot be transformed: {error}.", code="table_refused") from error
    details = {"rows": writer.count, "rows_read": read, "bad_lines": [one.model_dump() for one in bad[:BAD_KEPT]]}
    file_made = draft.finish(target, details=details)
    return TransformOut(file=transfers.made(file_made), rows_read=read, rows_written=writer.count, bad_lines=bad)
