"""Files are made, and deleted. A file can be read when it is whole, on disk to stay, and its row says so; not before.

Making one: a row (`writing`), room set aside, bytes under another name, fsync, rename, the row (`ready`). What a crash
leaves in between nobody can read, and retention.py takes it away.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings

from apps.audit import trail
from apps.files import disk, room, selectors
from apps.files.models import BACKUP, FILE, READY, WRITING, File
from apps.identity import rbac
from apps.identity.principal import Principal
from kernel.clock import now
from kernel.errors import PayloadTooLargeError, ValidationError
from kernel.failpoints import failpoint
from kernel.tenant_context import tenant_scope

STEP_BYTES = 16 << 20  # room is set aside in steps of this where nobody knows how much it will be
STEP_BYTES_MIN = 4096
MADE_WITHIN = timedelta(hours=12)
BACKUPS_KEPT = timedelta(days=90)
OTHERS_DELETE = "all-files:delete"
Also = Callable[[UUID, str], None]


class Draft:
    """A file that is being made. The same ``file_id`` again goes on with what an attempt before left in ``work``.

    ``with draft:`` abandons it when what is inside fails; not when the process ends, for another will go on.
    """

    def __init__(self, principal: Principal, row: File) -> None:
        self.principal, self.row = principal, row
        self._aside = row.size_bytes
        self._step = STEP_BYTES

    def __enter__(self) -> "Draft":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is not None and issubclass(kind, Exception) and not self.is_done:
            self.abandon()

    @property
    def is_done(self) -> bool:
        """An attempt before this one has made it."""
        return self.row.state == READY

    @property
    def work(self) -> Path:
        """A directory for what it is made from."""
        return disk.work(self.row.tenant_id, self.row.id)

    @property
    def part(self) -> Path:
        return disk.part(self.row.tenant_id, self.row.id)

    def set_aside(self, size_bytes: int) -> bool:
        """Room for so many bytes in all; whether the database was asked. StorageFullError. Cheap to call often."""
        if size_bytes <= self._aside:
            return False
        while True:
            wanted = -(-size_bytes // self._step) * self._step
            try:
                room.set_aside(self.row.tenant_id, self.row.id, wanted)
            except room.StorageFullError:
                if self._step == 1:
                    raise
                self._step = self._step // 16 if self._step > STEP_BYTES_MIN else 1  # the last of a quota
            else:
                self._aside = wanted
                self._step = min(STEP_BYTES, 2 * self._step)
                return True

    def finish(
        self,
        source: Path,
        *,
        sha256: str = "",
        details: dict[str, Any] | None = None,
        also: Also = lambda file_id, sha256: None,
    ) -> File:
        """``source`` becomes the file. It lies in ``work`` or is ``part``. Safe to repeat after a crash half way.

        ``also`` gets the id and the SHA-256, and belongs to the transaction from which on the file can be read.
        """
        if self.is_done:
            return self.row
        target = disk.content(self.row.tenant_id, self.row.id)
        there = source if source.exists() else target
        size_bytes = there.stat().st_size
        self.set_aside(size_bytes)
        digest = sha256 or disk.sha256_of(there)
        if there is source:
            disk.keep(source, target)
        failpoint("file_on_disk")
        kept_for = BACKUPS_KEPT if self.row.kind == BACKUP else timedelta(days=settings.FILES_RETENTION_DAYS)
        with tenant_scope(self.row.tenant_id):
            fields = {
                "size_bytes": size_bytes,
                "sha256": digest,
                "state": READY,
                "details": details or {},
                "expires_at": now() + kept_for,
            }
            if not File.objects.filter(id=self.row.id, state=WRITING).update(**fields):
                raise selectors.missing()  # it was deleted, or took longer than a file may
            for name, value in fields.items():
                setattr(self.row, name, value)
            also(self.row.id, digest)
            _record(self.principal, "file.create", self.row)
        disk.clear_work(self.row.tenant_id, self.row.id)
        return self.row

    def abandon(self) -> None:
        """Nothing of it is left."""
        self.forget(self.row.tenant_id, self.row.id)

    @staticmethod
    def forget(tenant_id: UUID, file_id: UUID) -> None:
        """Nothing is left of a file that was being made, if one was."""
        with tenant_scope(tenant_id):
            if File.objects.filter(id=file_id).exclude(state=WRITING).exists():
                return
            File.objects.filter(id=file_id, state=WRITING).delete()
        disk.remove(tenant_id, file_id)


def begin(principal: Principal, *, name: str, media_type: str, kind: str = FILE, file_id: UUID | None = None) -> Draft:
    """A file of the caller's that is being made, or (``is_done``) the one of this id that is there already."""
    wanted = file_id or uuid4()
    with tenant_scope(principal.tenant_id):
        row, _ = File.objects.get_or_create(
            id=wanted,
            tenant_id=principal.tenant_id,
            owner_sub=principal.sub,
            defaults={
                "kind": kind,
                "name": checked_name(name),
                "media_type": media_type,
                "expires_at": now() + MADE_WITHIN,
            },
        )
    if row.state == WRITING and row.size_bytes == 0:
        try:
            room.set_aside(principal.tenant_id, row.id, 0)
        except room.StorageFullError:
            Draft(principal, row).abandon()
            raise
    return Draft(principal, row)


def delete_file(principal: Principal, file_id: UUID) -> None:
    """A file of one's own, for administrators any of the tenant's. NotFoundError."""
    with tenant_scope(principal.tenant_id):
        rows = File.objects.filter(id=file_id, state=READY)
        if not rbac.may(principal, OTHERS_DELETE):
            rows = rows.filter(owner_sub=principal.sub)
        row = rows.select_for_update().first()
        if row is None:
            raise selectors.missing()
        rows.delete()
        _record(principal, "file.delete", row)
    disk.remove(principal.tenant_id, file_id)


def contents(tenant_id: UUID) -> Iterable[tuple[str, Path]]:
    """(id, path) of every file of a tenant that can be read: for its export."""
    with tenant_scope(tenant_id):
        ids = list(File.objects.filter(state=READY).order_by("id").values_list("id", flat=True))
    for file_id in ids:
        path = disk.content(tenant_id, file_id)
        if path.is_file():
            yield str(file_id), path


def erase(tenant_id: UUID, checkpoint: Callable[[], None] = lambda: None) -> None:
    """The contents of a tenant that leaves; its rows go with its other rows (apps/tenancy/ownership.py)."""
    checkpoint()
    disk.remove_tenant(tenant_id)


def note_download(principal: Principal, row: File) -> None:
    """Who took which file is on record."""
    trail.note(
        **trail.by(principal),
        action="file.download",
        resource_type="file",
        resource_id=str(row.id),
        outcome=trail.SUCCESS,
        details={"owner_sub": row.owner_sub, "size_bytes": row.size_bytes},
    )


def checked_name(name: str) -> str:
    """A name as people may see it. ValidationError for a slash, a control character, or a wrong length."""
    clean = name.strip()
    if not 1 <= len(clean) <= 255 or not clean.isprintable() or "/" in clean or "\\" in clean or clean in (".", ".."):
        raise ValidationError(
            "A file's name has 1 to 255 characters, none of them a slash, a backslash or a control character.",
            code="invalid_file_name",
        )
    return clean


def too_large() -> PayloadTooLargeError:
    """The file is larger than one may be."""
    return PayloadTooLargeError(
        f"A file may have {settings.FILES_MAX_BYTES:,} bytes at most.", max_bytes=settings.FILES_MAX_BYTES
    )


def _record(principal: Principal, action: str, row: File) -> None:
    trail.record(
        tenant_id=row.tenant_id,
        actor=principal.sub,
        actor_tenant_id=principal.own_tenant_id,
        action=action,
        resource_type="file",
        resource_id=str(row.id),
        details={
            "name": row.name,
            "kind": row.kind,
            "owner_sub": row.owner_sub,
            "size_bytes": row.size_bytes,
            "sha256": row.sha256,
        },
    )
