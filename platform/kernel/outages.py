"""What the platform itself stands on gives way: PostgreSQL is away, or hung up in the midst of a statement; the disk is
full. Whatever a library raises then, as one error for whoever waits for an answer."""

import errno

import psycopg
from django.db import DatabaseError, InterfaceError, OperationalError

from kernel.errors import DiskFullError, PlatformError, UnavailableError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
# The second: what a process finds that was frozen in a transaction for too long.
_LOST = (psycopg.OperationalError, psycopg.errors.IdleInTransactionSessionTimeout)


def outage(error: BaseException) -> PlatformError | None:
    """UnavailableError (``database_unavailable``) or DiskFullError; None when it is something else."""
    if is_database_lost(error):
        return UnavailableError("The database does not answer. Try again.", code="database_unavailable")
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        return DiskFullError("The platform's disk is full: nothing was kept. Tell its operator, and try again later.")
    return None


def is_database_lost(error: BaseException) -> bool:
    """Whether PostgreSQL, and not what was asked of it, is the cause."""
    if isinstance(error, (OperationalError, InterfaceError, *_LOST)):
        return True
    return isinstance(error, DatabaseError) and isinstance(error.__cause__, _LOST)
