"""Where contents lie. No name of a caller's is ever part of a path: directories are called by the tenant's id, files by
their own.

    FILES_DIR/TENANT/FILE         a whole file, on disk to stay
    FILES_DIR/TENANT/FILE.part    one that is arriving
    FILES_DIR/TENANT/FILE.work/   what a file is made from, and how far that has come

The processes of the API and of the workers share the directory.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from django.conf import settings

PART, WORK = ".part", ".work"
CHUNK_BYTES = 1 << 20


def root() -> Path:
    """The directory of all tenants, for its owner only."""
    path = Path(settings.BASE_DIR) / settings.FILES_DIR
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def tenant_directory(tenant_id: UUID) -> Path:
    """The tenant's own; made when it is missing."""
    path = root() / tenant_id.hex
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def content(tenant_id: UUID, file_id: UUID) -> Path:
    """Where the whole file is, or will be."""
    return tenant_directory(tenant_id) / file_id.hex


def part(tenant_id: UUID, file_id: UUID) -> Path:
    """Where it arrives."""
    return tenant_directory(tenant_id) / f"{file_id.hex}{PART}"


def work(tenant_id: UUID, file_id: UUID) -> Path:
    """A directory for what it is made from; made when it is missing, and the same for every attempt."""
    path = tenant_directory(tenant_id) / f"{file_id.hex}{WORK}"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def keep(source: Path, target: Path) -> None:
    """Rename a file that was written, so that it is there whole after a power cut, or not at all."""
    with source.open("rb") as file:
        os.fsync(file.fileno())
    source.rename(target)
    handle = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """In hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove(tenant_id: UUID, file_id: UUID) -> None:
    """Everything of one file. Safe to repeat."""
    home = root() / tenant_id.hex
    for name in (file_id.hex, f"{file_id.hex}{PART}"):
        (home / name).unlink(missing_ok=True)
    clear_work(tenant_id, file_id)


def clear_work(tenant_id: UUID, file_id: UUID) -> None:
    """What the file was made from."""
    shutil.rmtree(root() / tenant_id.hex / f"{file_id.hex}{WORK}", ignore_errors=True)


def private(path: str, flags: int) -> int:
    """An opener: what is made is for its owner only."""
    return os.open(path, flags, 0o600)


def remove_tenant(tenant_id: UUID) -> None:
    """Everything of one tenant. Safe to repeat."""
    shutil.rmtree(root() / tenant_id.hex, ignore_errors=True)


def untouched(age_s: float) -> Iterator[tuple[UUID, UUID, Path]]:
    """(tenant, file, path) of what nobody has written to for so long, whether it belongs to a row or not."""
    before = time.time() - age_s
    for home in root().iterdir():
        tenant_id = _uuid(home.name)
        if tenant_id is None or not home.is_dir():
            continue
        for path in home.iterdir():
            file_id = _uuid(path.name.partition(".")[0])
            if file_id is not None and _touched_at(path) < before:
                yield tenant_id, file_id, path


def _touched_at(path: Path) -> float:
    """Of a directory, the latest of what is in it. A file that goes away meanwhile was touched just now."""
    try:
        inside = [one.stat().st_mtime for one in path.rglob("*")] if path.is_dir() else []
        return max((path.stat().st_mtime, *inside))
    except FileNotFoundError:
        return time.time()


def _uuid(name: str) -> UUID | None:
    try:
        return UUID(hex=name) if len(name) == 32 else None
    except ValueError:
        return None
