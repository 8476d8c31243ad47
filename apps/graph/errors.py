"""What callers of the graph get instead of an answer. No text of the server is in them: that goes to the log alone."""

from kernel.errors import ConflictError, ForbiddenError, PlatformError, UnavailableError


class QueryInvalidError(PlatformError):
    """The graph does not understand the query: its syntax, a name, a parameter that is missing."""

    code, http_status, title = "graph_query_invalid", 422, "Query Invalid"


class QueryFailedError(PlatformError):
    """Understood, and not to be worked out on these data: a division by zero, a text where a number goes."""

    code, http_status, title = "graph_query_failed", 422, "Query Failed"


class QueryTooLargeError(PlatformError):
    """The query needs more memory than one query may have."""

    code, http_status, title = "graph_query_too_large", 422, "Query Too Large"


class QueryTimeoutError(PlatformError):
    """The query took longer than it may, and was ended on the server."""

    code, http_status, title = "graph_timeout", 504, "Query Timeout"


class QueryCancelledError(ConflictError):
    """The caller did not want the answer any more; the query was ended on the server."""

    code, title = "graph_query_cancelled", "Query Cancelled"


class GraphConflictError(ConflictError):
    """The change meets what is there already: an identifier that is taken, somebody who changes the same."""

    code, title = "graph_conflict", "Graph Conflict"


class GraphReadOnlyError(ConflictError):
    """The tenant's graph takes no changes at the moment (tool db.switch)."""

    code, title = "graph_read_only", "Graph Read-Only"


class WriteForbiddenError(ForbiddenError):
    """A query that writes came by the way that only reads."""

    code, title = "graph_write_forbidden", "Write Forbidden"


class GraphUnavailableError(UnavailableError):
    """The graph does not answer, or has as many queries under way as it may (``graph_busy``)."""

    code, title = "graph_unavailable", "Graph Unavailable"


class GraphStaleError(UnavailableError):
    """The graph is not the one that was seen last: an answer from it would be silently wrong. Waiting does not help."""

    code, title, retryable = "graph_stale", "Graph Stale", False


class ResultRefusedError(PlatformError):
    """The answer held something of another tenant, or of none. It was thrown away (security R28)."""

    code, http_status, title = "graph_result_refused", 500, "Result Refused"


class TransferRefusedError(PlatformError):
    """A file that cannot be imported, or a place that cannot be exported to. ``file`` and ``line`` say where."""

    code, http_status, title = "graph_transfer_refused", 422, "Transfer Refused"
