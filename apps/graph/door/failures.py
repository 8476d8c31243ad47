"""What the driver raises as the platform's errors. Their texts are ours: a server's could tell what is in the graph."""

import structlog
from neo4j.exceptions import DriverError, Neo4jError, ServiceUnavailable, SessionExpired

from apps.graph import errors
from apps.graph.door.links import ReaderMissing
from apps.graph.door.standing import away
from apps.graph.door.values import ForeignData
from apps.graph.engines.dialect import Dialect, Failure
from kernel import metrics
from kernel.errors import PlatformError

log = structlog.get_logger("graph")
LOGGED_CHARS = 500
SILENT = (DriverError, OSError, TimeoutError, EOFError, ReaderMissing)
"""What means that nobody (usable) is there."""
HUNG_UP = (ServiceUnavailable, SessionExpired)
SAID = (Neo4jError, ForeignData, PlatformError, OverflowError, ValueError, TypeError)
"""What means that a server is there. The last three are the driver's, of parameters that Bolt cannot carry."""

_ERRORS: dict[Failure, tuple[type[PlatformError], str]] = {
    Failure.INVALID: (
        errors.QueryInvalidError,
        "The graph does not understand this query. Look at its names, parameters and functions.",
    ),
    Failure.FAILED: (
        errors.QueryFailedError,
        "The query cannot be worked out on these data: a calculation or comparison in it meets values that do not fit.",
    ),
    Failure.TOO_LARGE: (
        errors.QueryTooLargeError,
        "The query needs more memory than one query may have. Ask for less: filter earlier, collect fewer values.",
    ),
    Failure.TIMEOUT: (
        errors.QueryTimeoutError,
        "The query took longer than it may and was ended. Ask for less: name labels, filter earlier, fewer hops.",
    ),
    Failure.TERMINATED: (errors.QueryCancelledError, "The query was ended before its answer came."),
    Failure.CONSTRAINT: (
        errors.GraphConflictError,
        "The change breaks a rule of the graph: an identifier is taken, or a node still has relationships.",
    ),
    Failure.CONTENTION: (
        errors.GraphConflictError,
        "Somebody else changes the same part of the graph just now. Try again.",
    ),
    Failure.FORBIDDEN: (errors.WriteForbiddenError, "This way into the graph only reads."),
}


def platform_error(error: BaseException, dialect: Dialect | None, mark: str) -> PlatformError:
    """The error for the caller; the details go to the log, under ``mark``."""
    if isinstance(error, PlatformError):
        return error
    if isinstance(error, ForeignData):
        metrics.GRAPH_REFUSED.inc()
        log.error("graph_result_refused", mark=mark, held=error.what)
        return errors.ResultRefusedError(
            "The answer was thrown away: it held data that are not your tenant's. The platform's operators were told."
        )
    if isinstance(error, Neo4jError):
        meant = failure_of(error, dialect)
        code, message = str(error.code), str(error.message)[:LOGGED_CHARS]
        log.warning("graph_refused", mark=mark, meant=meant, code=code, message=message)
        if meant in _ERRORS:
            kind, sentence = _ERRORS[meant]
            return kind(sentence)
        if meant is Failure.UNAVAILABLE:
            return away(1.0)
        return errors.QueryFailedError("The graph could not answer this query. The reason is in the platform's log.")
    if isinstance(error, OverflowError | ValueError | TypeError):
        log.warning("graph_parameters_refused", mark=mark, message=str(error)[:LOGGED_CHARS])
        return errors.QueryInvalidError("The graph cannot take one of the query's values: a whole number has 64 bits.")
    if isinstance(error, SILENT):
        log.warning("graph_silent", mark=mark, error=type(error).__name__, message=str(error)[:LOGGED_CHARS])
        return away(1.0)
    raise error


def outcome_unknown(mark: str) -> PlatformError:
    """The server hung up on a change before it said whether it was made."""
    log.warning("graph_outcome_unknown", mark=mark)
    return errors.GraphUnavailableError(
        "The graph hung up before it said whether the change was made. Look before you try again.",
        code="graph_outcome_unknown",
    )


def failure_of(error: Neo4jError, dialect: Dialect | None) -> Failure:
    """What a server's error means; one that comes before its dialect is known means that it cannot be used."""
    if dialect is None:
        return Failure.UNAVAILABLE
    return dialect.failure(str(error.code), str(error.message))
