"""How much room a tenant has on disk: set aside before it is used, so that two at once cannot both take the rest."""

from uuid import UUID

import psycopg
from django.conf import settings

from apps.tenancy.resolver import tenant_config
from kernel.errors import PayloadTooLargeError, UnavailableError
from kernel.tenant_context import prepared_cursor, tenant_scope

LOCK_CLASS = 20_805  # of PostgreSQL's advisory locks
LOCK_WAIT_MS = 3_000
TAKEN = "SELECT count(*) AS files, coalesce(sum(size_bytes), 0) AS bytes FROM files WHERE tenant_id = %s AND id <> %s"
SET_ASIDE = "UPDATE files SET size_bytes = %s WHERE tenant_id = %s AND id = %s AND state = 'writing'"


class StorageFullError(PayloadTooLargeError):
    """The tenant has as many bytes, or files, as it may have."""

    code, title = "storage_full", "Storage Full"


def quota_bytes(tenant_id: UUID) -> int:
    """What all files of the tenant may have together: its own quota, where it has one below the platform's."""
    config = tenant_config(tenant_id)
    own = None if config is None else config.settings.quotas.file_bytes
    most: int = settings.FILES_TENANT_BYTES
    return most if own is None else min(own, most)


def set_aside(tenant_id: UUID, file_id: UUID, size_bytes: int) -> None:
    """Let the file that is being made have ``size_bytes`` in all. StorageFullError when there is not so much left."""
    quota = quota_bytes(tenant_id)
    try:
        with tenant_scope(tenant_id, lock_timeout_ms=LOCK_WAIT_MS), prepared_cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK_CLASS, str(tenant_id)])
            taken = cursor.execute(TAKEN, [tenant_id, file_id]).fetchone() or {"files": 0, "bytes": 0}
            if taken["files"] >= settings.FILES_TENANT_COUNT:
                raise StorageFullError(
                    f"Your tenant has {settings.FILES_TENANT_COUNT:,} files, which is the most. Delete some.",
                    limit=settings.FILES_TENANT_COUNT,
                )
            if taken["bytes"] + size_bytes > quota:
                raise StorageFullError(
                    f"Your tenant's files may have {quota:,} bytes together, and {quota - int(taken['bytes']):,} are "
                    "left. Delete some, or wait until they expire.",
                    limit=quota,
                )
            cursor.execute(SET_ASIDE, [size_bytes, tenant_id, file_id])
    except psycopg.errors.LockNotAvailable as error:
        raise UnavailableError(
            "Too many files of your tenant are being written at this moment. Try again in a second.",
            code="storage_busy",
            retry_after_s=1,
        ) from error
