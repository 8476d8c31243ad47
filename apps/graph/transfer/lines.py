"""The lines of a file, with where each ends: an import knows by that where it can go on."""

from collections.abc import Iterator
from typing import BinaryIO

from apps.graph.records import RecordError

LINE_BYTES_MAX = 4 << 20


class Lines(Iterator[str]):
    """Lines from ``offset`` on, as text. ``offset`` and ``number`` are those of the last line given.

    RecordError for a line that is no UTF-8 or too long; the next one follows it.
    """

    def __init__(self, file: BinaryIO, offset: int = 0, number: int = 0) -> None:
        self._file = file
        self.offset, self.number = offset, number
        file.seek(offset)

    def __next__(self) -> str:
        raw = self._file.readline(LINE_BYTES_MAX + 1)
        if not raw:
            raise StopIteration
        self.number += 1
        if len(raw) > LINE_BYTES_MAX:
            self.offset += len(raw) + self._skip_rest(raw)
            raise RecordError(f"the line is longer than {LINE_BYTES_MAX >> 20} MiB")
        self.offset += len(raw)
        try:
            return raw.decode("utf-8-sig" if self.number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise RecordError("the line is not UTF-8") from error

    def _skip_rest(self, raw: bytes) -> int:
        """Go to the end of a line that has no end yet; how many bytes that was."""
        skipped = 0
        while raw and not raw.endswith(b"\n"):
            raw = self._file.readline(LINE_BYTES_MAX)
            skipped += len(raw)
        return skipped
