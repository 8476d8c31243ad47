"""What the gate says: let through, with the text to run, or refused, with the layer, the reason and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kernel.errors import PlatformError

LayerName = Literal["syntax", "read-only", "tenant", "depth", "time", "rows"]


class GateRefusal(PlatformError):
    """The query stays outside: nothing was sent to the graph.

    ``layer`` is the one of the six that refused, ``message`` why, ``hint`` what to write instead, ``position`` the line
    and column of the fault where they are known, both from 1.
    """

    code, http_status, title = "cypher_refused", 422, "Query Refused"

    def __init__(self, layer: LayerName, message: str, hint: str = "", position: tuple[int, int] | None = None) -> None:
        super().__init__(
            f"{message} {hint}".strip(), layer=layer, message=message, hint=hint,
            position=None if position is None else {"line": position[0], "column": position[1]},
        )  # fmt: skip
        self.layer, self.message, self.hint, self.position = layer, message, hint, position


@dataclass(frozen=True, slots=True)
class LayerReport:
    """One layer's finding. ``note`` says what it changed or found, in words."""

    name: LayerName
    ok: bool
    note: str
    elapsed_ms: float


@dataclass(frozen=True, slots=True)
class Passed:
    """What may run: this ``text`` with these ``parameters`` and nothing else.

    ``text`` is printed from the rewritten tree; ``sha256`` is its hash in hex, for the audit. ``columns`` in order.
    The door must stop reading at ``row_limit`` rows and end the query on the server after ``timeout_s``. With ``mode``
    explain or profile nothing runs.
    """

    text: str
    parameters: Mapping[str, Any]
    columns: tuple[str, ...]
    row_limit: int
    timeout_s: float
    mode: Literal["run", "explain", "profile"]
    layers: tuple[LayerReport, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class PassedChange:
    """A change that may run after its author has confirmed it.

    ``count_text`` is a query with one row: column ``rows`` says for how many rows the change would be made, and for
    each variable that it changes or deletes, a column of that name says how many different things. It runs with the
    same ``parameters``, and changes nothing.
    """

    text: str
    count_text: str
    parameters: Mapping[str, Any]
    columns: tuple[str, ...]
    row_limit: int
    timeout_s: float
    layers: tuple[LayerReport, ...]
    sha256: str
