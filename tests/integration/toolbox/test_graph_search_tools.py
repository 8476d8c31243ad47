"""graph.search and graph.analytics: what they find, beside the same worked out from the data itself."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import networkx as nx
import pytest

from apps.graph.loading import load
from apps.graph.measures import DAMPING, pagerank
from apps.graph.records import Edge, Node
from apps.graph.seeding.generator import generate
from apps.graph.uids import uid_for
from apps.identity.principal import Principal
from apps.tenancy.models import Tenant
from kernel.errors import ForbiddenError, ValidationError
from tests.factories import make_principal, make_tenant
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:graph")
GENES = {
    "TP53": "tumor protein p53",
    "BRCA1": "BRCA1 DNA repair associated",
    "EGFR": "epidermal growth factor receptor",
}


@dataclass(frozen=True)
class Sown:
    """A tenant, and what is in its graph."""

    tenant: Tenant
    nodes: list[Node]
    edges: list[Edge]

    @property
    def network(self) -> Any:
        graph = nx.DiGraph()
        graph.add_edges_from((edge.start, edge.end) for edge in self.edges)
        return graph

    def label_of(self, uid: str) -> str:
        return next(node.label for node in self.nodes if node.uid == uid)


@pytest.fixture(scope="module")
def sown() -> Sown:
    made = make_tenant()
    records = [one for one in generate(5, seed=1, uid=lambda name: uid_for(made.id, name))
               if not isinstance(one, Node) or one.label != "Gene"]  # fmt: skip
    records += [
        Node("Gene", uid_for(made.id, symbol), {"id": f"g-{symbol}", "symbol": symbol, "name": name, "chromosome": "1"})
        for symbol, name in GENES.items()
    ]
    load(made.id, records)
    nodes = [one for one in records if isinstance(one, Node)]
    return Sown(made, nodes, [one for one in records if isinstance(one, Edge)])


@pytest.fixture
def user(sown: Sown) -> Principal:
    return make_principal(sown.tenant)


def found(principal: Principal, **arguments: Any) -> list[str]:
    return [hit["name"] for hit in result(principal, "graph.search", arguments)["hits"]]


def test_words_are_found_where_they_stand(user: Principal) -> None:
    by_symbol = result(user, "graph.search", {"query": "tp53", "label": "Gene"})
    by_name = found(user, query="Growth Factor")
    everywhere = found(user, query="brca1")

    assert by_symbol["hits"][0]["name"] == "TP53"
    assert (by_symbol["hits"][0]["matched"], by_symbol["compared"]) == ("symbol", 1)
    assert "EGFR" in by_name and everywhere[0] == "BRCA1"
    assert found(user, query="no such words") == []


def test_misspelt_words_are_found_by_likeness(user: Principal) -> None:
    assert found(user, query="epidermall growht facter receptr", label="Gene") == []
    assert found(user, action="similar", query="epidermall growht facter receptr", label="Gene")[0] == "EGFR"
    assert found(user, query="tumour protien p53", mode="hybrid")[0] == "TP53"


def test_what_is_like_a_node_is_not_the_node_itself(sown: Sown, user: Principal) -> None:
    task = next(node for node in sown.nodes if node.label == "Task")

    hits = result(user, "graph.search", {"action": "similar", "uid": task.uid, "label": "Task", "top_k": 3})["hits"]

    assert len(hits) == 3 and task.uid not in {hit["uid"] for hit in hits}
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)


def test_nodes_are_filtered_by_their_properties(sown: Sown, user: Principal) -> None:
    failed = sum(node.label == "Task" and node.properties["status"] == "failed" for node in sown.nodes)

    out = result(
        user, "graph.search",
        {"action": "filter", "label": "Task", "where": [{"property": "status", "value": "failed"}], "top_k": 100},
    )  # fmt: skip

    assert len(out["hits"]) == failed and {hit["score"] for hit in out["hits"]} <= {None}


def test_there_is_no_search_by_meaning_and_that_is_said(user: Principal) -> None:
    outcome = call(user, "graph.search", {"query": "cancer", "mode": "semantic"})

    assert outcome.error is not None
    assert outcome.error["code"] == "semantic_search_unavailable"


def test_degrees_are_exact(sown: Sown, user: Principal) -> None:
    degrees = Counter(uid for edge in sown.edges for uid in (edge.start, edge.end))
    users = {uid: count for uid, count in degrees.items() if sown.label_of(uid) == "User"}
    best = max(users, key=lambda uid: (users[uid], uid))

    ranked = result(user, "graph.analytics", {"action": "degree", "label": "User"})["nodes"]
    one = result(user, "graph.analytics", {"action": "degree", "node_id": best})

    assert {node["uid"]: node["score"] for node in ranked} == users
    assert ranked[0]["score"] == users[best] and ranked[0]["label"] == "User"
    assert sum(one["stats"]["degrees"].values()) == users[best]


@pytest.mark.parametrize("algorithm", ["pagerank", "degree", "betweenness", "closeness", "harmonic"])
def test_centrality_is_that_of_the_whole_network(sown: Sown, user: Principal, algorithm: str) -> None:
    both = sown.network.to_undirected()
    expected = {
        "degree": nx.degree_centrality, "betweenness": nx.betweenness_centrality,
        "closeness": nx.closeness_centrality, "harmonic": nx.harmonic_centrality,
    }  # fmt: skip

    out = result(user, "graph.analytics",
                 {"action": "centrality", "algorithm": algorithm, "params": {"top_k": 200}})  # fmt: skip
    scores = {node["uid"]: node["score"] for node in out["nodes"]}

    assert out["looked_at"] == {"nodes": both.number_of_nodes(), "edges": both.number_of_edges()}
    assert not out["truncated"]
    if algorithm in expected:
        right = expected[algorithm](both)
        assert scores == pytest.approx({uid: right[uid] for uid in scores}, abs=1e-7)
    else:
        assert sum(scores.values()) <= 1.0001
        assert out["nodes"][0]["score"] > 1 / both.number_of_nodes()


def test_pagerank_is_the_fixed_point_of_its_definition(sown: Sown) -> None:
    graph = sown.network
    ranks = pagerank(graph)
    stuck = sum(ranks[node] for node in graph if not graph.out_degree(node))

    assert sum(ranks.values()) == pytest.approx(1)
    for node in graph:
        inward = sum(ranks[one] / graph.out_degree(one) for one in graph.predecessors(node))
        expected = (1 - DAMPING) / len(graph) + DAMPING * (inward + stuck / len(graph))
        assert ranks[node] == pytest.approx(expected, abs=1e-8)


def test_communities_divide_the_network(sown: Sown, user: Principal) -> None:
    both = sown.network.to_undirected()
    parts = sorted((len(one) for one in nx.connected_components(both)), reverse=True)

    components = result(user, "graph.analytics", {"action": "community", "algorithm": "components"})
    louvain = result(user, "graph.analytics", {"action": "community", "params": {"top_k": 200}})
    again = result(user, "graph.analytics", {"action": "community", "params": {"top_k": 200}})

    assert components["community_count"] == len(parts)
    assert [one["size"] for one in components["communities"]] == parts[:20]
    assert sum(one["size"] for one in louvain["communities"]) == both.number_of_nodes()
    assert louvain["modularity"] > 0.3 and louvain["communities"] == again["communities"]
    assert len(louvain["communities"][0]["members"]) <= 10


def test_what_lies_around_a_node_is_measured(sown: Sown, user: Principal) -> None:
    both = sown.network.to_undirected()
    task = next(node.uid for node in sown.nodes if node.label == "Task" and node.uid in both)
    near = nx.single_source_shortest_path_length(both, task, cutoff=2)

    out = result(user, "graph.analytics", {"node_id": task, "params": {"depth": 2}})

    assert out["looked_at"]["nodes"] == len(near)
    assert out["stats"]["whole_graph"]["nodes"] == len(sown.nodes)


def test_a_part_that_is_cut_off_says_so(sown: Sown, user: Principal) -> None:
    out = result(user, "graph.analytics", {"params": {"max_edges": 10}})

    assert (out["looked_at"]["edges"], out["truncated"]) == (10, True)
    assert out["stats"]["whole_graph"]["relationships"] == len(sown.edges)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("graph.search", {}),
        ("graph.search", {"action": "filter"}),
        ("graph.search", {"action": "similar"}),
        ("graph.search", {"query": "x", "top_k": 1000}),
        ("graph.search", {"query": "x", "mode": "vector"}),
        ("graph.analytics", {"action": "degree", "algorithm": "pagerank"}),
        ("graph.analytics", {"action": "community", "algorithm": "pagerank"}),
        ("graph.analytics", {"params": {"max_edges": 10_000_000}}),
        ("graph.analytics", {"params": {"depth": 9}}),
    ],
)
def test_wrong_input_is_refused(user: Principal, name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(user, name, arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("graph.search", {"query": "x", "label": "Unicorn"}, "unknown_name"),
        ("graph.search", {"query": "x", "label": "Gene) RETURN n //"}, "unknown_name"),
        ("graph.analytics", {"label": "Unicorn"}, "unknown_name"),
        ("graph.analytics", {"params": {"types": ["KNOWS"]}}, "unknown_name"),
        ("graph.analytics", {"node_id": "x"}, "node_not_found"),
    ],
)
def test_names_come_from_the_schema(user: Principal, name: str, arguments: dict[str, Any], code: str) -> None:
    outcome = call(user, name, arguments)

    assert outcome.error is not None
    assert outcome.error["code"] == code


def test_another_tenant_finds_and_measures_nothing_of_it(sown: Sown) -> None:
    stranger = make_principal(make_tenant(), "admin")

    assert found(stranger, query="TP53", mode="hybrid") == []
    assert found(stranger, action="filter", label="Task") == []
    for action in ("degree", "centrality", "community", "stats"):
        out = result(stranger, "graph.analytics", {"action": action})
        assert (out["nodes"], out["communities"], out["looked_at"]) == ([], [], {"nodes": 0, "edges": 0})
    for name, arguments in (
        ("graph.search", {"action": "similar", "uid": sown.nodes[0].uid}),
        ("graph.analytics", {"node_id": sown.nodes[0].uid}),
    ):
        outcome = call(stranger, name, arguments)
        assert outcome.error is not None and outcome.error["code"] == "node_not_found"


@pytest.mark.parametrize(("name", "arguments"), [("graph.search", {"query": "x"}), ("graph.analytics", {})])
def test_who_may_not_read_the_graph_does_not_search_it(sown: Sown, name: str, arguments: dict[str, Any]) -> None:
    for role in ("viewer", "guest", "auditor"):
        with pytest.raises(ForbiddenError):
            call(make_principal(sown.tenant, role), name, arguments)
