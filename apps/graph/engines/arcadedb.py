"""ArcadeDB 26: the embedded server. It speaks Neo4j's dialect, and ignores Bolt's access mode and timeout."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from apps.graph.engines import neo4j_codes
from apps.graph.engines.dialect import Failure
from apps.graph.engines.neo4j5 import Neo4j

_ESTIMATE = re.compile(r",? ?\b(?:cost|rows|cardinality)=[^,\])\s]+")
# Errors that it has no code for, by how their text begins.
_UNKNOWN = "Neo.DatabaseError.General.UnknownError"
_TEXTS: tuple[tuple[str, Failure], ...] = (
    ("Limit of allowed elements", Failure.TOO_LARGE),
    ("Query heap budget exceeded", Failure.TOO_LARGE),
    ("Unknown procedure", Failure.INVALID),
    ("TypeError", Failure.FAILED),
    ("DeleteConnectedNode", Failure.CONSTRAINT),
)


class ArcadeDB(Neo4j):
    name = "arcadedb"
    ends_transactions_in_time = False
    keeps_readers_from_writing = False  # a user who may only read does (docs/operations/graph.md)
    list_running = "SHOW TRANSACTIONS"

    def plan(self, rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any] | None) -> str:
        """Without its estimates: they count other tenants' nodes, too."""
        text = str((summary or {}).get("args", {}).get("string-representation", ""))
        lines = (
            _ESTIMATE.sub("", line).replace("[]", "").rstrip()
            for line in text.splitlines()
            if "Total Estimated" not in line
        )
        return "\n".join(lines).strip()

    def failure(self, code: str, message: str) -> Failure:
        if code == _UNKNOWN:
            return next((meant for text, meant in _TEXTS if message.startswith(text)), Failure.BROKEN)
        if "exceeding the maximum of" in message:  # a range with too many elements
            return Failure.TOO_LARGE
        return neo4j_codes.failure(code)
