"""Nodes and edges as Mermaid or DOT. Every label is a quoted text in which nothing means anything to the renderer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from apps.graph.drawing.text import label_of

Direction = Literal["LR", "TB", "RL", "BT"]
_PLAIN = frozenset(" _-.,/")


@dataclass(frozen=True, slots=True)
class Dot:
    """A node. ``id`` only says which one an edge means: it is not drawn."""

    id: str
    label: str


@dataclass(frozen=True, slots=True)
class Line:
    """An edge between two ids."""

    start: str
    end: str
    label: str = ""


def mermaid(nodes: Sequence[Dot], edges: Sequence[Line], direction: Direction) -> str:
    """A flowchart. Signs that could mean something are written as their numbers (``#34;``)."""
    names = _names(nodes, edges)
    lines = [f"flowchart {direction}"]
    lines += [f'    {names[one.id]}["{_numbered(one.label)}"]' for one in _all(nodes, edges)]
    for edge in edges:
        label = _numbered(edge.label)
        arrow = f'-->|"{label}"|' if label.strip() else "-->"
        lines.append(f"    {names[edge.start]} {arrow} {names[edge.end]}")
    return "\n".join(lines) + "\n"


def dot(nodes: Sequence[Dot], edges: Sequence[Line], direction: Direction) -> str:
    """A digraph for Graphviz, without any attribute but labels."""
    names = _names(nodes, edges)
    lines = ["digraph {", f"    rankdir={direction};", "    node [shape=box];"]
    lines += [f'    {names[one.id]} [label="{_quoted(one.label)}"];' for one in _all(nodes, edges)]
    for edge in edges:
        label = _quoted(edge.label)
        attribute = f' [label="{label}"]' if label else ""
        lines.append(f"    {names[edge.start]} -> {names[edge.end]}{attribute};")
    return "\n".join([*lines, "}"]) + "\n"


def _all(nodes: Sequence[Dot], edges: Sequence[Line]) -> list[Dot]:
    """Each node once; an end of an edge that is no node of its own is drawn under its id."""
    found = {one.id: one for one in reversed(nodes)}
    found = {one.id: found[one.id] for one in nodes}
    for edge in edges:
        for end in (edge.start, edge.end):
            found.setdefault(end, Dot(end, end))
    return list(found.values())


def _names(nodes: Sequence[Dot], edges: Sequence[Line]) -> dict[str, str]:
    return {one.id: f"n{number}" for number, one in enumerate(_all(nodes, edges))}


def _numbered(label: str) -> str:
    """Letters, digits and a few signs as they are; an empty label is a space, which draws a box."""
    text = "".join(char if char.isalnum() or char in _PLAIN else f"#{ord(char)};" for char in label_of(label))
    return text or " "


def _quoted(label: str) -> str:
    return label_of(label).replace("\\", "\\\\").replace('"', '\\"')
