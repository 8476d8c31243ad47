"""Nodes that are set aside to be purged. The mark is a row in PostgreSQL; the node stays as it is until it goes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.graph import client, epoch, selectors
from apps.graph.errors import TransferRefusedError
from apps.graph.loading import CALL_S, batches, find, find_uids
from apps.graph.models import GraphArchiveMark
from apps.graph.records import Edge, Node, Record
from apps.graph.schema import KINDS, LABELS, RELATIONSHIPS, label_named
from apps.identity.principal import Principal
from kernel.tenant_context import tenant_scope

BATCH = 200
ALL_LABELS = tuple(label.label for label in LABELS)


@dataclass(frozen=True, slots=True)
class Mark:
    """One node that is set aside."""

    uid: str
    label: str
    marked_by: str
    marked_at: datetime


def chosen(
    tenant_id: UUID, *, uids: Sequence[str], label: str | None, before: str | None, limit: int
) -> list[tuple[str, str]]:
    """(uid, label) of nodes: those of ``uids``, or of ``label`` whose time lies before ``before``; at most ``limit``.

    TransferRefusedError when ``label`` has no time.
    """
    if uids:
        labels = ALL_LABELS if label is None else (label,)
        return [(uid, one) for one in labels for uid in find_uids(tenant_id, one, list(uids))][:limit]
    assert label is not None
    timed = next((one for one in label_named(label).properties if one.type in ("time", "date")), None)
    if timed is None:
        have = ", ".join(one.label for one in LABELS if any(p.type in ("time", "date") for p in one.properties))
        raise TransferRefusedError(f"{label} has no time to go by: name node_ids. These have one: {have}.")
    text = (
        f"MATCH (n:{label}) WHERE n.tenant_id = $tenant AND n.{timed.name} < $before "
        "RETURN n.uid ORDER BY n.uid LIMIT $limit"
    )
    until = before[:10] if timed.type == "date" and before else before
    found = client.read(
        text,
        {"tenant": str(tenant_id), "before": until, "limit": limit},
        tenant_id=tenant_id,
        row_limit=limit,
        timeout_s=CALL_S,
    )
    return [(uid, label) for (uid,) in found.rows]


def mark(principal: Principal, nodes: Sequence[tuple[str, str]]) -> int:
    """Set nodes aside; how many were not before."""
    with tenant_scope(principal.tenant_id):
        before = GraphArchiveMark.objects.count()
        GraphArchiveMark.objects.bulk_create(
            [
                GraphArchiveMark(tenant_id=principal.tenant_id, uid=uid, label=label, marked_by=principal.sub)
                for uid, label in nodes
            ],
            batch_size=500,
            ignore_conflicts=True,
        )
        return int(GraphArchiveMark.objects.count() - before)


def unmark(tenant_id: UUID, marks: Sequence[Mark]) -> int:
    """They are like any others again; how many there were."""
    done = 0
    for some in batches(marks, 500):
        with tenant_scope(tenant_id):
            done += GraphArchiveMark.objects.filter(uid__in=[one.uid for one in some]).delete()[0]
    return done


def marks(
    tenant_id: UUID, *, uids: Sequence[str] = (), label: str | None = None, before: datetime | None = None, limit: int
) -> list[Mark]:
    """Those that were set aside, the longest ago first: of ``uids``, of ``label``, set aside before ``before``."""
    with tenant_scope(tenant_id):
        rows = GraphArchiveMark.objects.order_by("marked_at", "id")
        if uids:
            rows = rows.filter(uid__in=list(uids))
        if label is not None:
            rows = rows.filter(label=label)
        if before is not None:
            rows = rows.filter(marked_at__lt=before)
        return [Mark(row.uid, row.label, row.marked_by, row.marked_at) for row in rows[:limit]]


def counts(tenant_id: UUID) -> dict[str, int]:
    """Label -> nodes that are set aside."""
    found: dict[str, int] = {}
    with tenant_scope(tenant_id):
        for label in GraphArchiveMark.objects.values_list("label", flat=True).iterator(chunk_size=1000):
            found[label] = found.get(label, 0) + 1
    return dict(sorted(found.items()))


def records_of(tenant_id: UUID, nodes: Sequence[Mark]) -> list[Record]:
    """The nodes, and every relationship that goes with them."""
    found: list[Record] = []
    by_label: dict[str, list[str]] = {}
    for one in nodes:
        by_label.setdefault(one.label, []).append(one.uid)
    for label, uids in by_label.items():
        text = f"UNWIND $uids AS uid MATCH (n:{label} {{uid: uid}}) WHERE n.tenant_id = $tenant RETURN n"
        for (node,) in find(tenant_id, text, uids):
            kind = next((name for name in node["labels"] if name in KINDS), None)
            found.append(Node(label, node["uid"], node["properties"], kind))
    edges: dict[tuple[str, str, str], Record] = {}
    for type_ in RELATIONSHIPS:
        for label, anchor in ((type_.source, "a"), (type_.target, "b")):
            text = (
                f"UNWIND $uids AS uid MATCH ({anchor}:{label} {{uid: uid}}) WHERE {anchor}.tenant_id = $tenant "
                f"MATCH (a)-[r:{type_.type}]->(b) WHERE r.tenant_id = $tenant AND a.tenant_id = $tenant "
                "AND b.tenant_id = $tenant RETURN a.uid, b.uid, properties(r)"
            )
            for start, end, properties in find(tenant_id, text, by_label.get(label, [])):
                edges[(type_.type, start, end)] = Edge(type_.type, start, end, properties)
    return [*found, *edges.values()]


def purge(tenant_id: UUID, nodes: Sequence[Mark], checkpoint: Callable[[], None]) -> tuple[int, int]:
    """Delete the nodes with their relationships, and their marks: how many nodes and relationships went.

    Safe to repeat: what is gone already is not counted.
    """
    deleted = edges = 0
    for some in batches(nodes, BATCH):
        checkpoint()
        for label in dict.fromkeys(one.label for one in some):
            text = f"UNWIND $uids AS uid MATCH (n:{label} {{uid: uid}}) WHERE n.tenant_id = $tenant DETACH DELETE n"
            uids = [one.uid for one in some if one.label == label]
            done = client.write(
                text, {"uids": uids, "tenant": str(tenant_id)}, tenant_id=tenant_id, timeout_s=CALL_S
            ).counters
            deleted += done.nodes_deleted
            edges += done.relationships_deleted
        unmark(tenant_id, some)
    selectors.forget(tenant_id)
    epoch.advance(at_once=True)
    return deleted, edges
