"""The states of sessions, of their steps, of runs and of runs' phases (contract 3.5, SPEC 7.1, 10)."""

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
DEFAULT_TEMPERATURE, DEFAULT_MAX_STEPS = 0.2, 8  # of a session that does not say, as the predecessor showed it
STEP_TYPES = ("message", "user", "assistant", "tool", "system", "error")
STEP_STATUSES = ("queued", "running", "completed", "failed", "cancelled")

# --- Runs (SPEC 10, workflow A). The database's trigger holds the same table.
QUEUED, RUNNING, SUCCEEDED = "queued", "running", "succeeded"
RUN_STATUSES = (QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED)
RUN_TERMINAL = frozenset({SUCCEEDED, FAILED, CANCELLED})
# running -> queued: its worker was lost or gave it back. failed, cancelled -> queued: somebody resumes it.
RUN_MOVES = Transitions(
    {
        QUEUED: frozenset({RUNNING, FAILED, CANCELLED}),
        RUNNING: frozenset({QUEUED, SUCCEEDED, FAILED, CANCELLED}),
        SUCCEEDED: frozenset(),
        FAILED: frozenset({QUEUED}),
        CANCELLED: frozenset({QUEUED}),
    }
)
# What a run does next, in this order; "step" once for each todo.
CLASSIFY, PLAN, STEP, FINALIZE, DONE = "classify", "plan", "step", "finalize", "done"
PHASES = (CLASSIFY, PLAN, STEP, FINALIZE, DONE)
RUN_STEP_STATUSES = ("completed", "failed")
PLANNING_MODES = ("full", "optional", "none")
RESPONSE_MODES = ("fallback-only", "llm-best-effort")
WHEN_BUSY = ("reject", "enqueue", "interrupt")  # what a second prompt does while a run of its session is open
