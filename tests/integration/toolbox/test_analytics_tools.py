"""The tools that count, compare and draw: their numbers beside the same numbers worked out from the data itself."""

import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from statistics import mean
from typing import Any

import pydot
import pytest
import vl_convert

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
        ("analytics.visualize", {}),
        ("analytics.visualize", {"cypher": "RETURN 1 AS x", "columns": ["a"], "rows": [[1]]}),
        ("analytics.visualize", {"columns": ["a"], "rows": [[1, 2]]}),
        ("analytics.visualize", {"cypher": "RETURN 1 AS x", "chart": "<script>"}),
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


CHARTS: list[tuple[dict[str, Any], str]] = [
    ({"question": {"label": "Task", "group_by": ["status"], "metrics": [{"function": "count"}]}}, "bar"),
    ({"question": {"label": "Task", "where": [{"property": "start", "op": "present"}], "group_by": ["start:month"],
                   "metrics": [{"function": "count"}]}}, "line"),
    ({"cypher": "MATCH (f:File) RETURN f.size AS size"}, "histogram"),
    ({"cypher": "MATCH (t:Task) RETURN t.duration_s AS s, size(t.task_id) AS n"}, "point"),
    ({"cypher": "MATCH (t:Task) RETURN t.status AS status"}, "bar"),
    ({"chart": "arc", "cypher": "MATCH (t:Task) RETURN t.status AS status, count(t) AS tasks"}, "arc"),
    ({"chart": "area",
      "cypher": "MATCH (f:File) RETURN f.extension AS e, f.bucket_name AS b, sum(f.size) AS size"}, "area"),
    ({"columns": ["a.b", "c[0]'\"", "1; alert(1)"], "rows": [["x", 1, "<b>"], ["y", None, "javascript:alert(1)"]],
      "title": "{{7*7}} </script>", "color": "1; alert(1)"}, "bar"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "chart"), CHARTS, ids=[str(number) for number in range(len(CHARTS))])
def test_charts_are_of_the_kind_that_the_data_ask_for_and_render(
    user: Principal, arguments: dict[str, Any], chart: str
) -> None:
    out = result(user, "analytics.visualize", arguments)
    svg = vl_convert.vegalite_to_svg(out["spec"], vl_version="6.1", allowed_base_urls=[])

    assert out["chart"] == chart and out["row_count"] > 0
    assert svg.startswith("<svg") and svg.count("mark-") > 3
    assert "http" not in str(out["spec"]).replace(out["spec"]["$schema"], "")
    assert "url" not in out["spec"]["data"]
    assert "<script" not in svg and "href" not in svg


def test_every_row_is_drawn_as_one_bar(sown: Sown, user: Principal) -> None:
    statuses = {node.properties["status"] for node in sown.of("Task")}

    spec = result(user, "analytics.visualize", CHARTS[0][0])["spec"]
    svg = vl_convert.vegalite_to_svg(spec, vl_version="6.1")

    assert len(spec["data"]["values"]) == len(statuses)
    assert len(re.findall(r'<path aria-label="[^"]*" role="graphics-symbol"[^>]*"bar"', svg)) == len(statuses)
    assert all(status in svg for status in statuses)


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")  # pydot asks pyparsing by its old names
def test_nodes_are_drawn_as_mermaid_and_as_dot(sown: Sown, user: Principal) -> None:
    cypher = "MATCH (u:User)-[r:RUNS]->(t:Task) RETURN u, r, t"
    runs = [edge for edge in sown.edges if edge.type == "RUNS"]

    mermaid = result(user, "analytics.visualize", {"cypher": cypher})
    dot = result(user, "analytics.visualize", {"cypher": cypher, "chart": "dot", "direction": "TB"})
    table = result(
        user, "analytics.visualize", {"cypher": cypher.replace("u, r, t", "t.status AS s"), "chart": "table"}
    )
    (graph,) = pydot.graph_from_dot_data(dot["text"]) or []

    assert mermaid["chart"] == "mermaid" and mermaid["text"].count('-->|"RUNS"|') == len(runs)
    assert len(graph.get_edges()) == len(runs)
    assert len([one for one in graph.get_nodes() if one.get_name() != "node"]) == len(
        {uid for edge in runs for uid in (edge.start, edge.end)}
    )
    assert len(table["text"].splitlines()) == len(runs) + 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"cypher": "MATCH (g:Gene {id: 'none'}) RETURN g.name AS n"}, "nothing_to_draw"),
        ({"cypher": "MATCH (t:Task) RETURN count(t) AS n", "chart": "dot"}, "nothing_to_draw"),
        ({"cypher": "MATCH (t:Task) RETURN t.status AS s", "x": "datum.s"}, "unknown_name"),
        ({"columns": ["a", "a"], "rows": [[1, 2]]}, "invalid_arguments"),
        ({"question": {"label": "Unicorn", "columns": ["x"]}}, "unknown_name"),
        ({"cypher": "MATCH (t:Task) DELETE t"}, "cypher_refused"),
    ],
)
def test_what_cannot_be_drawn_is_said(user: Principal, arguments: dict[str, Any], code: str) -> None:
    assert code_of(user, "analytics.visualize", arguments) == code
