"""Neo4j's error codes, which ArcadeDB uses too: https://neo4j.com/docs/status-codes/current/."""

from apps.graph.engines.dialect import Failure

_EXACT: dict[str, Failure] = {
    "Neo.ClientError.Schema.ConstraintValidationFailed": Failure.CONSTRAINT,
    "Neo.ClientError.Schema.ConstraintViolation": Failure.CONSTRAINT,
    "Neo.ClientError.Statement.ConstraintVerificationFailed": Failure.CONSTRAINT,
    "Neo.ClientError.Statement.ArithmeticError": Failure.FAILED,
    "Neo.ClientError.Statement.ArgumentError": Failure.FAILED,
    "Neo.ClientError.Statement.TypeError": Failure.FAILED,
    "Neo.ClientError.Statement.EntityNotFound": Failure.FAILED,
    "Neo.ClientError.Statement.AccessMode": Failure.FORBIDDEN,
    "Neo.ClientError.General.ForbiddenOnReadOnlyDatabase": Failure.FORBIDDEN,
    "Neo.ClientError.General.WriteOnReadOnlyAccessDatabase": Failure.FORBIDDEN,
    "Neo.ClientError.Cluster.NotALeader": Failure.UNAVAILABLE,
    "Neo.ClientError.Transaction.TransactionTimedOut": Failure.TIMEOUT,
    "Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration": Failure.TIMEOUT,
    "Neo.TransientError.Transaction.TransactionTimedOut": Failure.TIMEOUT,
    "Neo.ClientError.Transaction.Terminated": Failure.TERMINATED,
    "Neo.TransientError.Transaction.Terminated": Failure.TERMINATED,
    "Neo.ClientError.Transaction.LockClientStopped": Failure.TERMINATED,
    "Neo.TransientError.Transaction.LockClientStopped": Failure.TERMINATED,
    "Neo.TransientError.General.OutOfMemoryError": Failure.TOO_LARGE,
    "Neo.TransientError.General.MemoryPoolOutOfMemoryError": Failure.TOO_LARGE,
    "Neo.TransientError.General.TransactionOutOfMemoryError": Failure.TOO_LARGE,
    "Neo.TransientError.General.StackOverFlowError": Failure.TOO_LARGE,
    "Neo.DatabaseError.General.OutOfMemoryError": Failure.TOO_LARGE,
}
_BY_BEGINNING: tuple[tuple[str, Failure], ...] = (
    ("Neo.ClientError.Security.Forbidden", Failure.FORBIDDEN),
    ("Neo.ClientError.Security.", Failure.UNAVAILABLE),  # our own password is wrong: the caller can do nothing
    ("Neo.ClientError.Statement.", Failure.INVALID),
    ("Neo.ClientError.Procedure.", Failure.INVALID),
    ("Neo.ClientError.Database.", Failure.UNAVAILABLE),
    ("Neo.TransientError.Transaction.", Failure.CONTENTION),
    ("Neo.TransientError.", Failure.UNAVAILABLE),
)


def failure(code: str) -> Failure:
    """What a code means; BROKEN for one that is not known."""
    if code in _EXACT:
        return _EXACT[code]
    return next((meant for beginning, meant in _BY_BEGINNING if code.startswith(beginning)), Failure.BROKEN)
