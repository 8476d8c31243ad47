"""The parts of a graph as they are written and read: every label, then every relationship type. Pure."""

from dataclasses import dataclass

from apps.graph.records import Node, Record
from apps.graph.schema import LABELS, RELATIONSHIPS, Property


@dataclass(frozen=True, slots=True)
class Section:
    """``name``: a label or a relationship type. ``properties``: all that its members may have, those of kinds too."""

    name: str
    is_nodes: bool
    properties: tuple[Property, ...]


def _of_label(name: str) -> Section:
    label = next(one for one in LABELS if one.label == name)
    properties = {one.name: one for part in (label, *label.kinds) for one in part.properties}
    return Section(name, True, tuple(properties.values()))


SECTIONS: tuple[Section, ...] = (
    *(_of_label(label.label) for label in LABELS),
    *(Section(one.type, False, one.properties) for one in RELATIONSHIPS),
)
BY_NAME: dict[str, Section] = {section.name: section for section in SECTIONS}


def section_of(record: Record) -> Section:
    """Where a record belongs."""
    return BY_NAME[record.label if isinstance(record, Node) else record.type]
