"""What the tools that move data have in common: a tenant's files into its graph, and its graph into files.

Every step is found again by the call's idempotency key: what a worker that died began, the next attempt goes on with.
"""

import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field

from apps.files import disk, selectors, services, zips
from apps.files.models import FILE, File
from apps.files.scratch import Scratch
from apps.files.services import Draft
from apps.graph.errors import TransferRefusedError
from apps.graph.transfer import progress
from apps.graph.transfer.choice import FORMATS
from apps.graph.transfer.exporting import export_graph
from apps.graph.transfer.formats import Format
from apps.graph.transfer.importing import Findings, import_graph
from apps.graph.transfer.sections import BY_NAME, SECTIONS, Section
from apps.graph.transfer.tables import CsvTable, JsonTable, target_of
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.spec import ToolOutput
from kernel.clock import iso

GraphFormat = Literal["jsonl", "csv", "cypher"]
NAMESPACE = UUID("6a3f0b1e-6a54-5d0e-9d3b-2f6f1c5f8a11")
MEDIA_TYPES = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8", "cypher": "text/plain; charset=utf-8"}
ZIP = "application/zip"
RIGHTS = ("graph:update",)
BAD_SHOWN = 100


class BadLine(BaseModel):
    """A line that was not taken."""

    model_config = ConfigDict(extra="forbid")

    file: str = Field(description="Of those in a zip; else the file's own name.")
    line: int
    reason: str


class ImportOut(ToolOutput):
    """Numbers over all attempts of the call."""

    file_id: str
    dry_run: bool
    records: int = Field(description="Lines that were taken, or with dry_run would be.")
    nodes_created: int
    nodes_changed: int
    relationships_created: int
    relationships_changed: int
    unchanged: int
    bad_lines: list[BadLine]


class FileOut(ToolOutput):
    """A file of the caller's; GET /v1/files/{file_id}/content has its content."""

    file_id: str
    name: str
    media_type: str
    rows: int = Field(description="Nodes, relationships or rows in it.")
    bytes: int
    sha256: str
    expires_at: str


@dataclass(frozen=True, slots=True)
class Import:
    """What is imported: a format of the graph's own, or with a label or type a table (transfer/tables.py)."""

    file_id: UUID
    format: GraphFormat
    label: str | None = None
    rel_type: str | None = None
    columns: Mapping[str, str | None] | None = None
    dry_run: bool = False
    bad_most: int = BAD_SHOWN


def id_for(context: ToolContext, what: str) -> UUID:
    """The same for every repeat of this call, and nobody else's."""
    return uuid5(NAMESPACE, f"{context.tenant_id} {context.principal.sub} {context.idempotency_key} {what}")


@contextmanager
def alone(context: ToolContext) -> Iterator[None]:
    """Nobody else loads into the tenant's graph meanwhile: two at once could make a relationship twice. ToolFailed when
    somebody does. Ends with the process."""
    with ExitStack() as stack:
        try:
            stack.enter_context(progress.alone(disk.tenant_directory(context.tenant_id) / "loading"))
        except TransferRefusedError as error:
            raise ToolFailed(
                "Another import or restore of your tenant's graph is under way. Try again when it has ended.",
                code="graph_loading",
            ) from error
        yield


def content_of(context: ToolContext, file_id: UUID) -> tuple[File, Path]:
    """A file that the caller may read. NotFoundError; ToolFailed when its content is lost."""
    file = selectors.get_file(context.principal, file_id)
    path = disk.content(file.tenant_id, file.id)
    if not path.is_file():
        raise ToolFailed("The file's content is not there any more. Send it again.", code="file_content_missing")
    return file, path


def import_file(context: ToolContext, wanted: Import) -> ImportOut:
    """A file into the graph. TransferRefusedError names the line that stopped it."""
    file, path = content_of(context, wanted.file_id)
    findings = Findings(most=wanted.bad_most)

    def report(done: int, total: int) -> None:
        context.progress("importing", f"{findings.records:,} records", 100 * done / max(total, 1))

    with Scratch(context.principal, id_for(context, "import")) as scratch:
        source, format_ = _source(context, wanted, path, scratch)
        with nullcontext() if wanted.dry_run else alone(context):
            import_graph(
                context.tenant_id,
                source,
                format_,
                report,
                progress_file=scratch.path / "progress",
                findings=findings,
                dry_run=wanted.dry_run,
                name=file.name,
            )
    loaded = findings.loaded
    return ImportOut(
        file_id=str(file.id),
        dry_run=wanted.dry_run,
        records=findings.records,
        nodes_created=loaded.nodes_created,
        nodes_changed=loaded.nodes_changed,
        relationships_created=loaded.relationships_created,
        relationships_changed=loaded.relationships_changed,
        unchanged=loaded.unchanged,
        bad_lines=[BadLine(**one) for one in findings.bad],
    )


def export_file(
    context: ToolContext,
    format_name: GraphFormat,
    sections: Sequence[Section] = SECTIONS,
    *,
    name: str = "",
    kind: str = FILE,
    what: str = "export",
    pack: Callable[[Path, Path, int], dict[str, Any]] | None = None,
) -> FileOut:
    """Parts of the graph into a file of the caller's; CSV of more than one part into a zip.

    ``pack``: (what was written, the file to make of it, records) -> what the file's row says of it.
    """
    format_ = FORMATS[format_name]
    is_packed = pack is not None or (format_.is_directory and len(sections) > 1)
    ending = "zip" if is_packed else format_name
    media_type = ZIP if is_packed else MEDIA_TYPES[format_name]
    draft = services.begin(
        context.principal,
        name=name or f"graph.{ending}",
        media_type=media_type,
        kind=kind,
        file_id=id_for(context, what),
    )
    if draft.is_done:
        return made(draft.row)
    with draft:
        return made(_exported(context, draft, format_, sections, is_packed, pack))


def sections_named(names: Iterable[str]) -> tuple[Section, ...]:
    """Labels and relationship types, in the graph's order; without names all of them. ToolFailed for an unknown one."""
    asked = set(names)
    unknown = sorted(asked - BY_NAME.keys())
    if unknown:
        raise ToolFailed(
            f"There is no label or relationship type {unknown[0][:40]!r}. There are {', '.join(BY_NAME)}.",
            code="unknown_label",
        )
    return tuple(section for section in SECTIONS if not asked or section.name in asked)


def made(file: File) -> FileOut:
    """A file as tools show it."""
    return FileOut(
        file_id=str(file.id),
        name=file.name,
        media_type=file.media_type,
        rows=int(file.details.get("rows", 0)),
        bytes=file.size_bytes,
        sha256=file.sha256,
        expires_at=str(iso(file.expires_at)),
    )


def _exported(
    context: ToolContext,
    draft: Draft,
    format_: Format,
    sections: Sequence[Section],
    is_packed: bool,
    pack: Callable[[Path, Path, int], dict[str, Any]] | None,
) -> File:
    work = draft.work
    target = work / ("graph" if format_.is_directory else f"graph.{format_.name}")

    def report(done: int, total: int) -> None:
        draft.set_aside(_size_of(target))
        context.progress("exporting", f"{done:,} of {total:,} records", 100 * done / max(total, 1))

    rows = _exported_once(context, target, format_, report, sections)
    details: dict[str, Any] = {"rows": rows}
    source = target
    if pack is not None:
        source = work / "packed.zip"
        details |= pack(target, source, rows)
    elif is_packed:
        source = work / "packed.zip"
        zips.pack(source, sorted(target.iterdir()), context.checkpoint)
    elif format_.is_directory:
        source = target / format_.file_name(sections[0])
    return draft.finish(source, details=details)


def _source(context: ToolContext, wanted: Import, path: Path, scratch: Scratch) -> tuple[Path, Format]:
    is_table = wanted.label is not None or wanted.rel_type is not None
    if not is_table:
        if wanted.columns:
            raise ToolFailed(
                "columns belong to a table: name its label or rel_type, too.", code="mapping_without_label"
            )
        if wanted.format != "csv":
            return path, FORMATS[wanted.format]
        if not zipfile.is_zipfile(path):
            raise zips.ZipRefusedError(
                "csv without a label is a zip of the graph's own CSV files, and this file is none. If it is one table, "
                "name its label or rel_type."
            )
        return _unpacked(context, path, scratch), FORMATS["csv"]
    target = target_of(wanted.label, wanted.rel_type, wanted.columns or {})
    if wanted.format == "jsonl":
        return path, JsonTable(target)
    if wanted.format == "cypher":
        raise TransferRefusedError("Statements say themselves what they make: leave label and rel_type out.")
    with path.open("rb") as file:
        heading = file.readline(4096)
    if b"uid:ID" in heading or b":START_ID" in heading:  # one file of the graph's own CSV
        section = BY_NAME.get(wanted.label or wanted.rel_type or "")
        if section is None:
            raise ToolFailed("Such a file is of one of the 14 labels, not of a kind.", code="unknown_label")
        directory = scratch.path / "graph"
        directory.mkdir(exist_ok=True)
        link = directory / FORMATS["csv"].file_name(section)
        if not link.exists():
            link.hardlink_to(path)
        return directory, FORMATS["csv"]
    return path, CsvTable(target)


def _unpacked(context: ToolContext, path: Path, scratch: Scratch) -> Path:
    """The directory of CSV files in a zip; unpacked once."""
    done, part = scratch.path / "graph", scratch.path / "unpacking"
    if not done.exists():
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        names = frozenset(FORMATS["csv"].file_name(section) for section in SECTIONS)
        zips.unpack(path, part, names, context.checkpoint, scratch.set_aside)
        part.rename(done)
    return done


def _exported_once(
    context: ToolContext, target: Path, format_: Format, report: Callable[[int, int], None], sections: Sequence[Section]
) -> int:
    """Records in ``target``, which an attempt before may have finished."""
    count = target.with_name("rows")
    if target.exists() and count.exists():
        return int(count.read_text())
    if target.exists():
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    rows = export_graph(context.tenant_id, target, format_, report, sections=sections)
    count.write_text(str(rows))
    return rows


def _size_of(target: Path) -> int:
    part = target.with_name(target.name + ".part")
    if part.is_dir():
        return sum(file.stat().st_size for file in part.iterdir())
    return part.stat().st_size if part.exists() else 0
