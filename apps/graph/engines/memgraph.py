"""Memgraph 3. From its documentation; not run against a server by our tests."""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.graph.engines import neo4j_codes
from apps.graph.engines.dialect import Dialect, Failure, Laid, quoted

# Nearly all of its errors come as one code; their texts tell them apart. The first that is found decides.
_TEXTS: tuple[tuple[str, Failure], ...] = (
    ("memory limit", Failure.TOO_LARGE),
    ("out of memory", Failure.TOO_LARGE),
    ("transaction timeout", Failure.TIMEOUT),
    ("timed out", Failure.TIMEOUT),
    ("asked to abort", Failure.TERMINATED),
    ("was terminated", Failure.TERMINATED),
    ("unique constraint", Failure.CONSTRAINT),
    ("existence constraint", Failure.CONSTRAINT),
    ("remove node from graph", Failure.CONSTRAINT),  # a node that still has relationships
    ("conflicting transactions", Failure.CONTENTION),
    ("serialize", Failure.CONTENTION),
    ("are misaligned", Failure.FORBIDDEN),  # a query that writes in a transaction that reads
    ("write query forbidden", Failure.FORBIDDEN),
    ("forbidden on the replica", Failure.FORBIDDEN),
    ("not authorized", Failure.FORBIDDEN),
    ("division by zero", Failure.FAILED),
    ("invalid type", Failure.FAILED),
    ("invalid types", Failure.FAILED),
)
_BY_CODE: tuple[tuple[str, Failure], ...] = (
    ("Memgraph.ClientError.Security.Unauthenticated", Failure.UNAVAILABLE),
    ("Memgraph.ClientError.Security.", Failure.FORBIDDEN),
    ("Memgraph.ClientError.MemgraphError.", Failure.INVALID),
    ("Memgraph.ClientError.", Failure.INVALID),
    ("Memgraph.TransientError.", Failure.CONTENTION),
)


class Memgraph(Dialect):
    name = "memgraph"
    ends_transactions_in_time = True
    keeps_readers_from_writing = True  # in explicit transactions, which is all that the door opens
    list_running = "SHOW TRANSACTIONS"
    list_laid = ("SHOW INDEX INFO", "SHOW CONSTRAINT INFO")
    endpoints = (
        "UNWIND $ids AS id MATCH (n) WHERE id(n) = toInteger(id) "
        "RETURN toString(id(n)) AS element_id, n.uid AS uid, n.tenant_id AS tenant_id"
    )

    def unique(self, label: str, *keys: str) -> tuple[str, ...]:
        """Its constraints make no index."""
        properties = ", ".join(f"n.{key}" for key in keys)
        return (f"CREATE CONSTRAINT ON (n:{label}) ASSERT {properties} IS UNIQUE", *self.index(label, keys))

    def index(self, label: str, keys: Sequence[str]) -> tuple[str, ...]:
        return (f"CREATE INDEX ON :{label}({', '.join(keys)})",)

    def laid(self, rows: Sequence[Sequence[Mapping[str, Any]]]) -> list[Laid]:
        indexes, constraints = rows
        return [
            *(
                Laid(str(row["label"]), _names(row["property"]), unique=False)
                for row in indexes
                if str(row.get("index type", "")).startswith("label+property")
            ),
            *(
                Laid(str(row["label"]), _names(row["properties"]), unique=True)
                for row in constraints
                if row.get("constraint type") == "unique"
            ),
        ]

    def drop(self, laid: Laid) -> tuple[str, ...]:
        keys = ", ".join(laid.properties)
        if not laid.unique:
            return (f"DROP INDEX ON :{laid.label}({keys})",)
        properties = ", ".join(f"n.{key}" for key in laid.properties)
        return (f"DROP CONSTRAINT ON (n:{laid.label}) ASSERT {properties} IS UNIQUE",)

    def is_there_already(self, code: str, message: str) -> bool:
        return "already exists" in message.lower()

    def running_id(self, row: Mapping[str, Any], mark: str) -> str | None:
        said = (row.get("metadata") or {}).get("mark")
        queries = row.get("query") or []
        texts = [queries] if isinstance(queries, str) else queries
        found = said == mark or any(mark in text for text in texts)
        return str(row["transaction_id"]) if found else None

    def terminate(self, transaction_id: str) -> str:
        return f"TERMINATE TRANSACTIONS {quoted(transaction_id)}"

    def plan(self, rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any] | None) -> str:
        return "\n".join(str(row.get("QUERY PLAN", "")) for row in rows)

    def failure(self, code: str, message: str) -> Failure:
        if code.startswith("Neo."):
            return neo4j_codes.failure(code)
        said = message.lower()
        by_text = next((meant for text, meant in _TEXTS if text in said), None)
        if by_text is not None:
            return by_text
        return next((meant for beginning, meant in _BY_CODE if code.startswith(beginning)), Failure.BROKEN)


def _names(said: Any) -> tuple[str, ...]:
    """One name, or a list of them."""
    return (said,) if isinstance(said, str) else tuple(map(str, said))
