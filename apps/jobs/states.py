"""The states of a job and the moves between them (SPEC 6.1, 10). The database's trigger holds the same table."""

from kernel.state_machine import Transitions

QUEUED, RUNNING, FINISHED, FAILED, CANCELLED = "queued", "running", "finished", "failed", "cancelled"
STATUSES = (QUEUED, RUNNING, FINISHED, FAILED, CANCELLED)
TERMINAL = frozenset({FINISHED, FAILED, CANCELLED})

# running -> queued happens only when a worker lost its lease or gave the job back.
TRANSITIONS = Transitions(
    {
        QUEUED: frozenset({RUNNING, CANCELLED, FAILED}),
        RUNNING: frozenset({FINISHED, FAILED, CANCELLED, QUEUED}),
        FINISHED: frozenset(),
        FAILED: frozenset(),
        CANCELLED: frozenset(),
    }
)
