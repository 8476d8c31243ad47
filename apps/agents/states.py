"""The states of a session and of its steps, and the moves between them (contract 3.5)."""

from kernel.state_machine import Transitions

ACTIVE, COMPLETED, CANCELLED, FAILED = "active", "completed", "cancelled", "failed"
SESSION_STATUSES = (ACTIVE, COMPLETED, CANCELLED, FAILED)
SESSION_MOVES = Transitions(
    {
        ACTIVE: frozenset({COMPLETED, CANCELLED, FAILED}),
        COMPLETED: frozenset(),
        CANCELLED: frozenset(),
        FAILED: frozenset(),
    }
)
STEP_TYPES = ("message", "user", "assistant", "tool", "system", "error")
STEP_STATUSES = ("queued", "running", "completed", "failed", "cancelled")
