"""PostgreSQL away, or hung up in the midst of a statement: what either library raises then, as one error."""

import psycopg
from django.db import DatabaseError, InterfaceError, OperationalError

from kernel.errors import UnavailableError

# The second: what a process finds that was frozen in a transaction for too long.
_LOST = (psycopg.OperationalError, psycopg.errors.IdleInTransactionSessionTimeout)


def database_outage(error: BaseException) -> UnavailableError | None:
    """The error for whoever waits for an answer (``database_unavailable``); None when it is something else."""
    lost = isinstance(error, (OperationalError, InterfaceError, *_LOST))
    if lost or (isinstance(error, DatabaseError) and isinstance(error.__cause__, _LOST)):
        return UnavailableError("The database does not answer. Try again.", code="database_unavailable")
    return None
