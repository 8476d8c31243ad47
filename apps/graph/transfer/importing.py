"""A file, or for CSV a directory, into a tenant's graph: BATCH records at a time, each batch safe to repeat.

Only what the schema knows is taken, and always into the importing tenant. The first thing that is wrong stops the
import with its file and line; the batches before it stay, and the corrected file can be imported again. With Findings
the import goes on past what is wrong, and they say what that was; not past what is another tenant's.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NoReturn
from uuid import UUID

from apps.graph import epoch, selectors, turns
from apps.graph.errors import TransferRefusedError
from apps.graph.loading import BATCH, Loaded, load_batch
from apps.graph.records import Record, RecordError, UntrustedError
from apps.graph.transfer import progress
from apps.graph.transfer.adopting import adopted, adopted_by_key, checked
from apps.graph.transfer.formats import Format, Raw
from apps.graph.transfer.lines import Lines
from apps.graph.transfer.sections import SECTIONS, Section

Report = Callable[[int, int], None]
LOOK_LINES = 10_000


@dataclass(slots=True)
class Findings:
    """What an import found that goes on past bad lines, over all its attempts. ``bad``: {file, line, reason} of the
    first ``most``; more than that stop it. ``loaded``: what it did; of a batch that was cut off, what the batch's
    repeat did."""

    most: int = 100
    records: int = 0
    bad: list[dict[str, Any]] = field(default_factory=list)
    loaded: Loaded = field(default_factory=Loaded)

    def as_state(self) -> dict[str, Any]:
        return {"records": self.records, "bad": self.bad, "loaded": asdict(self.loaded)}

    def go_on(self, state: dict[str, Any]) -> None:
        """From what ``as_state`` gave."""
        self.records, self.bad, self.loaded = state["records"], state["bad"], Loaded(**state["loaded"])


@dataclass(frozen=True, slots=True)
class _Source:
    """One file, and what people call it. ``section``: the only one that it holds, in CSV."""

    path: Path
    name: str
    section: Section | None = None


def import_graph(
    tenant_id: UUID,
    source: Path,
    format_: Format,
    report: Report = lambda done, total: None,
    *,
    progress_file: Path | None = None,
    findings: Findings | None = None,
    dry_run: bool = False,
    name: str = "",
) -> Loaded:
    """Import everything of ``source``. Called again after it was interrupted, it goes on at the last whole batch.

    ``progress_file`` stands beside the source unless it is said where. ``report(done, total)``: bytes. The numbers
    returned are of this call alone. TransferRefusedError names file and line. ``dry_run``: everything is read and held
    against the schema, and nothing is written; whether a relationship's ends are there is not looked at. ``name``: what
    whoever sent the file calls it, where that is not its name on disk.
    """
    sources = _sources(source, format_, name or source.name)
    saved_in = progress_file or progress.path_beside(source)
    with progress.alone(saved_in):
        loaded = _Import(tenant_id, sources, format_, report, saved_in, findings, dry_run).run()
    if not dry_run:
        selectors.forget(tenant_id)
        epoch.advance(at_once=True)
    return loaded


class _Import:
    """``state``: {file, offset, number}: the file at hand, and where in it the last whole batch ended."""

    def __init__(
        self,
        tenant_id: UUID,
        sources: list[_Source],
        format_: Format,
        report: Report,
        saved_in: Path,
        findings: Findings | None,
        dry_run: bool,
    ) -> None:
        self.tenant_id, self.sources, self.format, self.report = tenant_id, sources, format_, report
        self.saved_in = saved_in
        self.findings, self.dry_run = findings, dry_run
        stats = [one.path.stat() for one in sources]
        self.sizes = [one.st_size for one in stats]
        self.identity = {
            "import": str(tenant_id),
            "format": format_.name,
            "dry_run": dry_run,
            "files": [
                [one.path.name, stat.st_size, stat.st_mtime_ns] for one, stat in zip(sources, stats, strict=True)
            ],
        }
        self.loaded = Loaded()

    def run(self) -> Loaded:
        state = progress.read(self.saved_in, self.identity) or {"file": 0, "offset": 0, "number": 0}
        if self.findings is not None and "findings" in state:
            self.findings.go_on(state["findings"])
        for number, source in enumerate(self.sources):
            if number < state["file"]:
                continue
            at = (state["offset"], state["number"]) if number == state["file"] else (0, 0)
            self._import_file(number, source, *at)
        self.saved_in.unlink(missing_ok=True)
        return self.loaded

    def _import_file(self, file_number: int, source: _Source, offset: int, number: int) -> None:
        with source.path.open("rb") as file:
            reading = _Reading(file, self.format, source, offset, number)
            while batch := self._take(reading):
                self._load(batch, source)
                state: dict[str, Any] = {
                    "file": file_number,
                    "offset": reading.lines.offset,
                    "number": reading.lines.number,
                }
                if self.findings is not None:
                    state["findings"] = self.findings.as_state()
                progress.save(self.saved_in, self.identity, state)
                self._tell(reading)

    def _take(self, reading: "_Reading") -> list[tuple[int, Record]]:
        """The next records with the numbers of their lines."""
        batch: list[tuple[int, Record]] = []
        told = reading.lines.number
        while len(batch) < BATCH:
            if reading.lines.number - told >= LOOK_LINES:  # many lines may hold no record
                told = reading.lines.number
                self._tell(reading)
            try:
                raw = reading.next()
                if raw is _END:
                    break
                if raw is not None:
                    batch.append((reading.lines.number, checked(raw, self.tenant_id)))
            except RecordError as error:
                self._note(reading.source, reading.lines.number, error)
        return batch

    def _tell(self, reading: "_Reading") -> None:
        before = self.sources.index(reading.source)
        self.report(sum(self.sizes[:before]) + reading.lines.offset, sum(self.sizes))

    def _load(self, batch: list[tuple[int, Record]], source: _Source) -> None:
        """Every record of the batch that can be."""
        taken = len(batch)
        if not self.dry_run:
            with turns.of_many(self.tenant_id):
                taken = self._write(batch, source)
        if self.findings is not None:
            self.findings.records += taken

    def _write(self, batch: list[tuple[int, Record]], source: _Source) -> int:
        """How many records of the batch went into the graph, or were there."""
        lines = [line for line, _ in batch]
        adopt = adopted_by_key if self.format.is_keyed else adopted
        records = adopt([record for _, record in batch], self.tenant_id)
        while records:
            try:
                self._count(load_batch(self.tenant_id, records))
                break
            except RecordError as error:
                at = next((number for number, record in enumerate(records) if record is error.record), 0)
                self._note(source, lines[at], error)
                del records[at], lines[at]
        return len(records)

    def _count(self, loaded: Loaded) -> None:
        self.loaded += loaded
        if self.findings is not None:
            self.findings.loaded += loaded

    def _note(self, source: _Source, line: int, error: RecordError) -> None:
        """Remember what is wrong, or stop there."""
        if self.findings is None or isinstance(error, UntrustedError):
            _refuse(source, line, error)
        self.findings.bad.append({"file": source.name, "line": line, "reason": str(error)[:300]})
        if len(self.findings.bad) > self.findings.most:
            raise TransferRefusedError(
                f"More than {self.findings.most} lines are bad. The last one is line {line}: {error}.",
                line=line,
                bad=self.findings.bad[:10],
            )


class _Reading:
    """The records of one file. A format's reader that failed at a line is made anew for those that follow."""

    def __init__(self, file: BinaryIO, format_: Format, source: _Source, offset: int, number: int) -> None:
        self.file, self.format, self.source = file, format_, source
        self.heading = next(Lines(file), "") if format_.has_heading and offset else ""
        self.lines = Lines(file, offset, number)
        self._records: Iterator[Raw | None] | None = None

    def next(self) -> Any:
        """A record, None for a line without one, _END. RecordError for a line that cannot be read."""
        if self._records is None:
            self._records = self.format.read(self.lines, self.source.section, self._heading())
        try:
            return next(self._records, _END)
        except RecordError:
            self._records = None
            raise

    def _heading(self) -> str:
        """The first line, once it was read."""
        if self.format.has_heading and self.lines.offset and not self.heading:
            here = self.file.tell()
            self.heading = next(Lines(self.file), "")
            self.file.seek(here)
        return self.heading


_END: Any = object()


def _refuse(source: _Source, line: int, error: RecordError) -> NoReturn:
    raise TransferRefusedError(f"{source.name}, line {line}: {error}.", file=source.name, line=line) from error


def _sources(source: Path, format_: Format, name: str) -> list[_Source]:
    if not source.exists() or source.is_dir() != format_.is_directory:
        raise TransferRefusedError(f"{source.name} is not {'a directory' if format_.is_directory else 'a file'}.")
    if not format_.is_directory:
        return [_Source(source, name)]
    known = {format_.file_name(section): section for section in SECTIONS}
    strange = sorted(file.name for file in source.iterdir() if file.suffix == ".csv" and file.name not in known)
    if strange:
        raise TransferRefusedError(f"{strange[0]} is no file of the graph: they are called {', '.join(known)}.")
    return [_Source(source / name, name, section) for name, section in known.items() if (source / name).is_file()]
