"""Zips: made a piece at a time, and unpacked without believing what they say of themselves (security, attack 136)."""

import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from django.conf import settings

from apps.files.disk import CHUNK_BYTES
from kernel.errors import PlatformError

UNPACKED_TIMES = 100  # a zip may become so many times its size,
UNPACKED_ANYWAY = 1 << 20  # or as large as this
UNREADABLE = "The file is not a zip that can be read here."
BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, NotImplementedError, RuntimeError, EOFError)


class ZipRefusedError(PlatformError):
    """The file is no zip, holds other files than it may, or becomes far larger than it is."""

    code, http_status, title = "zip_refused", 422, "Zip Refused"


def pack(target: Path, files: Iterable[Path], checkpoint: Callable[[], None]) -> None:
    """The files, by their own names."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        for path in files:
            with path.open("rb") as source, archive.open(path.name, "w", force_zip64=True) as member:
                while piece := source.read(CHUNK_BYTES):
                    checkpoint()
                    member.write(piece)


def unpack(
    source: Path,
    target: Path,
    names: frozenset[str],
    checkpoint: Callable[[], None],
    room: Callable[[int], object] = lambda size_bytes: None,
) -> None:
    """The members into a directory, if all of them are called one of ``names``. ZipRefusedError.

    ``room(bytes in all)`` is called before they are written, and may refuse it.
    """
    try:
        archive = zipfile.ZipFile(source)
    except (*BROKEN, UnicodeDecodeError) as error:
        raise ZipRefusedError(UNREADABLE) from error
    with archive:
        members = archive.infolist()
        if len(members) > len(names) or not {member.filename for member in members} <= names:
            raise ZipRefusedError(f"The zip holds other files than {', '.join(sorted(names))}.")
        packed = min(source.stat().st_size, sum(member.compress_size for member in members))  # no padding counts
        most = min(settings.FILES_MAX_BYTES, max(UNPACKED_ANYWAY, UNPACKED_TIMES * packed))
        if sum(member.file_size for member in members) > most:
            raise ZipRefusedError("The zip becomes far larger than it is.")
        size_bytes = 0
        for member in members:
            with (target / member.filename).open("wb") as file:
                for piece in _pieces(archive, member):
                    checkpoint()
                    size_bytes += len(piece)
                    if size_bytes > most:
                        raise ZipRefusedError("The zip becomes far larger than it is.")
                    room(size_bytes)
                    file.write(piece)


def _pieces(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with archive.open(member) as packed:
            while piece := packed.read(CHUNK_BYTES):
                yield piece
    except BROKEN as error:
        raise ZipRefusedError(UNREADABLE) from error
    except OSError as error:
        if error.errno is not None:  # the disk's, not bzip2's "Invalid data stream"
            raise
        raise ZipRefusedError(UNREADABLE) from error
