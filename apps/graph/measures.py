"""What can be measured of a network: who is central, what belongs together, how it looks as a whole. Pure."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Literal

import networkx as nx

Network = Any  # nx.DiGraph[str]
Centrality = Literal["pagerank", "degree", "betweenness", "closeness", "harmonic"]
Community = Literal["louvain", "label_propagation", "components"]
SEED = 1  # the same answer to the same question
DAMPING, STEPS_MOST, CLOSE_ENOUGH = 0.85, 100, 1e-9
WORK_MOST = {"betweenness": 600_000, "closeness": 3_000_000, "harmonic": 3_000_000}  # nodes times edges: some seconds
EDGES_MOST: dict[str, int] = {"betweenness": 5_000, "closeness": 5_000, "harmonic": 5_000}


def edges_for(algorithm: str, most: int) -> int:
    """How many edges the algorithm is given at most: some of them look from every node at every edge."""
    return min(most, EDGES_MOST.get(algorithm, most))


def centrality(network: Network, algorithm: Centrality) -> tuple[dict[str, float], str]:
    """Each node's score, and how it was worked out, in words. Directions count for pagerank only."""
    both_ways = network.to_undirected()
    nodes, edges = both_ways.number_of_nodes(), max(1, both_ways.number_of_edges())
    pivots = min(nodes, max(1, WORK_MOST.get(algorithm, 0) // edges))
    match algorithm:
        case "pagerank":
            return pagerank(network), f"Damping {DAMPING}, along the relationships' directions."
        case "degree":
            return nx.degree_centrality(both_ways), "Neighbours as a share of all other nodes."
        case "betweenness":
            chosen = None if pivots >= nodes else pivots
            note = "Exact." if chosen is None else f"Estimated from {chosen} of {nodes} nodes."
            return nx.betweenness_centrality(both_ways, k=chosen, seed=SEED), note
        case "closeness":
            return _of_some(both_ways, pivots, lambda node: _closeness(both_ways, node))
        case "harmonic":
            return _of_some(both_ways, pivots, lambda node: nx.harmonic_centrality(both_ways, nbunch=[node])[node])


def _closeness(network: Network, node: str) -> float:
    """Of one node: with ``u`` networkx gives the number itself."""
    score: Any = nx.closeness_centrality(network, u=node)
    return float(score)


def pagerank(network: Network) -> dict[str, float]:
    """Where a walk ends up that follows relationships, and starts anew with 1 - DAMPING. The scores add up to 1."""
    nodes = list(network)
    share = 1 / max(1, len(nodes))
    ranks = dict.fromkeys(nodes, share)
    for _ in range(STEPS_MOST):
        stuck = sum(ranks[node] for node in nodes if not network.out_degree(node))
        base = (1 - DAMPING) * share + DAMPING * stuck * share
        following = dict.fromkeys(nodes, base)
        for node in nodes:
            ends = list(network.successors(node))
            for end in ends:
                following[end] += DAMPING * ranks[node] / len(ends)
        moved = sum(abs(following[node] - ranks[node]) for node in nodes)
        ranks = following
        if moved < CLOSE_ENOUGH:
            break
    return ranks


def communities(network: Network, algorithm: Community) -> tuple[list[set[str]], float | None]:
    """Groups of nodes, the largest first, and their modularity where there are edges."""
    both_ways = network.to_undirected()
    match algorithm:
        case "louvain":
            found = list(nx.community.louvain_communities(both_ways, seed=SEED))
        case "label_propagation":
            found = [set(one) for one in nx.community.label_propagation_communities(both_ways)]
        case "components":
            found = [set(one) for one in nx.connected_components(both_ways)]
    groups = sorted((set(one) for one in found), key=lambda one: (-len(one), min(one)))
    has_edges = both_ways.number_of_edges() > 0
    return groups, round(nx.community.modularity(both_ways, groups), 4) if has_edges else None


def summary(network: Network) -> dict[str, Any]:
    """Numbers of the whole: density, components, degrees."""
    both_ways = network.to_undirected()
    degrees: Mapping[str, int] = dict(both_ways.degree())
    parts = [len(one) for one in nx.connected_components(both_ways)]
    counted = Counter(degrees.values())
    return {
        "nodes": network.number_of_nodes(),
        "edges": network.number_of_edges(),
        "density": round(nx.density(both_ways), 8) if len(degrees) > 1 else 0.0,
        "components": len(parts),
        "largest_component": max(parts, default=0),
        "average_degree": round(sum(degrees.values()) / len(degrees), 4) if degrees else 0.0,
        "highest_degree": max(degrees.values(), default=0),
        "degrees": [[degree, counted[degree]] for degree in sorted(counted)][:100],
    }


def _of_some(network: Network, most: int, score: Callable[[str], float]) -> tuple[dict[str, float], str]:
    """Of all nodes, or of those with the most neighbours where all would take too long."""
    nodes = sorted(network, key=lambda node: (-network.degree(node), node))
    chosen = nodes[:most]
    note = "Exact." if len(chosen) == len(nodes) else f"Exact, for the {most} nodes with the most neighbours."
    return {node: score(node) for node in chosen}, note
