"""A tenant's graph held against the schema: what is missing, of the wrong type, unknown, twice, or joined to nothing.

Node by node, a page in memory at a time. Repairs are declared below; each makes of a node one that the schema takes, or
leaves it as it is, and is written by the loader like any import.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from apps.graph import client
from apps.graph.loading import CALL_S, load_batch
from apps.graph.records import Edge, Node, RecordError, checked_node, checked_value
from apps.graph.schema import LABELS, RELATIONSHIPS, Property, RelationshipType, label_named, relationship_named
from apps.graph.transfer.reading import pages
from apps.graph.transfer.sections import BY_NAME, Section

Check = Literal["missing", "types", "unknown", "duplicates", "dangling", "relationships"]
CHECKS: tuple[Check, ...] = ("missing", "types", "unknown", "duplicates", "dangling", "relationships")
OF_NODES = frozenset({"missing", "types", "unknown"})
EXAMPLES = 5
TRUTHS = {"true": True, "false": False}


@dataclass(slots=True)
class Finding:
    """One kind of fault at one label, or relationship type, and property. ``examples``: {uid, ...}, a few.

    ``fixable``: of ``count``, how many a repair would remove.
    """

    check: Check
    label: str
    property: str
    count: int = 0
    fixable: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Quality:
    """``looked_at``: nodes and relationships. ``repaired``: nodes that were, or that would be."""

    looked_at: int = 0
    repaired: int = 0
    findings: list[Finding] = field(default_factory=list)


Look = Callable[[int], None]


def check(tenant_id: UUID, labels: Iterable[str], checks: Iterable[Check], look: Look) -> Quality:
    """What is wrong at these labels. ``look(done)`` is called with every page, and may raise."""
    wanted, quality = set(checks), Quality()
    found: dict[tuple[Check, str, str], Finding] = {}
    for label in labels:
        if wanted & OF_NODES:
            _check_nodes(tenant_id, label, wanted, quality, found, look)
        if "duplicates" in wanted:
            _check_keys(tenant_id, label, found)
        if "dangling" in wanted and any(label in (one.source, one.target) for one in RELATIONSHIPS):
            _check_dangling(tenant_id, label, found)
        if "relationships" in wanted:
            for type_ in (one for one in RELATIONSHIPS if one.source == label):
                _check_relationships(tenant_id, type_, quality, found, look)
        look(quality.looked_at)
    quality.findings = sorted(found.values(), key=lambda one: (-one.count, one.check, one.label, one.property))
    return quality


def repair(tenant_id: UUID, labels: Iterable[str], look: Look, *, most: int, only_count: bool) -> Quality:
    """Make nodes fit that a safe repair makes fit, at most so many.

    The repairs: a text that reads as the number, truth or list its property is becomes that; a whole number in a
    decimal property becomes a decimal; a property that the label does not have goes. Nothing is made up: a node
    that misses something stays as it is. Safe to repeat.
    """
    quality = Quality()
    for label in labels:
        for records, _ in pages(tenant_id, BY_NAME[label], ""):
            better = [new for old in records if isinstance(old, Node) and (new := repaired(old)) is not None]
            better = better[: most - quality.repaired]
            if better and not only_count:
                load_batch(tenant_id, better)
            quality.repaired += len(better)
            quality.looked_at += len(records)
            look(quality.looked_at)
            if quality.repaired >= most:
                return quality
    return quality


def repaired(node: Node) -> Node | None:
    """The node as the schema takes it; None when it does already, or no safe repair makes it do so."""
    known = {one.name: one for one in label_named(node.kind or node.label).properties}
    kept = {name: _better(known[name], value) for name, value in node.properties.items() if name in known}
    if kept == dict(node.properties) and all(type(kept[name]) is type(node.properties[name]) for name in kept):
        return None
    try:
        return checked_node(list(node.labels), node.uid, kept)
    except RecordError:
        return None


def _better(known: Property, value: Any) -> Any:
    """The value in its property's type where that loses nothing; else as it is."""
    try:
        return checked_value(known, value)
    except RecordError:
        pass
    text = value.strip() if isinstance(value, str) else value
    try:
        match known.type:
            case "integer" if isinstance(text, float) and text == int(text):
                return int(text)
            case "integer" if isinstance(text, str) and len(text) < 20:
                return int(text)
            case "decimal" if isinstance(text, str):
                return checked_value(known, float(text))
            case "boolean" if isinstance(text, str):
                return TRUTHS.get(text.lower(), value)
            case "text" if isinstance(value, int | float) and not isinstance(value, bool):
                return str(value)
            case "texts" if isinstance(value, str) and value:
                return [value]
    except (ValueError, OverflowError, RecordError):
        pass
    return value


def _check_nodes(
    tenant_id: UUID,
    label: str,
    wanted: set[Check],
    quality: Quality,
    found: dict[tuple[Check, str, str], Finding],
    look: Look,
) -> None:
    for records, _ in pages(tenant_id, BY_NAME[label], ""):
        for node in records:
            if isinstance(node, Node):
                faults = [one for one in _faults(node.properties, node.kind or label) if one[0] in wanted]
                fixable = bool(faults) and repaired(node) is not None
                for which, property_, value in faults:
                    _note(found, which, label, property_, {"uid": node.uid, **value}, fixable=fixable)
        quality.looked_at += len(records)
        look(quality.looked_at)


def _faults(properties: Any, name: str) -> Iterable[tuple[Check, str, dict[str, Any]]]:
    known = {one.name: one for one in _properties_of(name)}
    for key in properties.keys() - known.keys():
        yield "unknown", key, {"value": _short(properties[key])}
    for key, one in known.items():
        value = properties.get(key)
        if value is None:
            if not one.may_miss:
                yield "missing", key, {}
            continue
        try:
            checked_value(one, value)
        except RecordError as error:
            yield "types", key, {"value": _short(value), "reason": str(error)[:200]}


def _properties_of(name: str) -> tuple[Property, ...]:
    return label_named(name).properties if name not in _TYPES else relationship_named(name).properties


def _check_keys(tenant_id: UUID, label: str, found: dict[tuple[Check, str, str], Finding]) -> None:
    key = label_named(label).key
    text = (
        f"MATCH (n:{label}) WHERE n.tenant_id = $tenant AND n.{key} IS NOT NULL "
        f"WITH n.{key} AS key, count(n) AS times, collect(n.uid)[0..3] AS uids WHERE times > 1 "
    )
    total = _rows(tenant_id, text + "RETURN count(key), sum(times)")[0]
    if not total[0]:
        return
    examples = _rows(tenant_id, text + f"RETURN key, times, uids ORDER BY times DESC, key LIMIT {EXAMPLES}")
    found[("duplicates", label, key)] = Finding(
        "duplicates",
        label,
        key,
        int(total[0]),
        examples=[{"value": _short(value), "times": times, "uids": uids} for value, times, uids in examples],
    )


def _check_dangling(tenant_id: UUID, label: str, found: dict[tuple[Check, str, str], Finding]) -> None:
    text = f"MATCH (n:{label}) WHERE n.tenant_id = $tenant AND NOT (n)--() "
    (count,) = _rows(tenant_id, text + "RETURN count(n)")[0]
    if count:
        uids = _rows(tenant_id, text + f"RETURN n.uid ORDER BY n.uid LIMIT {EXAMPLES}")
        found[("dangling", label, "")] = Finding(
            "dangling", label, "", int(count), examples=[{"uid": uid} for (uid,) in uids]
        )


def _check_relationships(
    tenant_id: UUID,
    type_: RelationshipType,
    quality: Quality,
    found: dict[tuple[Check, str, str], Finding],
    look: Look,
) -> None:
    section: Section = BY_NAME[type_.type]
    for records, _ in pages(tenant_id, section, ""):
        for edge in records:
            if isinstance(edge, Edge):
                for _which, property_, value in _faults(edge.properties, type_.type):
                    _note(
                        found, "relationships", type_.type, property_, {"start": edge.start, "end": edge.end, **value}
                    )
        quality.looked_at += len(records)
        look(quality.looked_at)
    text = (
        f"MATCH (a)-[r:{type_.type}]->(b) WHERE r.tenant_id = $tenant "
        f"AND NOT (a:{type_.source} AND b:{type_.target}) RETURN count(r)"
    )
    (count,) = _rows(tenant_id, text)[0]
    if count:
        found[("relationships", type_.type, "ends")] = Finding("relationships", type_.type, "ends", int(count))


def _note(
    found: dict[tuple[Check, str, str], Finding],
    which: Check,
    label: str,
    property_: str,
    example: dict[str, Any],
    *,
    fixable: bool = False,
) -> None:
    one = found.setdefault((which, label, property_), Finding(which, label, property_))
    one.count += 1
    one.fixable += fixable
    if len(one.examples) < EXAMPLES:
        one.examples.append(example)


def _rows(tenant_id: UUID, text: str) -> list[list[Any]]:
    return client.read(text, {"tenant": str(tenant_id)}, tenant_id=tenant_id, timeout_s=CALL_S).rows


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


_TYPES = frozenset(one.type for one in RELATIONSHIPS)
ALL_LABELS = tuple(label.label for label in LABELS)
