"""Records into a tenant's graph, in batches. What is there already and equal is not written again.

A batch is looked up first, then what is missing is made and what differs is changed, each in one transaction: on
ArcadeDB this is four times as fast as MERGE, which also walks all of a node's relationships. One loader a tenant at a
time, in its turn (turns.py): two at once could make a relationship twice.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from apps.graph import client
from apps.graph.records import Edge, Node, Record, RecordError
from apps.graph.schema import TENANT, UID, relationship_named

BATCH = 1000
CALL_S = 60.0
# The end that has few relationships of a type: there an existing one is looked for.
LIGHT_END = {"WORKS_AT": "start", "RUNS": "end", "INPUT": "end", "OUTPUT": "start"}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading did. ``unchanged``: was there already, equal."""

    nodes_created: int = 0
    nodes_changed: int = 0
    relationships_created: int = 0
    relationships_changed: int = 0
    unchanged: int = 0

    def __add__(self, other: "Loaded") -> "Loaded":
        return Loaded(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


def load(
    tenant_id: UUID | str, records: Iterable[Record], report: Callable[[Loaded], None] = lambda loaded: None
) -> Loaded:
    """Load records in their order, BATCH at a time; nodes come before the relationships that name them.

    RecordError when a relationship names a node that is not there, or a node is of other labels than the one there.
    """
    total = Loaded()
    for batch in batches(records, BATCH):
        total += load_batch(tenant_id, batch)
        report(total)
    return total


def load_batch(tenant_id: UUID | str, records: Sequence[Record]) -> Loaded:
    """As ``load``, for what goes in one batch. Safe to repeat after a failure half way."""
    nodes: dict[tuple[str, ...], list[Node]] = defaultdict(list)
    edges: dict[str, list[Edge]] = defaultdict(list)
    for record in records:
        if isinstance(record, Node):
            nodes[record.labels].append(record)
        else:
            edges[record.type].append(record)
    total = Loaded()
    for some_nodes in nodes.values():
        total += _load_nodes(str(tenant_id), some_nodes)
    for some_edges in edges.values():
        total += _load_edges(str(tenant_id), some_edges)
    return total


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """``items`` in lists of ``size``; the last may be shorter."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def _load_nodes(tenant_id: str, nodes: list[Node]) -> Loaded:
    wanted = {node.uid: node for node in nodes}
    label = nodes[0].label
    there = _find_nodes(tenant_id, label, list(wanted))
    fresh, changed = [], []
    for uid, node in wanted.items():
        if uid not in there:
            fresh.append({UID: uid, TENANT: tenant_id, **node.properties})
            continue
        labels, properties = there[uid]
        if set(labels) != set(node.labels):
            raise RecordError(f"the node is there already, as {':'.join(labels)}", node)
        if properties != dict(node.properties):
            changed.append({UID: uid, "to": {UID: uid, TENANT: tenant_id, **node.properties}})
    if fresh:
        _write(tenant_id, f"UNWIND $rows AS row CREATE (n:{':'.join(nodes[0].labels)}) SET n = row", fresh)
    if changed:
        text = f"UNWIND $rows AS row MATCH (n:{label} {{uid: row.uid}}) WHERE n.tenant_id = $tenant SET n = row.to"
        _write(tenant_id, text, changed)
    return Loaded(len(fresh), len(changed), unchanged=len(wanted) - len(fresh) - len(changed))


def _load_edges(tenant_id: str, edges: list[Edge]) -> Loaded:
    wanted = {(edge.start, edge.end): edge for edge in edges}
    type_ = relationship_named(edges[0].type)
    _require_ends(tenant_id, type_.source, {start: edge for (start, _), edge in wanted.items()})
    _require_ends(tenant_id, type_.target, {end: edge for (_, end), edge in wanted.items()})
    there = _find_edges(tenant_id, edges[0].type, list(wanted))
    fresh, changed = [], []
    for (start, end), edge in wanted.items():
        row = {"start": start, "end": end, "to": {TENANT: tenant_id, **edge.properties}}
        if (start, end) not in there:
            fresh.append(row)
        elif there[(start, end)] != dict(edge.properties):
            changed.append(row)
    ends = (
        f"UNWIND $rows AS row MATCH (a:{type_.source} {{uid: row.start}}) WHERE a.tenant_id = $tenant "
        f"MATCH (b:{type_.target} {{uid: row.end}}) WHERE b.tenant_id = $tenant "
    )
    if fresh:
        _write(tenant_id, f"{ends}CREATE (a)-[r:{type_.type}]->(b) SET r = row.to", fresh)
    if changed:
        _write(tenant_id, f"{ends}MATCH (a)-[r:{type_.type}]->(b) SET r = row.to", changed)
    return Loaded(
        relationships_created=len(fresh),
        relationships_changed=len(changed),
        unchanged=len(wanted) - len(fresh) - len(changed),
    )


def _require_ends(tenant_id: str, label: str, named_by: dict[str, Edge]) -> None:
    there = set(find_uids(tenant_id, label, sorted(named_by)))
    for uid, edge in named_by.items():
        if uid not in there:
            raise RecordError(f"{edge.type} names a {label} that is not there", edge)


def find_uids(tenant_id: UUID | str, label: str, uids: list[str]) -> list[str]:
    """Which of these are the tenant's nodes of this label."""
    text = f"UNWIND $uids AS uid MATCH (n:{label} {{uid: uid}}) WHERE n.tenant_id = $tenant RETURN n.uid"
    return [row[0] for row in find(tenant_id, text, uids)]


def _find_nodes(tenant_id: str, label: str, uids: list[str]) -> dict[str, tuple[list[str], dict[str, Any]]]:
    text = (
        f"UNWIND $uids AS uid MATCH (n:{label} {{uid: uid}}) WHERE n.tenant_id = $tenant "
        "RETURN n.uid, labels(n), properties(n)"
    )
    found = {}
    for uid, labels, properties in find(tenant_id, text, uids):
        properties.pop(UID)
        found[uid] = (labels, properties)
    return found


def _find_edges(tenant_id: str, type_: str, pairs: list[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    ends = relationship_named(type_)
    light = LIGHT_END[type_]
    anchor, label, other = ("a", ends.source, "b") if light == "start" else ("b", ends.target, "a")
    text = (
        f"UNWIND $uids AS uid MATCH ({anchor}:{label} {{uid: uid}}) WHERE {anchor}.tenant_id = $tenant "
        f"MATCH (a)-[r:{type_}]->(b) WHERE r.tenant_id = $tenant AND {other}.tenant_id = $tenant "
        "RETURN a.uid, b.uid, properties(r)"
    )
    anchors = sorted({start if light == "start" else end for start, end in pairs})
    return {(start, end): properties for start, end, properties in find(tenant_id, text, anchors)}


def find(tenant_id: UUID | str, text: str, uids: list[str]) -> list[list[Any]]:
    """All rows of a look-up; in halves where they are too many for one answer."""
    found = client.read(
        text, {"uids": uids, "tenant": str(tenant_id)}, tenant_id=tenant_id, row_limit=4 * BATCH, timeout_s=CALL_S
    )
    if not found.truncated:
        return found.rows
    if len(uids) == 1:
        raise RecordError(f"the node {uids[0]} has more relationships than can be looked through")
    half = len(uids) // 2
    return find(tenant_id, text, uids[:half]) + find(tenant_id, text, uids[half:])


def _write(tenant_id: str, text: str, rows: list[dict[str, Any]]) -> None:
    client.write(text, {"rows": rows, "tenant": tenant_id}, tenant_id=tenant_id, timeout_s=CALL_S)
