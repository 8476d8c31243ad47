"""The texts and mappings of each server. ArcadeDB's are also run for real in tests/integration/graph."""

import pytest

from apps.graph.engines import choice
from apps.graph.engines.arcadedb import ArcadeDB
from apps.graph.engines.dialect import Dialect, Failure
from apps.graph.engines.memgraph import Memgraph
from apps.graph.engines.neo4j5 import Neo4j
from apps.graph.laying import statements
from apps.graph.schema import LABELS

MARK = "mark:0123"


@pytest.mark.requirement("graph:dialects")
@pytest.mark.parametrize(
    ("agent", "components", "kind"),
    [
        ("Neo4j/5.26.0 compatible (ArcadeDB 26.10.2)", None, ArcadeDB),
        ("Neo4j/v5.11.0 compatible graph database server - Memgraph", None, Memgraph),
        ("Neo4j/5.26.4", ["Neo4j Kernel", "Cypher"], Neo4j),
        ("Neo4j/2026.01.0", ["Neo4j Kernel"], Neo4j),
        ("Neo4j/5.2.0", None, Memgraph),  # --bolt-server-name-for-init; it has no such procedure
    ],
)
def test_a_server_is_known_by_what_it_says(agent: str, components: list[str] | None, kind: type[Dialect]) -> None:
    dialect = choice.by_agent(agent) or choice.by_components(components)

    assert type(dialect) is kind


@pytest.mark.parametrize(
    ("dialect", "unique", "index"),
    [
        (
            Neo4j(),
            ("CREATE CONSTRAINT unique_Task_uid IF NOT EXISTS FOR (n:Task) REQUIRE n.uid IS UNIQUE",),
            ("CREATE INDEX index_Task_tenant_id IF NOT EXISTS FOR (n:Task) ON (n.tenant_id)",),
        ),
        (
            ArcadeDB(),
            ("CREATE CONSTRAINT unique_Task_uid IF NOT EXISTS FOR (n:Task) REQUIRE n.uid IS UNIQUE",),
            ("CREATE INDEX index_Task_tenant_id IF NOT EXISTS FOR (n:Task) ON (n.tenant_id)",),
        ),
        (
            Memgraph(),
            ("CREATE CONSTRAINT ON (n:Task) ASSERT n.uid IS UNIQUE", "CREATE INDEX ON :Task(uid)"),
            ("CREATE INDEX ON :Task(tenant_id)",),
        ),
    ],
)
def test_constraints_and_indexes_in_each_dialect(
    dialect: Dialect, unique: tuple[str, ...], index: tuple[str, ...]
) -> None:
    assert dialect.unique("Task", "uid") == unique
    assert dialect.index("Task", ["tenant_id"]) == index


@pytest.mark.requirement("graph:laying")
@pytest.mark.parametrize("dialect", [Neo4j(), ArcadeDB(), Memgraph()])
def test_every_label_gets_its_constraint_and_its_tenants_index(dialect: Dialect) -> None:
    texts = statements(dialect)

    for label in LABELS:
        assert set(dialect.unique(label.label, "uid")) <= set(texts)
        assert set(dialect.index(label.label, ["tenant_id"])) <= set(texts)
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize(
    ("dialect", "code", "message"),
    [
        (
            Neo4j(),
            "Neo.ClientError.Schema.EquivalentSchemaRuleAlreadyExists",
            "An equivalent constraint already exists",
        ),
        (
            Memgraph(),
            "Memgraph.ClientError.MemgraphError.MemgraphError",
            "Constraint UNIQUE on :Task(uid) already exists.",
        ),
    ],
)
def test_what_was_laid_before_is_no_error(dialect: Dialect, code: str, message: str) -> None:
    assert dialect.is_there_already(code, message)
    assert not dialect.is_there_already("Neo.ClientError.Statement.SyntaxError", "no viable alternative")


@pytest.mark.parametrize(
    ("dialect", "mine", "other"),
    [
        (
            ArcadeDB(),
            {"transactionId": "q7", "currentQuery": f"/* {MARK} */ MATCH (n) RETURN n"},
            {"transactionId": "q8", "currentQuery": "SHOW TRANSACTIONS"},
        ),
        (
            Neo4j(),
            {"transactionId": "q7", "currentQuery": "", "metaData": {"mark": MARK}},
            {"transactionId": "q8", "currentQuery": None, "metaData": None},
        ),
        (
            Memgraph(),
            {"transaction_id": "q7", "query": [f"/* {MARK} */ MATCH (n) RETURN n"], "metadata": {}},
            {"transaction_id": "q8", "query": [], "metadata": {"mark": "mark:9"}},
        ),
        (
            Memgraph(),
            {"transaction_id": "q7", "query": ["MATCH (n) RETURN n"], "metadata": {"mark": MARK}},
            {"transaction_id": "q8", "query": "SHOW TRANSACTIONS", "metadata": None},
        ),
    ],
)
def test_a_running_query_is_found_by_its_mark(dialect: Dialect, mine: dict, other: dict) -> None:
    assert dialect.running_id(mine, MARK) == "q7"
    assert dialect.running_id(other, MARK) is None
    assert dialect.terminate("q7") == 'TERMINATE TRANSACTIONS "q7"'


def test_an_id_of_the_servers_cannot_leave_its_quotes() -> None:
    assert Memgraph().terminate('1" DROP') == 'TERMINATE TRANSACTIONS "1\\" DROP"'


@pytest.mark.parametrize(
    ("dialect", "code", "message", "meant"),
    [
        (Neo4j(), "Neo.ClientError.Statement.SyntaxError", "Invalid input", Failure.INVALID),
        (Neo4j(), "Neo.ClientError.Statement.AccessMode", "Writing in read access mode", Failure.FORBIDDEN),
        (Neo4j(), "Neo.ClientError.Schema.ConstraintValidationFailed", "already exists", Failure.CONSTRAINT),
        (Neo4j(), "Neo.ClientError.Transaction.TransactionTimedOut", "", Failure.TIMEOUT),
        (Neo4j(), "Neo.TransientError.Transaction.DeadlockDetected", "", Failure.CONTENTION),
        (Neo4j(), "Neo.TransientError.General.MemoryPoolOutOfMemoryError", "", Failure.TOO_LARGE),
        (Neo4j(), "Neo.ClientError.Security.Unauthorized", "", Failure.UNAVAILABLE),
        (Neo4j(), "Neo.ClientError.Security.Forbidden", "", Failure.FORBIDDEN),
        (Neo4j(), "Neo.SomethingNew", "", Failure.BROKEN),
        (ArcadeDB(), "Neo.DatabaseError.General.UnknownError", "Unknown procedure/function: no.such", Failure.INVALID),
        (
            ArcadeDB(),
            "Neo.DatabaseError.General.UnknownError",
            "Limit of allowed elements for in-heap",
            Failure.TOO_LARGE,
        ),
        (ArcadeDB(), "Neo.DatabaseError.General.UnknownError", "Query heap budget exceeded: the", Failure.TOO_LARGE),
        (ArcadeDB(), "Neo.DatabaseError.General.UnknownError", "NullPointerException", Failure.BROKEN),
        (ArcadeDB(), "Neo.ClientError.Statement.SemanticError", "exceeding the maximum of 1622016", Failure.TOO_LARGE),
        (Memgraph(), "Memgraph.ClientError.MemgraphError.MemgraphError", "Unbound variable: x.", Failure.INVALID),
        (Memgraph(), "Memgraph.ClientError.MemgraphError.MemgraphError", "Division by zero.", Failure.FAILED),
        (
            Memgraph(),
            "Memgraph.TransientError.MemgraphError.MemgraphError",
            "Memory limit exceeded! Attempting to allocate a chunk",
            Failure.TOO_LARGE,
        ),
        (
            Memgraph(),
            "Memgraph.TransientError.MemgraphError.MemgraphError",
            "Transaction was asked to abort because of transaction timeout.",
            Failure.TIMEOUT,
        ),
        (
            Memgraph(),
            "Memgraph.TransientError.MemgraphError.MemgraphError",
            "Transaction was asked to abort by another user.",
            Failure.TERMINATED,
        ),
        (
            Memgraph(),
            "Memgraph.TransientError.MemgraphError.MemgraphError",
            "Cannot resolve conflicting transactions.",
            Failure.CONTENTION,
        ),
        (
            Memgraph(),
            "Memgraph.ClientError.MemgraphError.MemgraphError",
            "Accessor type read and query type write are misaligned!",
            Failure.FORBIDDEN,
        ),
        (
            Memgraph(),
            "Memgraph.ClientError.MemgraphError.MemgraphError",
            "Unable to commit due to unique constraint violation on :Task(uid)",
            Failure.CONSTRAINT,
        ),
    ],
)
def test_errors_mean_the_same_whoever_says_them(dialect: Dialect, code: str, message: str, meant: Failure) -> None:
    assert dialect.failure(code, message) is meant


def test_plans_are_text_in_each_dialect_without_counts_of_other_tenants() -> None:
    summary = {
        "operatorType": "ProduceResults@neo4j",
        "args": {"Details": "n", "EstimatedRows": 77777.0, "string-representation": "| 77777 |"},
        "children": [{"operatorType": "NodeByLabelScan@neo4j", "args": {"Details": "n:Task"}, "children": []}],
    }
    arcade = {"args": {"string-representation": "Plan\n+ NodeByLabelScan(n:Task) [cost=77.00, rows=777]\n"}}

    assert Neo4j().plan([], summary) == "+ ProduceResults@neo4j n\n  + NodeByLabelScan@neo4j n:Task"
    assert ArcadeDB().plan([], arcade) == "Plan\n+ NodeByLabelScan(n:Task)"
    assert Memgraph().plan([{"QUERY PLAN": " * Produce"}, {"QUERY PLAN": " * Once"}], None) == " * Produce\n * Once"
