"""The tenant's graph, read in order for an export: by label and type, by uid, a page at a time."""

from collections.abc import Iterator
from uuid import UUID

from apps.graph import client
from apps.graph.loading import BATCH, CALL_S, LIGHT_END, find
from apps.graph.records import Edge, Node, Record
from apps.graph.schema import KINDS, relationship_named
from apps.graph.transfer.sections import Section


def pages(tenant_id: UUID, section: Section, after: str) -> Iterator[tuple[list[Record], str]]:
    """The records of a section beyond the uid ``after`` and, with each page, the uid to go on from.

    Relationships come by their end with few of them, in the order of its uid.
    """
    while True:
        if section.is_nodes:
            records, after = _nodes(tenant_id, section.name, after)
        else:
            records, after = _edges(tenant_id, section.name, after)
        if not after:
            return
        yield records, after


def _nodes(tenant_id: UUID, label: str, after: str) -> tuple[list[Record], str]:
    text = f"MATCH (n:{label}) WHERE n.tenant_id = $tenant AND n.uid > $after RETURN n ORDER BY n.uid LIMIT {BATCH}"
    found = client.read(
        text, {"tenant": str(tenant_id), "after": after}, tenant_id=tenant_id, row_limit=BATCH, timeout_s=CALL_S
    )
    records: list[Record] = []
    for (node,) in found.rows:
        kind = next((name for name in node["labels"] if name in KINDS), None)
        records.append(Node(label, node["uid"], node["properties"], kind))
        after = node["uid"]
    return records, after if records else ""


def _edges(tenant_id: UUID, type_: str, after: str) -> tuple[list[Record], str]:
    ends = relationship_named(type_)
    light = ends.source if LIGHT_END[type_] == "start" else ends.target
    text = f"MATCH (n:{light}) WHERE n.tenant_id = $tenant AND n.uid > $after RETURN n.uid ORDER BY n.uid LIMIT {BATCH}"
    found = client.read(
        text, {"tenant": str(tenant_id), "after": after}, tenant_id=tenant_id, row_limit=BATCH, timeout_s=CALL_S
    )
    uids = [uid for (uid,) in found.rows]
    if not uids:
        return [], ""
    anchor = "a" if LIGHT_END[type_] == "start" else "b"
    rows = find(
        tenant_id,
        f"UNWIND $uids AS uid MATCH ({anchor}:{light} {{uid: uid}}) WHERE {anchor}.tenant_id = $tenant "
        f"MATCH (a)-[r:{type_}]->(b) WHERE r.tenant_id = $tenant AND a.tenant_id = $tenant AND b.tenant_id = $tenant "
        "RETURN a.uid, b.uid, properties(r)",
        uids,
    )
    records: list[Record] = [Edge(type_, start, end, properties) for start, end, properties in sorted(rows, key=_ends)]
    return records, uids[-1]


def _ends(row: list[object]) -> tuple[str, str]:
    return str(row[0]), str(row[1])
