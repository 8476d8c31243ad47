"""What moves runs: the events they tell, and what one task did to its run. For columns see apps/agents/models.py."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from kernel.jsonb import json_text

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A line of a run's log. ``token`` proves that whoever tells it still holds the run; ``seq`` is its number."""

    run_id: UUID
    token: int
    seq: int
    event_type: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Move:
    """What one task did to its run. None leaves a column as it is. ``status``: it ends the run.

    ``step``: columns of a row of ``steps`` without run, tenant and attempt. ``seen_seq``: number of the last event
    that its holder has numbered. ``keep_s``: its holder goes on with it, under the next token and a lease of so many
    seconds.
    """

    run_id: UUID
    token: int = 0
    phase: str | None = None
    next_index: int | None = None
    seen_seq: int = 0
    events: tuple[NewEvent, ...] = ()
    intent: Any = None
    todos: Any = None
    step: dict[str, Any] | None = None
    metrics: Any = None
    warnings: Sequence[str] | None = None
    used_fallback: bool = False
    status: str | None = None
    output: Any = None
    error: Any = None
    refused: bool = False
    degraded: bool = False
    keep_s: float | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """A move that was committed: what it told (run_mirror's rows), and the runs that need not wait any longer.

    ``kept``: columns of the run as they are now, its new ``step``, and what earlier attempts made of its next
    (``earlier``), where it was kept.
    """

    told: list[Row]
    released: list[UUID] = field(default_factory=list)
    kept: Row | None = None


_NO_STEP = dict.fromkeys(
    ("step_id", "step_index", "action", "step_status", "step_input", "step_output", "step_error", "input_hash",
     "reused_from", "tokens", "cost", "latency_ms", "step_began", "step_ended")
)  # fmt: skip


def step_values(step: dict[str, Any] | None) -> dict[str, Any]:
    """The parameters of the part of a move that writes a step."""
    if step is None:
        return _NO_STEP
    return {
        "step_id": step["id"],
        "step_index": step["index"],
        "action": step["action"],
        "step_status": step["status"],
        "step_input": json_text(step["input"]),
        "step_output": json_text(step["output"]),
        "step_error": json_text(step["error"]),
        "input_hash": step["input_hash"],
        "reused_from": step["reused_from"],
        "tokens": step["tokens"],
        "cost": step["cost_nano_usd"],
        "latency_ms": step["latency_ms"],
        "step_began": step["started_at"],
        "step_ended": step["finished_at"],
    }
