"""What a question groups by: a property, a time, or things of another label."""

from collections.abc import Iterator

from apps.graph import schema
from apps.graph.nl2cypher.grammar import lexicon, phrases
from apps.graph.nl2cypher.grammar.applying import Objection, linked, no_road, no_such_property, owner_of
from apps.graph.nl2cypher.grammar.frames import Key, Thing
from apps.graph.nl2cypher.grammar.reader import Reader
from apps.graph.nl2cypher.grammar.roads import neighbours, road

CHARACTERS = {"year": 4, "month": 7, "day": 10}


def keys(read: Reader, thing: Thing, at: int, *, one: bool = False) -> Iterator[tuple[Key, int]]:
    """Each key that the words from here on may mean for these things, and where it ends. ``one``: a noun must be
    singular: "by user" groups, "by users" says who."""
    for tag, end in read.take(at, "PERIODWORD"):
        found = _time_key(thing, str(tag.value))
        if found is not None:
            yield found, end
    for tag, end in read.take(at, "PROP"):
        found = property_key(thing, str(tag.value))
        if found is None:
            read.object_to(end, no_such_property(thing, str(tag.value)))
        else:
            yield found, end
    for tag, end in read.take(at, "NOUN"):
        for name, last in read.take(end, "PROP") if tag.value.label == thing.label else ():  # "per result type"
            own = property_key(thing, str(name.value))
            if own is not None:
                yield own, last
        for other in read.attempt(end, phrases.noun_thing, tag):
            if one and (other.plural or read.lattice.pieces[at].indefinite):
                continue  # "by users", "by a user"
            found = key_of(thing, other, None)
            if found is None:
                read.object_to(end, no_road(thing.label, other.label, None))
            elif not other.tests:
                yield found, end


def key_of(thing: Thing, other: Thing, verb: str | None) -> Key | None:
    """Nodes of another label as the key."""
    try:
        made = linked(Thing(thing.label, thing.noun, role=thing.role), other, verb)
    except Objection:
        return None
    return Key(other.label, made.links[-1].hops, kind=other.kind)


def property_key(thing: Thing, name: str) -> Key | None:
    """The thing's own property, or that of where the user works, or of the nearest label around that has it."""
    if (owner := owner_of(thing, name)) is not None:
        own = lexicon.property_of(owner.schema_name, name)
        assert own is not None
        return Key(thing.label, property=own.name, kind=owner.kind)
    if lexicon.edge_property(thing.label, name) is not None:
        return Key("Institution", road("User", "Institution") or (), property=name, on_edge=True)
    if name in ("id", "name", "type", "version", "date", "description"):
        return None
    for label in _around(thing.label):
        if any(one.name == name for one in schema.label_named(label).properties):
            return Key(label, road(thing.label, label) or (), property=name)
    return None


def _around(label: str) -> list[str]:
    """Labels in reach, the nearest first."""
    found = list(neighbours(label))
    for one in found:
        found += [other for other in neighbours(one) if other not in found and other != label]
    return found


def _time_key(thing: Thing, period: str) -> Key | None:
    moment = lexicon.moment_of(thing.schema_name)
    if moment is None or (moment.type == "integer" and period != "year"):
        return None
    return Key(thing.label, property=moment.name, characters=None if moment.type == "integer" else CHARACTERS[period])
