"""Neo4j 5 and newer. From its documentation; not run against a server by our tests."""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.graph.engines import neo4j_codes
from apps.graph.engines.dialect import Dialect, Failure, Laid, quoted


class Neo4j(Dialect):
    name = "neo4j"
    ends_transactions_in_time = True
    keeps_readers_from_writing = True
    list_running = "SHOW TRANSACTIONS YIELD transactionId, currentQuery, metaData"
    list_laid = ("SHOW INDEXES",)
    endpoints = (
        "UNWIND $ids AS id MATCH (n) WHERE elementId(n) = id "
        "RETURN elementId(n) AS element_id, n.uid AS uid, n.tenant_id AS tenant_id"
    )

    def unique(self, label: str, *keys: str) -> tuple[str, ...]:
        name, properties = "_".join(("unique", label, *keys)), ", ".join(f"n.{key}" for key in keys)
        required = properties if len(keys) == 1 else f"({properties})"
        return (f"CREATE CONSTRAINT {name} IF NOT EXISTS FOR (n:{label}) REQUIRE {required} IS UNIQUE",)

    def index(self, label: str, keys: Sequence[str]) -> tuple[str, ...]:
        name, properties = "_".join(("index", label, *keys)), ", ".join(f"n.{key}" for key in keys)
        return (f"CREATE INDEX {name} IF NOT EXISTS FOR (n:{label}) ON ({properties})",)

    def laid(self, rows: Sequence[Sequence[Mapping[str, Any]]]) -> list[Laid]:
        found = []
        for row in rows[0]:
            labels, keys, constraint = row.get("labelsOrTypes"), row.get("properties"), row.get("owningConstraint")
            if row.get("entityType") == "NODE" and labels and keys:
                name = str(constraint or row["name"])
                found.append(Laid(str(labels[0]), tuple(map(str, keys)), constraint is not None, name))
        return found

    def drop(self, laid: Laid) -> tuple[str, ...]:
        name = laid.name.replace("`", "``")
        return (f"DROP {'CONSTRAINT' if laid.unique else 'INDEX'} `{name}` IF EXISTS",)

    def is_there_already(self, code: str, message: str) -> bool:
        return code in (
            "Neo.ClientError.Schema.EquivalentSchemaRuleAlreadyExists",
            "Neo.ClientError.Schema.ConstraintAlreadyExists",
            "Neo.ClientError.Schema.IndexAlreadyExists",
        )

    def running_id(self, row: Mapping[str, Any], mark: str) -> str | None:
        said = (row.get("metaData") or {}).get("mark")
        found = said == mark or mark in (row.get("currentQuery") or "")
        return str(row["transactionId"]) if found else None

    def terminate(self, transaction_id: str) -> str:
        return f"TERMINATE TRANSACTIONS {quoted(transaction_id)}"

    def plan(self, rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any] | None) -> str:
        """Operators alone: their estimates count other tenants' nodes, too."""
        return "" if summary is None else "\n".join(_steps(summary, 0))

    def failure(self, code: str, message: str) -> Failure:
        return neo4j_codes.failure(code)


def _steps(step: Mapping[str, Any], depth: int) -> list[str]:
    details = step.get("args", {}).get("Details", "")
    lines = [f"{'  ' * depth}+ {step.get('operatorType', '?')} {details}".rstrip()]
    for child in step.get("children", []):
        lines += _steps(child, depth + 1)
    return lines
