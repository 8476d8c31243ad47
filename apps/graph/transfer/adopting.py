"""What a file says, as records of the tenant that imports it: held against the schema, under uids of its own.

A uid stays as it is when only this tenant can have made it, or when the tenant has such a node already. Any other
stands for the one that is made from it, always the same: so no file can name a node of another tenant.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from apps.graph.loading import find_uids
from apps.graph.records import Edge, Node, Record, UntrustedError, checked_edge, checked_node
from apps.graph.schema import TENANT, relationship_named
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


def _names(record: Record) -> Iterable[tuple[str, str]]:
    if isinstance(record, Node):
        return ((record.label, record.uid),)
    ends = relationship_named(record.type)
    return ((ends.source, record.start), (ends.target, record.end))


def _under(record: Record, uids: list[str]) -> Record:
    if isinstance(record, Node):
        return Node(record.label, uids[0], record.properties, record.kind)
    return Edge(record.type, uids[0], uids[1], record.properties)
