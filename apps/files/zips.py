"""Zips: made a piece at a time, and unpacked without believing what they say of themselves (security, attack 136)."""

import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from django.conf import settings

from apps.files.disk import CHUNK_BYTES
from kernel.errors import PlatformError

UNPACKED_TIMES = 200  # a zip may become so many times its size


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


def unpack(source: Path, target: Path, names: frozenset[str], checkpoint: Callable[[], None]) -> None:
    """The members into a directory, if all of them are called one of ``names``. ZipRefusedError."""
    left = min(settings.FILES_MAX_BYTES, UNPACKED_TIMES * source.stat().st_size)
    try:
        with zipfile.ZipFile(source) as archive:
            members = archive.infolist()
            if len(members) > len(names) or not {member.filename for member in members} <= names:
                raise ZipRefusedError(f"The zip holds other files than {', '.join(sorted(names))}.")
            for member in members:
                with archive.open(member) as packed, (target / member.filename).open("wb") as file:
                    while piece := packed.read(CHUNK_BYTES):
                        checkpoint()
                        left -= len(piece)
                        if left < 0:
                            raise ZipRefusedError("The zip becomes far larger than it is.")
                        file.write(piece)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ZipRefusedError("The file is not a zip that can be read here.") from error
