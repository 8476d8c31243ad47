"""Files that have expired, and what crashes left on disk. Runs hourly, as the engine's role, across tenants."""

import shutil
from uuid import UUID

import structlog

from apps.files import disk
from kernel import engine_db

log = structlog.get_logger("files")
BATCH = 500
LEFT_AFTER_S = 6 * 3600.0  # what nobody wrote to for so long, and no row speaks for, was left by a crash
EXPIRED = (
    "DELETE FROM files WHERE id IN (SELECT id FROM files WHERE expires_at < now() ORDER BY expires_at LIMIT %(batch)s) "
    "RETURNING tenant_id, id"
)
KNOWN = "SELECT id FROM files WHERE id = ANY(%(ids)s)"


def clean(*, left_after_s: float = LEFT_AFTER_S) -> dict[str, int]:
    """Delete what has expired, rows first, then contents; and contents that belong to no row. Counts by name."""
    done = {"expired": _expired(), "left_over": _left_over(left_after_s)}
    log.info("files_cleaned", **done)
    return done


def _expired() -> int:
    total = 0
    while True:
        with engine_db.cursor() as cursor:
            cursor.execute(EXPIRED, {"batch": BATCH})
            gone = cursor.fetchall()
        for tenant_id, file_id in gone:
            disk.remove(tenant_id, file_id)
        total += len(gone)
        if len(gone) < BATCH:
            return total


def _left_over(left_after_s: float) -> int:
    found = list(disk.untouched(left_after_s))
    known: set[UUID] = set()
    for start in range(0, len(found), BATCH):
        with engine_db.cursor() as cursor:
            cursor.execute(KNOWN, {"ids": [file_id for _, file_id, _ in found[start : start + BATCH]]})
            known |= {row[0] for row in cursor.fetchall()}
    left = [path for _, file_id, path in found if file_id not in known]
    for path in left:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(left)
