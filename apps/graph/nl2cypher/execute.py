"""Stage 5: run the query through the door, as the reader and with the gate's timeout; or only explain it."""

from dataclasses import dataclass
from typing import Any

from apps.graph.nl2cypher.types import Checked, Mode, Ports


@dataclass(frozen=True, slots=True)
class Outcome:
    """Rows in the order of the columns; of an explanation the plan alone."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    truncated: bool = False
    plan: str = ""


def execute(checked: Checked, ports: Ports, mode: Mode) -> Outcome:
    """The rows, or in explain mode the plan: nothing runs then. The door's errors are the caller's."""
    if mode == "explain":
        return Outcome(plan=ports.explain(checked))
    fetched = ports.read(checked)
    return Outcome(tuple(fetched.columns), tuple(tuple(row) for row in fetched.rows), fetched.truncated)
