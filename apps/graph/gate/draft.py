"""What goes from layer to layer: the query as it stands after the last one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from apps.graph.cypher import tree
from apps.graph.cypher.walk import walk
from apps.graph.gate.limits import Limits

TENANT_PARAMETER = "__tenant"
HIDDEN = "__"
"""Names that begin so are the gate's own."""


@dataclass(frozen=True, slots=True)
class Draft:
    """``statement`` is set by the first layer, with ``records``, all that walk() finds in its query: every layer looks
    through them. ``parameters`` are the caller's, ``asked_...`` what the caller wants.
    """

    text: str
    parameters: Mapping[str, Any]
    tenant_id: str
    limits: Limits
    dialect: str
    asked_rows: int | None = None
    asked_timeout_s: float | None = None
    statement: tree.Statement | None = None
    records: tuple[Any, ...] = ()
    columns: tuple[str, ...] = ()
    row_limit: int = 0
    timeout_s: float = 0.0

    @property
    def query(self) -> tree.Query:
        """The tree. Only after the first layer."""
        assert self.statement is not None
        return self.statement.query

    def with_query(self, query: tree.Query) -> "Draft":
        """The same with another tree."""
        assert self.statement is not None
        if query is self.statement.query:
            return self
        return replace(self, statement=replace(self.statement, query=query), records=tuple(walk(query)))
