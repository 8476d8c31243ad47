"""The syntax tree of a change: what administrators' path alone may send (SPEC 2.3, graph(write)).

A change is read by a grammar of its own; the trees of tree.py hold no clause that writes.
"""

from dataclasses import dataclass

from apps.graph.cypher import tree


@dataclass(frozen=True, slots=True)
class Create:
    """``CREATE paths``."""

    paths: tuple[tree.Path, ...]


@dataclass(frozen=True, slots=True)
class Merge:
    """``MERGE path [ON CREATE SET ...] [ON MATCH SET ...]``."""

    path: tree.Path
    on_create: "tuple[Assignment, ...]" = ()
    on_match: "tuple[Assignment, ...]" = ()


@dataclass(frozen=True, slots=True)
class Assignment:
    """``variable.key = value``, or with ``key`` None ``variable += {map}``."""

    variable: str
    key: str | None
    value: tree.Expr


@dataclass(frozen=True, slots=True)
class SetProperties:
    """``SET assignments``."""

    assignments: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class RemoveProperties:
    """``REMOVE variable.key, ...``."""

    properties: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Delete:
    """``[DETACH] DELETE variables``."""

    variables: tuple[str, ...]
    detach: bool = False


Writing = Create | Merge | SetProperties | RemoveProperties | Delete
Reading = tree.Match | tree.Unwind | tree.With


@dataclass(frozen=True, slots=True)
class Change:
    """``MATCH ... SET ... [RETURN ...]``: what is read comes first, then what is written, in this order."""

    reading: tuple[Reading, ...]
    writing: tuple[Writing, ...]
    returning: tree.Return | None = None
