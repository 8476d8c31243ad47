"""A tenant's data as one zip: an NDJSON file a table, the accounts of the built-in issuer, and a manifest.

A file is under its final name only when it is whole and on disk (fsync of file and directory, then rename).
"""

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from django.conf import settings

from apps.identity.selectors import accounts_of
from apps.tenancy.models import Tenant
from apps.tenancy.ownership import owned_tables, rows_as_json
from kernel.clock import iso, now
from kernel.errors import NotFoundError

NAME = re.compile(r"[a-z0-9_-]{1,63}-[0-9a-f]{32}\.zip", re.ASCII)
CHUNK_BYTES = 1 << 20
ROWS_BETWEEN_CHECKPOINTS = 500


@dataclass(frozen=True)
class Export:
    """What an offboarding leaves behind."""

    name: str
    sha256: str
    counts: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        return {"export": self.name, "sha256": self.sha256, "counts": self.counts}


def directory() -> Path:
    """Where exports lie, for their owner only. Web and worker processes must share it."""
    path = Path(settings.BASE_DIR) / settings.EXPORTS_DIR
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def path_of(name: str) -> Path:
    """The file of an export that was made here; NotFoundError for any other name."""
    path = directory() / name
    if not NAME.fullmatch(name) or path.is_symlink() or not path.is_file():
        raise NotFoundError("There is no such export.", code="export_not_found")
    return path


def export_tenant(
    tenant: Tenant,
    checkpoint: Callable[[], None],
    others: Mapping[str, Iterable[str]] = MappingProxyType({}),
    contents: Iterable[tuple[str, Path]] = (),
) -> Export:
    """Write everything of the tenant to EXPORTS_DIR. Call it again after a crash: nothing half done is ever taken.

    ``others``: name -> JSON objects, of what is kept elsewhere than in tables. ``contents``: (id, path) of its files,
    whose rows are in files.ndjson.
    """
    file_name = f"{re.sub('[^a-z0-9_-]', '-', tenant.slug.lower())}-{tenant.id.hex}.zip"
    part = directory() / f"{file_name}.{uuid4().hex}.part"
    counts: dict[str, int] = {}
    digests: dict[str, str] = {}
    try:
        with open(part, "xb", opener=_private) as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
                for table in sorted(owned_tables(tenant.id), key=lambda table: table.name):
                    lines = rows_as_json(tenant.id, table)
                    counts[table.name], digests[table.name] = _add(archive, table.name, lines, checkpoint)
                for name, objects in others.items():
                    counts[name], digests[name] = _add(archive, name, objects, checkpoint)
                accounts = (json.dumps(account) for account in accounts_of(tenant.id))
                counts["users"], digests["users"] = _add(archive, "users", accounts, checkpoint)
                counts["contents"] = _add_contents(archive, contents, checkpoint)
                archive.writestr("manifest.json", json.dumps(_manifest(tenant, counts, digests), indent=2))
            file.flush()
            os.fsync(file.fileno())
        part.rename(directory() / file_name)
        _sync_directory()
    finally:
        part.unlink(missing_ok=True)
    return Export(file_name, _sha256(directory() / file_name), counts)


def _add(archive: zipfile.ZipFile, table: str, lines: Iterable[str], checkpoint: Callable[[], None]) -> tuple[int, str]:
    count, digest = 0, hashlib.sha256()
    with archive.open(f"{table}.ndjson", "w", force_zip64=True) as file:
        for count, line in enumerate(lines, start=1):
            data = line.encode() + b"\n"
            digest.update(data)
            file.write(data)
            if count % ROWS_BETWEEN_CHECKPOINTS == 0:
                checkpoint()
    return count, digest.hexdigest()


def _add_contents(
    archive: zipfile.ZipFile, contents: Iterable[tuple[str, Path]], checkpoint: Callable[[], None]
) -> int:
    """As ``files/ID``, a piece at a time; files.ndjson says what each is, and its SHA-256."""
    count = 0
    for file_id, path in contents:
        count += 1
        with path.open("rb") as source, archive.open(f"files/{file_id}", "w", force_zip64=True) as target:
            while chunk := source.read(CHUNK_BYTES):
                target.write(chunk)
                checkpoint()
    return count


def _manifest(tenant: Tenant, counts: dict[str, int], digests: dict[str, str]) -> dict[str, Any]:
    return {
        "tenant_id": str(tenant.id),
        "slug": tenant.slug,
        "name": tenant.name,
        "exported_at": iso(now()),
        "files": {f"{table}.ndjson": {"rows": counts[table], "sha256": digests[table]} for table in sorted(digests)},
    }


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_directory() -> None:
    handle = os.open(directory(), os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
