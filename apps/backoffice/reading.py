"""How a page reads: a tenant's administrator through row-level security, a platform administrator through the engine's
door, which may read what is shown and nothing more (docs/adr/0003)."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from apps.backoffice.rights import Staff
from kernel import engine_db
from kernel.tenant_context import tenant_scope


def alias_for(staff: Staff) -> str:
    """The connection this person's lists are read on."""
    return engine_db.ALIAS if staff.is_platform else "default"


@contextmanager
def reading(staff: Staff) -> Iterator[None]:
    """Inside, ``alias_for(staff)`` shows what the person may see. Not around services: they commit for themselves."""
    if staff.is_platform:
        yield
    else:
        with tenant_scope(staff.tenant_id):
            yield


def as_uuid(text: str) -> UUID | None:
    """An id from a path or a form; None when it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None
