"""What is in a tenant's graph, counted. Counts are remembered for a moment: a page may ask for them at every step."""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from apps.graph import client
from apps.graph.schema import LABELS, RELATIONSHIPS

KEPT_S = 15.0
TENANTS_KEPT = 200
COUNT_S = 30.0


@dataclass(frozen=True, slots=True)
class SchemaCounts:
    """``labels``: each of the 14 -> its nodes; ``kinds``: each kind, as Blast -> its nodes, counted under its label,
    too; ``types``: each type -> its relationships. All are there, zeros too. ``stale`` as in results.Rows."""

    labels: dict[str, int]
    kinds: dict[str, int]
    types: dict[str, int]
    stale: str = ""

    @property
    def nodes(self) -> int:
        return sum(self.labels.values())

    @property
    def relationships(self) -> int:
        return sum(self.types.values())


_lock = threading.Lock()
_kept: OrderedDict[str, tuple[float, SchemaCounts]] = OrderedDict()


def schema_counts(tenant_id: UUID | str, *, fresh: bool = False) -> SchemaCounts:
    """Nodes by label and relationships by type, no older than KEPT_S seconds; with ``fresh``, of now."""
    key = str(tenant_id)
    with _lock:
        known = _kept.get(key)
    if known is not None and not fresh and time.monotonic() - known[0] < KEPT_S:
        return known[1]
    counts = _count(key)
    with _lock:
        _kept[key] = (time.monotonic(), counts)
        _kept.move_to_end(key)
        while len(_kept) > TENANTS_KEPT:
            _kept.popitem(last=False)
    return counts


def forget(tenant_id: UUID | str) -> None:
    """The next look counts anew."""
    with _lock:
        _kept.pop(str(tenant_id), None)


def _count(tenant_id: str) -> SchemaCounts:
    found = client.read(_TEXT, {"tenant": tenant_id}, tenant_id=tenant_id, row_limit=len(_BRANCHES), timeout_s=COUNT_S)
    counted = {name: int(count) for name, count in found.rows}
    kinds = [kind.label for label in LABELS for kind in label.kinds]
    return SchemaCounts(
        labels={label.label: counted.get(label.label, 0) for label in LABELS},
        kinds={kind: counted.get(kind, 0) for kind in kinds},
        types={type_.type: counted.get(type_.type, 0) for type_ in RELATIONSHIPS},
        stale=found.stale,
    )


_BRANCHES = [
    f"MATCH (n:{one.label}) WHERE n.tenant_id = $tenant RETURN '{one.label}' AS name, count(n) AS count"
    for label in LABELS
    for one in (label, *label.kinds)
] + [
    f"MATCH (a:{type_.source})-[r:{type_.type}]->(b:{type_.target}) WHERE a.tenant_id = $tenant "
    f"AND r.tenant_id = $tenant AND b.tenant_id = $tenant RETURN '{type_.type}' AS name, count(r) AS count"
    for type_ in RELATIONSHIPS
]
_TEXT = " UNION ALL ".join(_BRANCHES)
