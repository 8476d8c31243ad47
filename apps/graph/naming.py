"""Names that tools' callers give, looked up in the schema: only what it has is ever written into a text (R29)."""

from collections.abc import Iterable, Mapping

from apps.graph import schema
from apps.graph.gate.names import did_you_mean
from apps.graph.schema import KINDS, LABEL_NAMES, TYPE_NAMES, Property, RelationshipType
from kernel.errors import ValidationError


def labels_of(name: str) -> str:
    """How a node of this label or kind is written: ``Task``, ``Task:Blast``. ValidationError for another name."""
    _require(name, LABEL_NAMES, "label")
    return f"{KINDS[name]}:{name}" if name in KINDS else name


def base_of(name: str) -> str:
    """The label itself, or the one that the kind stands beside."""
    _require(name, LABEL_NAMES, "label")
    return KINDS.get(name, name)


def type_of(name: str) -> RelationshipType:
    """The relationship type of this name. ValidationError when there is none."""
    _require(name, TYPE_NAMES, "relationship type")
    return schema.relationship_named(name)


def properties_of(label: str) -> Mapping[str, Property]:
    """The properties of a label or kind by name; a label's own and those of its kinds, which some nodes have."""
    _require(label, LABEL_NAMES, "label")
    found = schema.label_named(label)
    every = (*found.properties, *(one for kind in found.kinds for one in kind.properties))
    return {one.name: one for one in reversed(every)} | {schema.UID: Property(schema.UID, "text", "The platform's id")}


def property_of(label: str, name: str) -> Property:
    """One of them. ValidationError when the label has none of this name."""
    known = properties_of(label)
    _require(name, known, f"property of {label}")
    return known[name]


def _require(name: str, known: Iterable[str], what: str) -> None:
    names = list(known)
    if name not in names:
        hint = did_you_mean(name, names) or f"There are {', '.join(sorted(names))}."
        raise ValidationError(f"There is no {what} {name[:60]!r}. {hint}", code="unknown_name")
