"""What the graph answers, ready for JSON. Pure.

A node is ``{uid, labels, properties}``, a relationship ``{uid, type, start, end, properties}`` (``uid`` null where it
has none; ``start`` and ``end`` are the uids of its nodes), a path ``{nodes, relationships}`` in its own order. Dates
and times are ISO texts, bytes base64, numbers that are none ``"NaN"`` and the like. Nothing carries ``tenant_id``.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Rows:
    """``rows``: lists in the order of ``columns``. ``truncated``: there is more than was asked for.

    ``stale``: why these rows may be out of date, a sentence; empty when they are not. ``nodes`` and ``edges``: every
    node and relationship in the rows, each once, wherever it stood.
    """

    columns: tuple[str, ...]
    rows: list[list[Any]]
    truncated: bool = False
    elapsed_ms: float = 0.0
    stale: str = ""
    nodes: list[dict[str, Any]] = field(default_factory=list)
    edges: list[dict[str, Any]] = field(default_factory=list)

    def as_records(self) -> list[dict[str, Any]]:
        """The rows as ``{column: value}``."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Counters:
    """What a change did."""

    nodes_created: int = 0
    nodes_deleted: int = 0
    relationships_created: int = 0
    relationships_deleted: int = 0
    properties_set: int = 0
    labels_added: int = 0
    labels_removed: int = 0

    def __bool__(self) -> bool:
        return self != Counters()


@dataclass(frozen=True, slots=True)
class Written:
    """``counters``: what the change did, or with commit=False would do. ``rows``: what it returned."""

    counters: Counters
    rows: Rows


@dataclass(frozen=True, slots=True)
class Plan:
    """How a server would run a query; nothing ran. ``text`` is the server's own, line by line."""

    engine: str
    text: str


def graph_of(rows: Rows) -> dict[str, list[dict[str, Any]]]:
    """``{nodes, edges}`` for drawing, each thing once. An edge whose ends are not among the rows' nodes brings them
    along as bare nodes, so that it can be drawn."""
    nodes = {node["uid"]: node for node in rows.nodes}
    for edge in rows.edges:
        for end in (edge["start"], edge["end"]):
            nodes.setdefault(end, {"uid": end, "labels": [], "properties": {}})
    return {"nodes": list(nodes.values()), "edges": list(rows.edges)}
