"""The driver's values as JSON's, and the last wall between tenants: what is not the caller's is not let through (R28).

The shapes are results.py's.
"""

import base64
import math
from collections.abc import Mapping
from typing import Any

from neo4j.graph import Node, Path, Relationship
from neo4j.spatial import Point
from neo4j.time import Date, DateTime, Duration, Time

from apps.graph.schema import TENANT, UID

THING_BYTES = 64  # of a node or relationship, beside its properties


class ForeignData(Exception):
    """Something of another tenant, or of none. ``what`` is for the log: kind and labels, no contents."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class TenantWalk:
    """Turns the values of one answer to JSON's. ``size_bytes`` grows; ``nodes`` and ``edges`` are by element id.

    With tenant_id None nothing is held against a tenant: for statements of the platform's own that return no nodes.
    """

    def __init__(self, tenant_id: str | None) -> None:
        self.tenant_id = tenant_id
        self.size_bytes = 0
        self.nodes: dict[str, dict[str, Any]] = {}
        self.edges: dict[str, dict[str, Any]] = {}
        self._ends: dict[str, tuple[str, str]] = {}
        self._sizes: dict[str, int] = {}

    def to_json(self, value: Any) -> Any:
        """ForeignData for what is not the tenant's."""
        if value is None or isinstance(value, bool | int):
            self.size_bytes += 8
            return value
        if isinstance(value, str):
            self.size_bytes += len(value) + 2
            return value
        if isinstance(value, float):
            self.size_bytes += 8
            return value if math.isfinite(value) else _not_finite(value)
        if isinstance(value, Path):  # before list: a path can be iterated over
            nodes = [self._node(node) for node in value.nodes]
            return {"nodes": nodes, "relationships": [self._relationship(one) for one in value.relationships]}
        if isinstance(value, Node):
            return self._node(value)
        if isinstance(value, Relationship):
            return self._relationship(value)
        if isinstance(value, Mapping):
            return self._map(value)
        if isinstance(value, Point):
            return {"srid": value.srid, "coordinates": [float(part) for part in value]}
        if isinstance(value, Duration | DateTime | Date | Time):
            self.size_bytes += 24
            return value.iso_format()
        if isinstance(value, list | tuple | set | frozenset):
            return [self.to_json(one) for one in value]
        if isinstance(value, bytes | bytearray):
            self.size_bytes += len(value) * 4 // 3
            return base64.b64encode(value).decode()
        raise ForeignData(f"a value of type {type(value).__name__}")

    def ends_unknown(self) -> list[str]:
        """Element ids of nodes that edges name and no row holds."""
        return sorted({end for ends in self._ends.values() for end in ends if end not in self.nodes})

    def learn_ends(self, found: Mapping[str, tuple[str, str | None]]) -> None:
        """Fill in where edges start and end. ``found``: element id -> (uid, tenant_id) of what ends_unknown named."""
        for element_id in self.ends_unknown():
            uid, tenant_id = found.get(element_id, ("", None))
            self._require(tenant_id, "the end of a relationship")
            self.nodes[element_id] = {"uid": uid}
        for element_id, edge in self.edges.items():
            start, end = self._ends[element_id]
            edge["start"], edge["end"] = self.nodes[start]["uid"], self.nodes[end]["uid"]

    def shown_nodes(self) -> list[dict[str, Any]]:
        """The nodes that rows hold, each once."""
        return [node for node in self.nodes.values() if "labels" in node]

    def _node(self, node: Node) -> dict[str, Any]:
        known = self.nodes.get(node.element_id)
        before = self.size_bytes
        if known is None:
            self._require(node.get(TENANT), f"a node {':'.join(sorted(node.labels))}")
            properties = {key: self.to_json(value) for key, value in node.items() if key not in (TENANT, UID)}
            known = {"uid": node.get(UID), "labels": sorted(node.labels), "properties": properties}
            self.nodes[node.element_id] = known
        self._count(node.element_id, before)
        return known

    def _relationship(self, relationship: Relationship) -> dict[str, Any]:
        known = self.edges.get(relationship.element_id)
        before = self.size_bytes
        if known is None:
            self._require(relationship.get(TENANT), f"a relationship {relationship.type}")
            known = {
                "uid": relationship.get(UID),
                "type": relationship.type,
                "start": None,
                "end": None,
                "properties": {
                    key: self.to_json(value) for key, value in relationship.items() if key not in (TENANT, UID)
                },
            }
            start, end = relationship.nodes
            assert start is not None and end is not None
            self.edges[relationship.element_id] = known
            self._ends[relationship.element_id] = (start.element_id, end.element_id)
        self._count(relationship.element_id, before)
        return known

    def _count(self, element_id: str, before: int) -> None:
        """What stands in an answer ten times is written ten times."""
        size_bytes = self._sizes.setdefault(element_id, self.size_bytes - before + THING_BYTES)
        self.size_bytes = before + size_bytes

    def _map(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """A map may be the properties of a node: what it says of a tenant must be right."""
        if TENANT in value:
            self._require(value[TENANT], "a map of properties")
        return {str(key): self.to_json(one) for key, one in value.items() if key != TENANT}

    def _require(self, tenant_id: Any, what: str) -> None:
        if type(tenant_id) is not str or tenant_id != self.tenant_id:
            raise ForeignData(f"{what} of {'no tenant' if tenant_id is None else 'another tenant'}")


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
