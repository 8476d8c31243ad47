"""Nodes and relationships on their way into the graph or out of it, held against the schema. Pure.

A record belongs to no tenant: whoever loads it says to which.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.graph.schema import KINDS, TENANT, UID, Property, label_named, relationship_named

TEXT_CHARS_MAX = 100_000
LIST_ITEMS_MAX = 500
UID_CHARS_MAX = 200
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z", re.ASCII)


class RecordError(ValueError):
    """A record that the schema or the graph does not take. The text says what is wrong; ``record`` which one it is,
    where it was one of several."""

    def __init__(self, text: str, record: "Record | None" = None) -> None:
        super().__init__(text)
        self.record = record


class UntrustedError(RecordError):
    """A record after which the rest of a file is not looked at: its headings are none, or it is another tenant's."""


@dataclass(frozen=True, slots=True)
class Node:
    """``kind``: the label beside ``label``, as Blast beside Task; None without. ``properties``: no tenant_id, uid."""

    label: str
    uid: str
    properties: Mapping[str, Any]
    kind: str | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        return (self.label,) if self.kind is None else (self.label, self.kind)


@dataclass(frozen=True, slots=True)
class Edge:
    """``(start)-[type]->(end)``, ends by uid. There is at most one of a type between two nodes, in a direction."""

    type: str
    start: str
    end: str
    properties: Mapping[str, Any] = field(default_factory=dict)


Record = Node | Edge


def checked_node(labels: list[str], uid: str, properties: Mapping[str, Any]) -> Node:
    """A node of the schema, or RecordError."""
    label, kind = _label_and_kind(labels)
    known = {one.name: one for one in label_named(kind or label).properties}
    return Node(label, checked_uid(uid), _checked(properties, known, label), kind)


def checked_edge(type_: str, start: str, end: str, properties: Mapping[str, Any]) -> Edge:
    """A relationship of the schema, or RecordError."""
    try:
        known = {one.name: one for one in relationship_named(type_).properties}
    except KeyError:
        raise RecordError(f"{_shown(type_)} is not a relationship type of the graph") from None
    return Edge(type_, checked_uid(start), checked_uid(end), _checked(properties, known, type_))


def checked_uid(uid: Any) -> str:
    """A uid that may be kept, or RecordError."""
    if not isinstance(uid, str) or not 1 <= len(uid) <= UID_CHARS_MAX or not uid.isprintable():
        raise RecordError(f"an id is a text of 1 to {UID_CHARS_MAX} characters, not {_shown(uid)}")
    return uid


def _label_and_kind(labels: list[str]) -> tuple[str, str | None]:
    kinds = [name for name in labels if name in KINDS]
    bases = [name for name in labels if name not in KINDS]
    if not bases and len(kinds) == 1:
        bases = [KINDS[kinds[0]]]
    if len(bases) != 1 or len(kinds) > 1 or (kinds and KINDS[kinds[0]] != bases[0]):
        raise RecordError(f"{_shown(labels)} are not the labels of one node of the graph")
    try:
        label_named(bases[0])
    except KeyError:
        raise RecordError(f"{_shown(bases[0])} is not a label of the graph") from None
    return bases[0], kinds[0] if kinds else None


def _checked(properties: Mapping[str, Any], known: Mapping[str, Property], of: str) -> dict[str, Any]:
    for name in properties:
        if name in (TENANT, UID):
            raise RecordError(f"{name} is the platform's to set, not a property")
        if name not in known:
            raise RecordError(f"{of} has no property {_shown(name)}")
    given = {name: checked_value(known[name], value) for name, value in properties.items() if value is not None}
    missing = sorted(name for name, one in known.items() if not one.may_miss and name not in given)
    if missing:
        raise RecordError(f"{of} needs {', '.join(missing)}")
    return given


def checked_value(known: Property, value: Any) -> Any:
    """The value when it is of the property's type, or RecordError. Values beyond the known ones are taken."""
    fits = {
        "text": isinstance(value, str),
        "integer": isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63,
        "decimal": isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value),
        "boolean": isinstance(value, bool),
        "date": isinstance(value, str) and bool(_DATE.fullmatch(value)),
        "time": isinstance(value, str) and bool(_TIME.fullmatch(value)),
        "texts": isinstance(value, list) and all(isinstance(one, str) for one in value),
    }[known.type]
    if not fits:
        raise RecordError(f"{known.name} is {_a(known.type)}, not {_shown(value)}")
    texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    if any(_UNWRITABLE.search(text) for text in texts):
        raise RecordError(f"{known.name} holds a NUL or half a character")
    if isinstance(value, str) and len(value) > TEXT_CHARS_MAX:
        raise RecordError(f"{known.name} is longer than {TEXT_CHARS_MAX} characters")
    if isinstance(value, list) and (len(value) > LIST_ITEMS_MAX or sum(map(len, value)) > TEXT_CHARS_MAX):
        raise RecordError(f"{known.name} has more than {LIST_ITEMS_MAX} items or {TEXT_CHARS_MAX} characters")
    return float(value) if known.type == "decimal" else value


def _a(type_: str) -> str:
    return {
        "text": "a text",
        "integer": "a whole number of 64 bits",
        "decimal": "a number",
        "boolean": "true or false",
        "date": "a date as 2024-05-31",
        "time": "a time as 2024-05-31T08:00:00Z",
        "texts": "a list of texts",
    }[type_]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
