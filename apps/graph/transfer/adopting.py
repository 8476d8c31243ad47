"""What a file says, as records of the tenant that imports it: held against the schema, under uids of its own.

A uid stays as it is when only this tenant can have made it, or when the tenant has such a node already. Any other
stands for the one that is made from it, always the same: so no file can name a node of another tenant.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from apps.graph.loading import find, find_uids
from apps.graph.records import Edge, Node, Record, UntrustedError, checked_edge, checked_node
from apps.graph.schema import TENANT, UID, label_named, relationship_named
from apps.graph.transfer.formats import Raw, RawNode
from apps.graph.uids import is_of_tenant, uid_for


def checked(raw: Raw, tenant_id: UUID) -> Record:
    """The record, still under the file's uids. RecordError: the schema does not know it, or it is another tenant's."""
    properties = dict(raw.properties)
    if TENANT in properties and properties.pop(TENANT) != str(tenant_id):
        raise UntrustedError("it says that it belongs to another tenant")
    if isinstance(raw, RawNode):
        return checked_node(raw.labels, raw.uid, properties)
    return checked_edge(raw.type, raw.start, raw.end, properties)


def adopted(records: Sequence[Record], tenant_id: UUID) -> list[Record]:
    """The same records under uids that are the tenant's."""
    by_label: dict[str, set[str]] = defaultdict(set)
    for record in records:
        for label, uid in _names(record):
            if not is_of_tenant(tenant_id, uid):
                by_label[label].add(uid)
    known = {(label, uid) for label, uids in by_label.items() for uid in find_uids(tenant_id, label, sorted(uids))}

    def own(label: str, uid: str) -> str:
        if is_of_tenant(tenant_id, uid) or (label, uid) in known:
            return uid
        return uid_for(tenant_id, f"import {uid}")

    return [_under(record, [own(*name) for name in _names(record)]) for record in records]


def adopted_by_key(records: Sequence[Record], tenant_id: UUID) -> list[Record]:
    """The same records, whose uids are values of the labels' keys, under the uids of the nodes with those keys.

    A node that is not there yet gets the uid that is made of its key; one that is keeps what the record does not name.
    """
    by_label: dict[str, set[str]] = defaultdict(set)
    for record in records:
        for label, key in _names(record):
            by_label[label].add(key)
    known = {(label, key): found for label, keys in by_label.items() for key, *found in _find(tenant_id, label, keys)}

    def own(label: str, key: str) -> str:
        found = known.get((label, key))
        return str(found[0]) if found else uid_for(tenant_id, f"key {label} {key}")

    merged: list[Record] = []
    for record in records:
        made = _under(record, [own(*name) for name in _names(record)])
        found = known.get((record.label, record.uid)) if isinstance(record, Node) else None
        if isinstance(made, Node) and found:
            kept = {name: value for name, value in found[1].items() if name != UID}
            made = Node(made.label, made.uid, {**kept, **made.properties}, made.kind)
        merged.append(made)
    return merged


def _find(tenant_id: UUID, label: str, keys: Iterable[str]) -> list[list[Any]]:
    """[key, uid, properties] of the tenant's nodes with these keys; where two have one, the one with the first uid."""
    text = (
        f"UNWIND $uids AS key MATCH (n:{label} {{{label_named(label).key}: key}}) WHERE n.tenant_id = $tenant "
        "RETURN key, n.uid, properties(n)"
    )
    return sorted(find(tenant_id, text, sorted(keys)), key=lambda row: (row[0], row[1]), reverse=True)


def _names(record: Record) -> Iterable[tuple[str, str]]:
    if isinstance(record, Node):
        return ((record.label, record.uid),)
    ends = relationship_named(record.type)
    return ((ends.source, record.start), (ends.target, record.end))


def _under(record: Record, uids: list[str]) -> Record:
    if isinstance(record, Node):
        return Node(record.label, uids[0], record.properties, record.kind)
    return Edge(record.type, uids[0], uids[1], record.properties)
