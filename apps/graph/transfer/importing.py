"""A file, or for CSV a directory, into a tenant's graph: BATCH records at a time, each batch safe to repeat.

Only what the schema knows is taken, and always into the importing tenant. The first thing that is wrong stops the
import with its file and line; the batches before it stay, and the corrected file can be imported again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID

from apps.graph import epoch
from apps.graph.errors import TransferRefusedError
from apps.graph.loading import BATCH, Loaded, load_batch
from apps.graph.records import Record, RecordError
from apps.graph.transfer import progress
from apps.graph.transfer.adopting import adopted, checked
from apps.graph.transfer.formats import Format, Raw
from apps.graph.transfer.lines import Lines
from apps.graph.transfer.sections import SECTIONS, Section

Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Source:
    """One file. ``section``: the only one that it holds, in CSV."""

    path: Path
    section: Section | None


def import_graph(
    tenant_id: UUID,
    source: Path,
    format_: Format,
    report: Report = lambda done, total: None,
    *,
    progress_file: Path | None = None,
) -> Loaded:
    """Import everything of ``source``. Called again after it was interrupted, it goes on at the last whole batch.

    ``progress_file`` stands beside the source unless it is said where. ``report(done, total)``: bytes. The numbers
    returned are of this call alone. TransferRefusedError names file and line.
    """
    sources = _sources(source, format_)
    saved_in = progress_file or progress.path_beside(source)
    with progress.alone(saved_in):
        loaded = _Import(tenant_id, sources, format_, report, saved_in).run()
    epoch.advance(at_once=True)
    return loaded


class _Import:
    """``state``: {file, offset, number}: the file at hand, and where in it the last whole batch ended."""

    def __init__(
        self, tenant_id: UUID, sources: list[_Source], format_: Format, report: Report, saved_in: Path
    ) -> None:
        self.tenant_id, self.sources, self.format, self.report = tenant_id, sources, format_, report
        self.saved_in = saved_in
        stats = [one.path.stat() for one in sources]
        self.sizes = [one.st_size for one in stats]
        self.identity = {
            "import": str(tenant_id),
            "format": format_.name,
            "files": [
                [one.path.name, stat.st_size, stat.st_mtime_ns] for one, stat in zip(sources, stats, strict=True)
            ],
        }
        self.loaded = Loaded()

    def run(self) -> Loaded:
        state = progress.read(self.saved_in, self.identity) or {"file": 0, "offset": 0, "number": 0}
        for number, source in enumerate(self.sources):
            if number < state["file"]:
                continue
            at = (state["offset"], state["number"]) if number == state["file"] else (0, 0)
            self._import_file(number, source, *at)
        self.saved_in.unlink(missing_ok=True)
        return self.loaded

    def _import_file(self, file_number: int, source: _Source, offset: int, number: int) -> None:
        with source.path.open("rb") as file:
            heading = next(Lines(file), "") if self.format.is_directory and offset else ""
            lines = Lines(file, offset, number)
            read = self.format.read(lines, source.section, heading)
            while batch := self._take(read, lines, source):
                self._load(batch, source)
                state = {"file": file_number, "offset": lines.offset, "number": lines.number}
                progress.save(self.saved_in, self.identity, state)
                self.report(sum(self.sizes[:file_number]) + lines.offset, sum(self.sizes))

    def _take(self, read: Iterator[Raw | None], lines: Lines, source: _Source) -> list[tuple[int, Record]]:
        """The next records with the numbers of their lines."""
        batch: list[tuple[int, Record]] = []
        while len(batch) < BATCH:
            try:
                raw = next(read, _END)
                if raw is _END:
                    break
                if raw is not None:
                    batch.append((lines.number, checked(raw, self.tenant_id)))
            except RecordError as error:
                _refuse(source, lines.number, error)
        return batch

    def _load(self, batch: list[tuple[int, Record]], source: _Source) -> None:
        records = adopted([record for _, record in batch], self.tenant_id)
        try:
            self.loaded += load_batch(self.tenant_id, records)
        except RecordError as error:
            at = next((number for number, record in enumerate(records) if record is error.record), 0)
            _refuse(source, batch[at][0], error)


_END: Any = object()


def _refuse(source: _Source, line: int, error: RecordError) -> NoReturn:
    name = source.path.name
    raise TransferRefusedError(f"{name}, line {line}: {error}.", file=name, line=line) from error


def _sources(source: Path, format_: Format) -> list[_Source]:
    if not source.exists() or source.is_dir() != format_.is_directory:
        raise TransferRefusedError(f"{source.name} is not {'a directory' if format_.is_directory else 'a file'}.")
    if not format_.is_directory:
        return [_Source(source, None)]
    known = {format_.file_name(section): section for section in SECTIONS}
    strange = sorted(file.name for file in source.iterdir() if file.suffix == ".csv" and file.name not in known)
    if strange:
        raise TransferRefusedError(f"{strange[0]} is no file of the graph: they are called {', '.join(known)}.")
    return [_Source(source / name, section) for name, section in known.items() if (source / name).is_file()]
