"""Part of layer 3 for changes: what is written fits the schema. A property is one that the label has, its value is of
the property's type and among its values, what is made has all that it needs, and relationships point the right way.

All of it is seen before anything runs, so a value whose type cannot be seen is refused. What may turn out to be null
only when the change runs, as ``toInteger('x')``, is not seen.
"""

from typing import Any

from apps.graph import schema
from apps.graph.cypher import changes, tree
from apps.graph.gate.names import did_you_mean
from apps.graph.gate.things import (
    Known,
    Thing,
    known_in,
    learn,
    owners,
    properties_named,
    properties_of,
    thing_at,
    values_of,
)
from apps.graph.gate.types import type_of
from apps.graph.gate.verdict import GateRefusal
from apps.graph.records import RecordError, checked_value

_Keys = dict[str, set[str]]
_Made = tuple[str, Thing]  # the name under which its keys are noted
_SHOWN_VALUES = 12


def check(reading: tuple[changes.Reading, ...], writing: tuple[changes.Writing, ...], given: Any) -> None:
    """GateRefusal for the first thing that does not fit. Names are those of the schema already (vocabulary.py)."""
    known = known_in(reading, given)
    needs: list[_Made] = []
    keys: _Keys = {}
    for number, clause in enumerate(writing):
        match clause:
            case changes.Create(paths):
                for place, path in enumerate(paths):
                    needs += _made(path, known, keys, f"{number} {place}")
            case changes.Merge(path, on_create, on_match):
                needs += _made(path, known, keys, f"{number}")
                for one in (*on_create, *on_match):
                    _assigned(one, known, keys if one in on_create else {})
            case changes.SetProperties(assignments):
                for one in assignments:
                    _assigned(one, known, keys)
            case changes.RemoveProperties(properties):
                for variable, key in properties:
                    _check_value(known.things.get(variable, Thing()), key, tree.Const(None), known)
            case changes.Delete():
                pass
    for name, thing in needs:
        _check_whole(thing, keys[name])


def _made(path: tree.Path, known: Known, keys: _Keys, mark: str) -> list[_Made]:
    """Check what a pattern makes; what of it has to have all its properties at the end."""
    things = [thing_at(path, place, known, made=True) for place in range(len(path.nodes))]
    new: list[tuple[str, Thing, tree.MapOf | None]] = []
    for place, (node, thing) in enumerate(zip(path.nodes, things, strict=True)):
        if node.labels:
            _check_labels(node)
            new.append((node.variable or f"{mark} node {place}", thing, node.properties))
    for place, rel in enumerate(path.rels):
        _check_direction(rel, things[place], things[place + 1])
        new.append((rel.variable or f"{mark} rel {place}", Thing(False, rel.types, made=True), rel.properties))
    learn(path, known, made=True)
    for name, thing, properties in new:
        noted = keys.setdefault(name, set())
        for key, value in properties.entries if properties else ():
            _check_value(thing, key, value, known)
            noted.add(key)
    return [(name, thing) for name, thing, _ in new]


def _assigned(one: changes.Assignment, known: Known, keys: _Keys) -> None:
    thing = known.things.get(one.variable, Thing())
    set_here = keys.get(one.variable, set())
    if one.key is not None:
        _check_value(thing, one.key, one.value, known)
        set_here.add(one.key)
        return
    entries: list[tuple[str, tree.Expr]] = []
    if isinstance(one.value, tree.MapOf):
        entries = list(one.value.entries)
    elif isinstance(one.value, tree.Param):
        entries = [(key, tree.Const(value)) for key, value in known.given[one.value.name].items()]
    for key, value in entries:
        _check_value(thing, key, value, known)
        set_here.add(key)


def _check_labels(node: tree.Node) -> None:
    bases = {schema.KINDS.get(name, name) for name in node.labels}
    kinds = [name for name in node.labels if name in schema.KINDS]
    if len(bases) != 1 or len(kinds) > 1:
        raise _refuse(
            f"One node cannot be {' and '.join(node.labels)}.", "A kind stands beside its label: :Task:Blast."
        )
    if kinds and not set(node.labels) - set(kinds):
        raise _refuse(
            f"{kinds[0]} is a kind of {schema.KINDS[kinds[0]]}.", f"Write :{schema.KINDS[kinds[0]]}:{kinds[0]}."
        )


def _check_direction(rel: tree.Rel, left: Thing, right: Thing) -> None:
    type_ = schema.relationship_named(rel.types[0])
    ends = (left, right) if rel.direction == "out" else (right, left)
    for thing, wanted in zip(ends, (type_.source, type_.target), strict=True):
        if not thing.names:
            raise _refuse(f"It cannot be seen what {type_.type} would join.", f"Say it where it is found: (:{wanted}).")
        if any(schema.KINDS.get(name, name) != wanted for name in thing.names):
            raise _refuse(
                f"{type_.type} does not go from or to {thing.names[0]} like that.",
                f"Write (:{type_.source})-[:{type_.type}]->(:{type_.target}).",
            )


def _check_whole(thing: Thing, keys: set[str]) -> None:
    (name,) = thing.names
    missing = [one.name for one in properties_of(name) if not one.may_miss and one.name not in keys]
    if missing:
        raise _refuse(f"{name} needs {', '.join(missing)}.", "Give every property that may not be missing.")


def _check_value(thing: Thing, key: str, value: tree.Expr, known: Known) -> None:
    found = properties_named(thing, key)
    if not found:
        of = " and ".join(owners(thing)[:3])
        names = [one.name for name in owners(thing) for one in properties_of(name)]
        raise _refuse(f"{of} has no property {key}.", did_you_mean(key, names) or f"It has {', '.join(names[:20])}.")
    values = values_of(value, known)
    for one in found:
        if values is not None:
            for each in values:
                _check_known(one, each)
        else:
            _check_unknown(one, value, known)


def _check_known(one: schema.Property, value: Any) -> None:
    if value is None:
        if not one.may_miss:
            raise _refuse(f"{one.name} cannot be taken away.", "Only properties that may be missing can be null.")
        return
    try:
        checked_value(one, value)
    except RecordError as error:
        raise _refuse(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
    if one.values and not one.others and value not in one.values:
        more = ", ..." if len(one.values) > _SHOWN_VALUES else ""
        listed = ", ".join(one.values[:_SHOWN_VALUES]) + more
        raise _refuse(f"{value[:60]!r} is no {one.name}.", f"It is one of: {listed}.")


def _check_unknown(one: schema.Property, value: tree.Expr, known: Known) -> None:
    """A value that is worked out for each row."""
    if isinstance(value, tree.Prop) and isinstance(value.of, tree.Var) and value.of.name in known.things:
        sources = properties_named(known.things[value.of.name], value.key)
        if sources and all(_may_become(source, one) for source in sources):
            return
    elif not (one.values and not one.others) and one.type not in ("date", "time"):
        seen = type_of(value, known)
        if seen == one.type or (seen, one.type) == ("integer", "decimal"):
            return
    raise _refuse(f"It cannot be seen that this fits {one.name}.", "Give the value itself, as a parameter.")


def _may_become(source: schema.Property, target: schema.Property) -> bool:
    is_open = not target.values or target.others
    same_type = source.type == target.type or (source.type, target.type) == ("integer", "decimal")
    is_among = is_open or (bool(source.values) and not source.others and set(source.values) <= set(target.values))
    return same_type and is_among and (target.may_miss or not source.may_miss)


def _refuse(message: str, hint: str = "") -> GateRefusal:
    return GateRefusal("tenant", message, hint)
