"""The tools that count, compare and draw: their numbers beside the same numbers worked out from the data itself."""

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from statistics import mean
from typing import Any

import pytest

from apps.graph.loading import load
from apps.graph.records import Edge, Node
from apps.graph.seeding.generator import generate
from apps.graph.uids import uid_for
from apps.identity.principal import Principal
from apps.tenancy.models import Tenant
from kernel.errors import ForbiddenError, ValidationError
from tests.factories import make_principal, make_tenant
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:analytics")
USERS, SEED = 6, 1


@dataclass(frozen=True)
class Sown:
    """A tenant, and what is in its graph."""

    tenant: Tenant
    nodes: list[Node]
    edges: list[Edge]

    def of(self, label: str) -> list[Node]:
        return [node for node in self.nodes if label in node.labels]


@pytest.fixture(scope="module")
def sown() -> Sown:
    made = make_tenant()
    records = list(generate(USERS, seed=SEED, uid=lambda name: uid_for(made.id, name)))
    load(made.id, records)
    return Sown(
        made, [one for one in records if isinstance(one, Node)], [one for one in records if isinstance(one, Edge)]
    )


@pytest.fixture
def user(sown: Sown) -> Principal:
    return make_principal(sown.tenant)


def code_of(principal: Principal, name: str, arguments: dict[str, Any]) -> str:
    outcome = call(principal, name, arguments)
    assert outcome.error is not None, outcome.result
    return str(outcome.error["code"])


def test_groups_are_counted_and_the_largest_comes_first(sown: Sown, user: Principal) -> None:
    counts = Counter(node.properties["status"] for node in sown.of("Task"))

    found = result(user, "analytics.query",
                   {"label": "Task", "group_by": ["status"], "metrics": [{"function": "count"}]})  # fmt: skip

    assert found["columns"] == ["status", "count"]
    assert dict(found["rows"]) == counts
    assert [row[1] for row in found["rows"]] == sorted(counts.values(), reverse=True)
    assert "$__tenant" in found["cypher"]


def test_a_relationship_brings_in_the_node_at_its_other_end(sown: Sown, user: Principal) -> None:
    names = {node.uid: node.properties["user_name"] for node in sown.of("User")}
    seconds = {node.uid: node.properties.get("duration_s") for node in sown.of("Task")}
    per_user: dict[str, list[int]] = defaultdict(list)
    for edge in sown.edges:
        if edge.type == "RUNS":
            per_user[names[edge.start]].append(seconds[edge.end] or 0)

    found = result(
        user, "analytics.query",
        {"label": "Task", "join": "RUNS", "group_by": ["User.user_name"],
         "metrics": [{"function": "count"}, {"function": "sum", "property": "duration_s"},
                     {"function": "max", "property": "Task.duration_s"}]},
    )  # fmt: skip

    assert found["columns"] == ["user_name", "count", "sum_duration_s", "max_duration_s"]
    assert {row[0]: (row[1], row[2]) for row in found["rows"]} == {
        name: (len(each), sum(each)) for name, each in per_user.items()
    }


@pytest.mark.parametrize(
    ("where", "keeps"),
    [
        ({"property": "size", "op": ">=", "value": 500_000}, lambda file: file["size"] >= 500_000),
        ({"property": "extension", "op": "in", "value": ["fa", "xml"]},
         lambda file: file["extension"] in {"fa", "xml"}),
        ({"property": "user_filename", "op": "ends_with", "value": ".XML"},
         lambda file: file["user_filename"].endswith(".xml")),
        ({"property": "user_filename", "op": "contains", "value": "1"}, lambda file: "1" in file["user_filename"]),
        ({"property": "extension", "op": "<>", "value": "xml"}, lambda file: file["extension"] != "xml"),
        ({"property": "hits", "op": "present"}, lambda file: "hits" in file),
        ({"property": "hits", "op": "missing"}, lambda file: "hits" not in file),
    ],
)  # fmt: skip
def test_conditions_keep_what_they_say(sown: Sown, user: Principal, where: dict[str, Any], keeps: Any) -> None:
    expected = sum(keeps(node.properties) for node in sown.of("File"))

    found = result(user, "analytics.query", {"label": "File", "where": [where], "metrics": [{"function": "count"}]})

    assert found["rows"] == [[expected]]


def test_rows_without_metrics_are_listed_in_order_and_bounded(sown: Sown, user: Principal) -> None:
    sizes = sorted((node.properties["size"] for node in sown.of("File")), reverse=True)

    found = result(user, "analytics.query",
                   {"label": "File", "columns": ["file_id", "size"], "order": ["-size"], "limit": 3})  # fmt: skip

    assert [row[1] for row in found["rows"]] == sizes[:3]
    assert found["truncated"]


def test_times_are_grouped_by_month(sown: Sown, user: Principal) -> None:
    months = Counter(node.properties["start"][:7] for node in sown.of("Task") if "start" in node.properties)

    found = result(
        user, "analytics.query",
        {"label": "Task", "where": [{"property": "start", "op": "present"}], "group_by": ["start:month"],
         "metrics": [{"function": "count"}], "limit": 1000},
    )  # fmt: skip

    assert found["columns"] == ["start_month", "count"]
    assert found["rows"] == [list(pair) for pair in sorted(months.items())]


def test_aggregates_and_percentiles_are_those_of_the_data(sown: Sown, user: Principal) -> None:
    by_status: dict[str, list[int]] = defaultdict(list)
    for node in sown.of("Task"):
        if "duration_s" in node.properties:
            by_status[node.properties["status"]].append(node.properties["duration_s"])

    found = result(
        user, "analytics.aggregate",
        {"label": "Task", "property": "duration_s", "group_by": ["status"],
         "functions": ["count", "avg", "min", "max", "sum", "distinct", "percentiles"],
         "percentiles": [0, 50, 90, 100]},
    )  # fmt: skip
    rows = {row[0]: dict(zip(found["columns"], row, strict=True)) for row in found["rows"]}

    assert found["columns"][-4:] == ["p0", "p50", "p90", "p100"]
    for status, values in by_status.items():
        row, ordered = rows[status], sorted(values)
        assert row["count_duration_s"] == len(values)
        assert row["avg_duration_s"] == pytest.approx(mean(values))
        assert (row["min_duration_s"], row["max_duration_s"]) == (ordered[0], ordered[-1])
        assert (row["sum_duration_s"], row["distinct_duration_s"]) == (sum(values), len(set(values)))
        assert (row["p0"], row["p100"]) == (ordered[0], ordered[-1])
        assert (row["p50"], row["p90"]) == tuple(ordered[math.ceil(p * len(ordered)) - 1] for p in (0.5, 0.9))


def test_without_a_property_nodes_are_counted(sown: Sown, user: Principal) -> None:
    assert result(user, "analytics.aggregate", {"label": "Task"})["rows"] == [[len(sown.of("Task"))]]
    assert result(user, "analytics.aggregate", {"label": "Blast"})["rows"] == [[len(sown.of("Blast"))]]


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("analytics.query", {"label": "Unicorn", "metrics": [{"function": "count"}]}, "unknown_name"),
        ("analytics.query", {"label": "Task) DETACH DELETE (n", "columns": ["status"]}, "unknown_name"),
        ("analytics.query", {"label": "Task", "columns": ["shoe_size"]}, "unknown_name"),
        ("analytics.query", {"label": "Task", "columns": ["tenant_id"]}, "unknown_name"),
        ("analytics.query", {"label": "Task", "columns": ["status AS x, n.tenant_id"]}, "unknown_name"),
        ("analytics.query", {"label": "Task", "columns": ["User.user_name"]}, "unknown_name"),
        ("analytics.query", {"label": "Gene", "join": "RUNS", "columns": ["name"]}, "unknown_name"),
        ("analytics.query", {"label": "Task", "columns": ["status"], "order": ["status DESC"]}, "unknown_name"),
        ("analytics.query", {"label": "Task", "metrics": [{"function": "sum", "property": "status"}]}, "invalid_value"),
        ("analytics.query", {"label": "Task", "metrics": [{"function": "avg"}]}, "invalid_question"),
        ("analytics.query", {"label": "Task", "group_by": ["status:month"], "metrics": [{"function": "count"}]},
         "invalid_question"),
        ("analytics.query", {"label": "File", "where": [{"property": "size", "op": ">", "value": "big"}]},
         "invalid_value"),
        ("analytics.aggregate", {"label": "Task", "functions": ["percentiles"]}, "invalid_question"),
        ("analytics.aggregate", {"label": "Task", "property": "status", "functions": ["percentiles"]}, "invalid_value"),
    ],
)  # fmt: skip
def test_what_the_schema_has_not_is_not_asked(user: Principal, name: str, arguments: dict[str, Any], code: str) -> None:
    assert code_of(user, name, arguments) == code


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("analytics.query", {}),
        ("analytics.query", {"label": "Task", "where": [{"property": "status", "op": "~", "value": 1}]}),
        ("analytics.query", {"label": "Task", "limit": 5000}),
        ("analytics.query", {"label": "Task", "tenant": "x"}),
        ("analytics.aggregate", {"label": "Task", "functions": []}),
        ("analytics.aggregate", {"label": "Task", "functions": ["percentiles"], "percentiles": [101]}),
    ],
)
def test_wrong_input_is_refused(user: Principal, name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(user, name, arguments)


@pytest.mark.parametrize("name", ["analytics.query", "analytics.aggregate"])
def test_only_readers_of_the_graph_ask_and_only_their_own(sown: Sown, name: str) -> None:
    arguments = {"label": "Task"} if name == "analytics.aggregate" else {"label": "Task", "columns": ["task_id"]}
    for role in ("viewer", "guest", "auditor"):
        with pytest.raises(ForbiddenError):
            call(make_principal(sown.tenant, role), name, arguments)

    rows = result(make_principal(make_tenant(), "admin"), name, arguments)["rows"]

    assert rows in ([], [[0]])
