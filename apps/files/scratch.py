"""Room on disk for work that ends in no file: what an import unpacks, what a restore reads."""

from pathlib import Path
from uuid import UUID

from apps.files import disk
from apps.files.services import Draft, begin
from apps.identity.principal import Principal


class Scratch:
    """A directory of the tenant's for work that ends in no file; the same for every attempt at it.

    ``with scratch:`` clears it at the end, however that came; not when the process ends, for another will go on. What
    grows there with what a caller sends is set aside first, and counts as its files do until then.
    """

    def __init__(self, principal: Principal, work_id: UUID) -> None:
        self._principal, self._work_id = principal, work_id
        self._draft: Draft | None = None

    def __enter__(self) -> "Scratch":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is None or issubclass(kind, Exception):
            Draft.forget(self._principal.tenant_id, self._work_id)

    @property
    def path(self) -> Path:
        return disk.work(self._principal.tenant_id, self._work_id)

    def set_aside(self, size_bytes: int) -> None:
        """Room for so many bytes in all. StorageFullError."""
        if self._draft is None:
            self._draft = begin(self._principal, name="scratch", media_type="", file_id=self._work_id)
        self._draft.set_aside(size_bytes)
