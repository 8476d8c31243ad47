"""A bounded part of a tenant's graph as a network: nodes by uid, edges without their properties.

Read through the gate, in pages; an answer that was cut because it grew too large is read on from where it ended.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import networkx as nx

from apps.graph import naming, queries
from apps.graph.results import Rows
from apps.graph.schema import RELATIONSHIPS, RelationshipType, label_named
from apps.identity.principal import Principal

PAGE = 1_000  # sources of one answer
EDGES_MOST = 20_000
AROUND_MOST = 200  # nodes whose neighbours are asked for at once
NAMES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Asking:
    """``left_s``: how long the next query may take; raises when the time is over."""

    principal: Principal
    left_s: Callable[[], float]
    cancelled: Callable[[], bool] | None = None


@dataclass(slots=True)
class Part:
    """``graph``: directed, with at most EDGES_MOST edges; each node has its ``label``. ``truncated``: there is more."""

    graph: "nx.DiGraph[str]" = field(default_factory=nx.DiGraph)
    truncated: bool = False


def by_types(asking: Asking, label: str | None, types: tuple[str, ...], edges_most: int) -> Part:
    """The edges of these types, or of all that touch the label, in order of their sources' uids."""
    part = Part()
    for type_ in _wanted(label, types):
        skip = 0
        while not part.truncated:
            text = (
                f"MATCH (a:{type_.source})-[r:{type_.type}]->(b:{type_.target}) "
                f"WITH a.uid AS a, collect(b.uid) AS ends ORDER BY a SKIP {skip:d} LIMIT {PAGE} RETURN a, ends"
            )
            found = _rows(asking, text, {})
            for start, ends in found.rows:
                for end in ends:
                    _add(part, (start, type_.source), (end, type_.target), edges_most)
            skip += len(found.rows)
            if len(found.rows) < PAGE and not found.truncated:
                break
    return part


def around(asking: Asking, uid: str, label: str, types: tuple[str, ...], hops: int, edges_most: int) -> Part:
    """What lies within ``hops`` relationships of a node, in any direction, breadth first."""
    part = Part()
    part.graph.add_node(uid, label=label)
    frontier: dict[str, list[str]] = {label: [uid]}
    seen = {uid}
    for _ in range(hops):
        following: dict[str, list[str]] = {}
        for here, uids in frontier.items():
            for type_ in _wanted(here, types):
                for first in range(0, len(uids), AROUND_MOST):
                    _neighbours(
                        asking, part, type_, here, uids[first : first + AROUND_MOST], seen, following, edges_most
                    )
        if part.truncated or not following:
            break
        frontier = following
    return part


def names_of(asking: Asking, nodes: dict[str, str]) -> dict[str, str]:
    """What people call these nodes (uid -> label), by uid."""
    by_label: dict[str, list[str]] = {}
    for uid, label in nodes.items():
        by_label.setdefault(label, []).append(uid)
    names: dict[str, str] = {}
    for label, uids in by_label.items():
        text = f"UNWIND $uids AS uid MATCH (n:{label} {{uid: uid}}) RETURN n.uid, n.{label_named(label).name} AS name"
        for first in range(0, len(uids), NAMES_AT_ONCE):
            for uid, name in _rows(asking, text, {"uids": uids[first : first + NAMES_AT_ONCE]}).rows:
                names[uid] = name if isinstance(name, str) else uid
    return names


def degrees_of(asking: Asking, uid: str, label: str) -> dict[str, int]:
    """``RUNS out`` and the like -> how many, of one node; exact."""
    counts: Counter[str] = Counter()
    for type_ in _wanted(label, ()):
        is_source = type_.source == naming.base_of(label)
        arrow = f"-[r:{type_.type}]->" if is_source else f"<-[r:{type_.type}]-"
        text = f"MATCH (n:{naming.base_of(label)} {{uid: $uid}}){arrow}() RETURN count(r) AS degree"
        counts[f"{type_.type} {'out' if is_source else 'in'}"] = int(_rows(asking, text, {"uid": uid}).rows[0][0])
    return dict(counts)


def best_joined(asking: Asking, label: str, top_k: int) -> list[tuple[str, int]]:
    """The label's nodes with the most relationships, exact: (uid, how many)."""
    text = (
        f"MATCH (n:{naming.labels_of(label)})-[r]-() "
        "WITH n.uid AS uid, count(r) AS degree RETURN uid, degree ORDER BY degree DESC, uid"
    )
    return [(uid, int(degree)) for uid, degree in _rows(asking, text, {}, rows=top_k).rows]


def _neighbours(
    asking: Asking,
    part: Part,
    type_: RelationshipType,
    here: str,
    uids: list[str],
    seen: set[str],
    following: dict[str, list[str]],
    edges_most: int,
) -> None:
    is_source = type_.source == here
    other = type_.target if is_source else type_.source
    arrow = f"-[:{type_.type}]->" if is_source else f"<-[:{type_.type}]-"
    text = (
        f"UNWIND $uids AS uid MATCH (n:{here} {{uid: uid}}){arrow}(m:{other}) RETURN n.uid AS a, collect(m.uid) AS ends"
    )
    found = _rows(asking, text, {"uids": uids})
    part.truncated = part.truncated or found.truncated
    for uid, ends in found.rows:
        for end in ends:
            pair = ((uid, here), (end, other)) if is_source else ((end, other), (uid, here))
            _add(part, *pair, edges_most)
            if end not in seen and not part.truncated:
                seen.add(end)
                following.setdefault(other, []).append(end)


def _add(part: Part, start: tuple[str, str], end: tuple[str, str], edges_most: int) -> None:
    if part.graph.number_of_edges() >= edges_most:
        part.truncated = True
        return
    for uid, label in (start, end):
        part.graph.add_node(uid, label=label)
    part.graph.add_edge(start[0], end[0])


def _wanted(label: str | None, types: tuple[str, ...]) -> list[RelationshipType]:
    chosen = [naming.type_of(name) for name in types] or list(RELATIONSHIPS)
    base = None if label is None else naming.base_of(label)
    return [one for one in chosen if base is None or base in (one.source, one.target)]


def _rows(asking: Asking, text: str, values: dict[str, Any], *, rows: int = PAGE) -> Rows:
    passed = queries.inspected(asking.principal, text, values, rows=rows, timeout_s=asking.left_s())
    return queries.read(asking.principal, passed, cancelled=asking.cancelled)
