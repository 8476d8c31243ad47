"""What a file of JSON lines does not have, out of the tenant's graph: the second half of a restore.

Ids are kept as digests of eight bytes: about 100 bytes of memory for each record of the file.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from uuid import UUID

from apps.graph import client, selectors
from apps.graph.loading import CALL_S, batches
from apps.graph.records import Node
from apps.graph.schema import relationship_named
from apps.graph.transfer.reading import pages
from apps.graph.transfer.sections import SECTIONS, Section
from apps.graph.uids import uid_for

BATCH = 500


def prune(tenant_id: UUID, source: Path, checkpoint: Callable[[], None]) -> tuple[int, int]:
    """Delete the tenant's nodes and relationships that ``source`` does not name; how many of each.

    Safe to repeat. ``source`` was imported before: it is read without doubt. Relationships of nodes that go are not
    counted.
    """
    kept = _digests(source, tenant_id)
    nodes = relationships = 0
    for section in SECTIONS:
        for records, _ in pages(tenant_id, section, ""):
            checkpoint()
            if section.is_nodes:
                gone = [one.uid for one in records if isinstance(one, Node) and _digest(one.uid) not in kept]
                nodes += _delete_nodes(tenant_id, section, gone)
            else:
                ends = [(one.start, one.end) for one in records if not isinstance(one, Node)]
                gone_ends = [(start, end) for start, end in ends if _digest(section.name, start, end) not in kept]
                relationships += _delete_edges(tenant_id, section, gone_ends)
    selectors.forget(tenant_id)
    return nodes, relationships


def _delete_nodes(tenant_id: UUID, section: Section, uids: Iterable[str]) -> int:
    text = f"UNWIND $uids AS uid MATCH (n:{section.name} {{uid: uid}}) WHERE n.tenant_id = $tenant DETACH DELETE n"
    return sum(
        client.write(
            text, {"uids": some, "tenant": str(tenant_id)}, tenant_id=tenant_id, timeout_s=CALL_S
        ).counters.nodes_deleted
        for some in batches(uids, BATCH)
    )


def _delete_edges(tenant_id: UUID, section: Section, ends: Iterable[tuple[str, str]]) -> int:
    type_ = relationship_named(section.name)
    text = (
        f"UNWIND $rows AS row MATCH (a:{type_.source} {{uid: row[0]}}) WHERE a.tenant_id = $tenant "
        f"MATCH (a)-[r:{type_.type}]->(b:{type_.target} {{uid: row[1]}}) "
        "WHERE r.tenant_id = $tenant AND b.tenant_id = $tenant DELETE r"
    )
    return sum(
        client.write(
            text, {"rows": [list(one) for one in some], "tenant": str(tenant_id)}, tenant_id=tenant_id, timeout_s=CALL_S
        ).counters.relationships_deleted
        for some in batches(ends, BATCH)
    )


def _digests(source: Path, tenant_id: UUID) -> set[int]:
    """Of every uid and every (type, start, end) in the file, and as the import may have renamed them (adopting.py)."""
    kept: set[int] = set()
    with source.open(encoding="utf-8") as file:
        for line in file:
            said = json.loads(line)
            if said["type"] == "node":
                kept.update(_digest(uid) for uid in _names(said["id"], tenant_id))
            else:
                starts, ends = _names(said["start"]["id"], tenant_id), _names(said["end"]["id"], tenant_id)
                kept.update(_digest(said["label"], start, end) for start in starts for end in ends)
    return kept


def _names(uid: str, tenant_id: UUID) -> tuple[str, str]:
    return uid, uid_for(tenant_id, f"import {uid}")


def _digest(*parts: str) -> int:
    return int.from_bytes(hashlib.blake2b("\0".join(parts).encode(), digest_size=8).digest())
