"""What the names of a change stand for: a node's labels, a relationship's types, the values of an UNWIND."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.graph import schema
from apps.graph.cypher import changes, tree
from apps.graph.gate.expressions import column_name


@dataclass(frozen=True, slots=True)
class Thing:
    """A node of one of these labels, or a relationship of one of these types; ``names`` is empty when it could be of
    any, ``is_node`` None when it could be either. ``made``: by this change, so it has that label, or that label and the
    one it is a kind of, and no other."""

    is_node: bool | None = None
    names: tuple[str, ...] = ()
    made: bool = False


@dataclass(slots=True)
class Known:
    """``values``: what a variable can be, all of it, where that can be seen."""

    given: Mapping[str, Any]
    things: dict[str, Thing] = field(default_factory=dict)
    values: dict[str, list[Any]] = field(default_factory=dict)


def known_in(reading: tuple[changes.Reading, ...], given: Mapping[str, Any]) -> Known:
    """What is known after these clauses."""
    known = Known(given)
    for clause in reading:
        match clause:
            case tree.Match(paths):
                for path in paths:
                    learn(path, known, made=False)
            case tree.Unwind(source, variable):
                lists = values_of(source, known)
                if lists is not None and len(lists) == 1 and isinstance(lists[0], list):
                    known.values[variable] = lists[0]
            case tree.With(projection):
                known = _after(projection, known)
    return known


def learn(path: tree.Path, known: Known, *, made: bool) -> None:
    """Add what a pattern says of its names."""
    for place, node in enumerate(path.nodes):
        if node.variable is not None and node.variable not in known.things:
            known.things[node.variable] = thing_at(path, place, known, made=made)
        elif node.variable is not None and node.labels and not known.things[node.variable].names:
            known.things[node.variable] = Thing(True, _names(node))
    for rel in path.rels:
        if rel.variable is not None and rel.hops is None:
            known.things[rel.variable] = Thing(False, rel.types, made)


def thing_at(path: tree.Path, place: int, known: Known, *, made: bool) -> Thing:
    """What stands at this place of a pattern. The relationships beside it tell, where the node itself does not."""
    node = path.nodes[place]
    if node.labels:
        return Thing(True, _names(node), made)
    if node.variable is not None and node.variable in known.things:
        return known.things[node.variable]
    return Thing(True, () if made else _beside(path, place))


def values_of(expression: tree.Expr, known: Known) -> list[Any] | None:
    """Everything that the expression can give, or None when that cannot be seen."""
    match expression:
        case tree.Const(value):
            return [value]
        case tree.Param(name):
            return [known.given.get(name)]
        case tree.Unary("-", tree.Const(value)) if isinstance(value, int | float):
            return [-value]
        case tree.Var(name):
            return known.values.get(name)
        case tree.Prop(of, key):
            rows = values_of(of, known)
            if rows is None or not all(isinstance(row, Mapping) for row in rows):
                return None
            return [row.get(key) for row in rows]
        case tree.ListOf(items):
            found = [values_of(item, known) for item in items]
            return [[one[0] for one in found if one]] if all(one and len(one) == 1 for one in found) else None
        case tree.MapOf(entries):
            pairs = [(key, values_of(value, known)) for key, value in entries]
            if not all(one and len(one) == 1 for _, one in pairs):
                return None
            return [{key: one[0] for key, one in pairs if one}]
        case tree.Case(_, branches, otherwise):
            return _together([result for _, result in branches] + [otherwise or tree.Const(None)], known)
        case _:
            return None


def properties_named(thing: Thing, key: str) -> list[schema.Property]:
    """The properties of this name that the thing can have; several where it could be of several labels."""
    return [one for name in owners(thing) for one in _of(thing, name) if one.name == key]


def owners(thing: Thing) -> list[str]:
    """The labels, or types, that the thing could be of."""
    if thing.names:
        return list(thing.names)
    labels = [label.label for label in schema.LABELS] if thing.is_node is not False else []
    return labels + ([one.type for one in schema.RELATIONSHIPS] if not thing.is_node else [])


def properties_of(name: str) -> tuple[schema.Property, ...]:
    """Of the label, kind or relationship type of this name."""
    if name in schema.TYPE_NAMES:
        return schema.relationship_named(name).properties
    return schema.label_named(name).properties


def _of(thing: Thing, name: str) -> Iterator[schema.Property]:
    """A node that was found by its label may also be of one of the label's kinds."""
    yield from properties_of(name)
    if name in schema.TYPE_NAMES:
        return
    label = schema.label_named(name)
    if not thing.made:
        for kind in label.kinds:
            yield from kind.properties


def _names(node: tree.Node) -> tuple[str, ...]:
    """Alternatives as they are; of labels that stand together, the one that says most."""
    if node.any_label:
        return node.labels
    return tuple(sorted(node.labels, key=lambda name: name not in schema.KINDS)[:1])


def _beside(path: tree.Path, place: int) -> tuple[str, ...]:
    for at, rel in ((place - 1, path.rels[place - 1] if place else None),
                    (place, path.rels[place] if place < len(path.rels) else None)):  # fmt: skip
        if rel is None or len(rel.types) != 1 or rel.hops is not None or rel.direction == "both":
            continue
        type_ = schema.relationship_named(rel.types[0])
        is_start = (at == place) == (rel.direction == "out")
        return (type_.source if is_start else type_.target,)
    return ()


def _after(projection: tree.Projection, known: Known) -> Known:
    after = Known(known.given, dict(known.things), dict(known.values)) if projection.everything else Known(known.given)
    for column in projection.columns:
        name, expression = column_name(column), column.expression
        if isinstance(expression, tree.Var) and expression.name in known.things:
            after.things[name] = known.things[expression.name]
            continue
        values = values_of(expression, known)
        if values is not None:
            after.values[name] = values
    return after


def _together(expressions: list[tree.Expr], known: Known) -> list[Any] | None:
    found = [values_of(one, known) for one in expressions]
    return None if any(one is None for one in found) else [value for one in found for value in one or []]
