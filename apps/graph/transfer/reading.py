"""The tenant's graph, read in order for an export: by label and type, by uid, a page at a time.

A server that looks nodes up by their tenant goes through all of the tenant's for every page (ArcadeDB does, whatever
else is asked): so uids are read in WINDOWs first, and the nodes of a page by their uids.
"""

from collections.abc import Iterator
from uuid import UUID

from apps.graph import client
from apps.graph.loading import BATCH, LIGHT_END, batches, find
from apps.graph.records import Edge, Node, Record
from apps.graph.schema import KINDS, relationship_named
from apps.graph.transfer.sections import Section

WINDOW = 50 * BATCH  # of uids; 35 bytes each
WINDOW_S = 300.0


def pages(tenant_id: UUID, section: Section, after: str) -> Iterator[tuple[list[Record], str]]:
    """The records of a section beyond the uid ``after`` and, with each page, the uid to go on from.

    Relationships come by their end with few of them, in the order of its uid.
    """
    name = section.name
    for window in _windows(tenant_id, name if section.is_nodes else _light(name), after):
        for uids in batches(window, BATCH):
            yield _nodes(tenant_id, name, uids) if section.is_nodes else _edges(tenant_id, name, uids), uids[-1]


def _windows(tenant_id: UUID, label: str, after: str) -> Iterator[list[str]]:
    text = (
        f"MATCH (n:{label}) WHERE n.tenant_id = $tenant AND n.uid > $after RETURN n.uid ORDER BY n.uid LIMIT {WINDOW}"
    )
    while True:
        found = client.read(
            text, {"tenant": str(tenant_id), "after": after}, tenant_id=tenant_id, row_limit=WINDOW, timeout_s=WINDOW_S
        )
        if not found.rows:
            return
        yield [uid for (uid,) in found.rows]
        after = found.rows[-1][0]


def _nodes(tenant_id: UUID, label: str, uids: list[str]) -> list[Record]:
    """Those of these nodes that are still there, in the order of ``uids``."""
    text = f"UNWIND $uids AS uid MATCH (n:{label} {{uid: uid}}) WHERE n.tenant_id = $tenant RETURN n"
    records: dict[str, Record] = {}
    for (node,) in find(tenant_id, text, uids):
        kind = next((name for name in node["labels"] if name in KINDS), None)
        records[node["uid"]] = Node(label, node["uid"], node["properties"], kind)
    return [records[uid] for uid in uids if uid in records]


def _edges(tenant_id: UUID, type_: str, uids: list[str]) -> list[Record]:
    anchor, light = "a" if LIGHT_END[type_] == "start" else "b", _light(type_)
    text = (
        f"UNWIND $uids AS uid MATCH ({anchor}:{light} {{uid: uid}}) WHERE {anchor}.tenant_id = $tenant "
        f"MATCH (a)-[r:{type_}]->(b) WHERE r.tenant_id = $tenant AND a.tenant_id = $tenant AND b.tenant_id = $tenant "
        "RETURN a.uid, b.uid, properties(r)"
    )
    return [
        Edge(type_, start, end, properties) for start, end, properties in sorted(find(tenant_id, text, uids), key=_ends)
    ]


def _light(type_: str) -> str:
    """The label of the end that has few relationships of this type."""
    ends = relationship_named(type_)
    return ends.source if LIGHT_END[type_] == "start" else ends.target


def _ends(row: list[object]) -> tuple[str, str]:
    return str(row[0]), str(row[1])
