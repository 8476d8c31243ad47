"""A tenant's graph into a file, or a directory for CSV. It has its name when it is whole; before that, NAME.part."""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from apps.graph.errors import TransferRefusedError
from apps.graph.selectors import schema_counts
from apps.graph.transfer import progress
from apps.graph.transfer.formats import Format
from apps.graph.transfer.reading import pages
from apps.graph.transfer.sections import SECTIONS, Section

Report = Callable[[int, int], None]


def export_graph(
    tenant_id: UUID,
    target: Path,
    format_: Format,
    report: Report = lambda done, total: None,
    *,
    sections: Sequence[Section] = SECTIONS,
) -> int:
    """Write everything of the tenant, or of some ``sections``, and say how many records that was.

    Called again after it was interrupted, it goes on where it stopped. Records come in a fixed order, so that two
    exports of the same graph are the same bytes. It is no snapshot: changes made meanwhile may or may not be in it.
    ``report(done, total)``: records, the total as counted at first.
    """
    if target.exists():
        raise TransferRefusedError(f"{target.name} is there already: choose another name, or remove it.")
    with progress.alone(progress.path_beside(target)):
        return _Export(tenant_id, target, format_, report, sections).run()


class _Export:
    """``state``: {section, after, done, sizes}: the section at hand, the last uid written, and every file's length."""

    def __init__(
        self, tenant_id: UUID, target: Path, format_: Format, report: Report, sections: Sequence[Section]
    ) -> None:
        self.tenant_id, self.target, self.format, self.report = tenant_id, target, format_, report
        self.sections = sections
        self.part = target.with_name(target.name + ".part")
        self.saved_in = progress.path_beside(target)
        names = [section.name for section in sections]
        self.identity = {"export": str(tenant_id), "format": format_.name, "sections": names}
        counts = schema_counts(tenant_id, fresh=True)
        self.total = sum((counts.labels | counts.types)[name] for name in names)
        self.state: dict[str, Any] = {"section": 0, "after": "", "done": 0, "sizes": {}}

    def run(self) -> int:
        self._begin()
        for number, section in enumerate(self.sections):
            if number >= self.state["section"]:
                self._write_section(number, section)
        self._flush_to_disk()
        self.part.rename(self.target)
        self.saved_in.unlink(missing_ok=True)
        return int(self.state["done"])

    def _begin(self) -> None:
        """Go on from what was saved, or from nothing. What was written beyond that is cut off."""
        saved = progress.read(self.saved_in, self.identity)
        if saved is None or not self._holds(saved["sizes"]):
            shutil.rmtree(self.part) if self.part.is_dir() else self.part.unlink(missing_ok=True)
            if self.format.is_directory:
                self.part.mkdir(mode=0o700)
            else:
                self.part.touch(mode=0o600)
            return
        self.state = saved
        for file in self.part.iterdir() if self.format.is_directory else [self.part]:
            os.truncate(file, saved["sizes"].get(file.name if self.format.is_directory else "", 0))

    def _holds(self, sizes: dict[str, int]) -> bool:
        """Whether the files are as long as they are said to be: after a power cut they may not be."""
        files = {name: self._file(name) for name in sizes}
        return self.part.exists() and all(
            file.exists() and file.stat().st_size >= sizes[name] for name, file in files.items()
        )

    def _write_section(self, number: int, section: Section) -> None:
        name = self.format.file_name(section)
        with self._file(name).open("ab") as file:
            if self.state["section"] < number or not self.state["after"]:
                self.state |= {"section": number, "after": ""}
                file.write(self.format.head(section).encode())
            for records, after in pages(self.tenant_id, section, self.state["after"]):
                file.write("".join(self.format.line(section, record) for record in records).encode())
                file.flush()
                self.state |= {"after": after, "done": self.state["done"] + len(records)}
                self.state["sizes"][name] = file.tell()
                progress.save(self.saved_in, self.identity, self.state)
                self.report(self.state["done"], max(self.total, self.state["done"]))
            file.flush()
            self.state |= {"section": number + 1, "after": ""}
            self.state["sizes"][name] = file.tell()
        progress.save(self.saved_in, self.identity, self.state)

    def _file(self, name: str) -> Path:
        return self.part / name if self.format.is_directory else self.part

    def _flush_to_disk(self) -> None:
        for file in self.part.iterdir() if self.format.is_directory else [self.part]:
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
