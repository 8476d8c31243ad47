"""Putting conditions and links on a thing, as far as the schema allows. ``Objection`` says what it does not allow."""

from dataclasses import replace

from apps.graph import schema
from apps.graph.nl2cypher.grammar import lexicon, roads
from apps.graph.nl2cypher.grammar.frames import Link, Operator, Quantity, Scalar, Test, Thing
from apps.graph.nl2cypher.grammar.lattice import Number, Period

NUMBERS = ("integer", "decimal")
MOMENTS = ("date", "time")


class Objection(Exception):
    """What the question asks for is not in the schema; the text is a sentence for the person."""


def with_test(thing: Thing, name: str, test: Test) -> Thing:
    """The thing with a condition on the property that ``name`` means there; narrowed to a kind, or put on where a user
    works, where only these have it."""
    narrowed = owner_of(thing, name)
    if narrowed is not None:
        own = lexicon.property_of(narrowed.schema_name, name)
        assert own is not None
        return replace(narrowed, tests=(*narrowed.tests, replace(test, property=own.name)))
    if lexicon.edge_property(thing.label, name) is not None:
        return with_edge_test(thing, replace(test, property=name))
    raise Objection(no_such_property(thing, name))


def property_on(thing: Thing, name: str) -> schema.Property:
    """The property that ``name`` means on the thing, its kinds, or where it works. Objection without one."""
    narrowed = owner_of(thing, name)
    found = lexicon.property_of(narrowed.schema_name, name) if narrowed else lexicon.edge_property(thing.label, name)
    if found is None:
        raise Objection(no_such_property(thing, name))
    return found


def owner_of(thing: Thing, name: str) -> Thing | None:
    """The thing, or the thing narrowed to the one kind of it that has the property."""
    if lexicon.property_of(thing.schema_name, name) is not None:
        return thing
    if thing.kind is None:
        own = (kind for kind, label in schema.KINDS.items() if label == thing.label)
        kinds = [kind for kind in own if any(one.name == name for one in schema.label_named(kind).properties)]
        if len(kinds) == 1:
            return replace(thing, kind=kinds[0])
    return None


def with_values(thing: Thing, values: tuple[str, ...], *, negated: bool = False, place: bool = False) -> Thing:
    """The thing with one of the values that the schema lists. ``place``: the words said where, so that the country of
    where a user works may be meant."""
    operator: Operator = ("not in" if len(values) > 1 else "<>") if negated else ("in" if len(values) > 1 else "=")
    value: Scalar | tuple[Scalar, ...] = values if len(values) > 1 else values[0]
    for name in _names_with(thing.schema_name, values):
        return with_test(thing, name, Test(name, operator, value))
    if thing.kind is None:
        for kind in (kind for kind, label in schema.KINDS.items() if label == thing.label):
            for name in _names_with(kind, values):
                if owner_of(thing, name) is not None:
                    return with_test(thing, name, Test(name, operator, value))
    for one in schema.relationship_named(lexicon.EDGE).properties if thing.label == "User" else ():
        if set(values) <= set(one.values) and not negated:
            return with_edge_test(thing, Test(one.name, operator, value))
    if place and thing.label == "User" and set(values) <= set(schema.COUNTRIES):
        there: Operator = "in" if len(values) > 1 else "="
        where = Thing("Institution", "institution", tests=(Test("country", there, value),))
        return linked(thing, where, None, "none" if negated else "some")
    raise Objection(f"No property of {thing.schema_name} can be {' or '.join(values)}.")


def _names_with(schema_name: str, values: tuple[str, ...]) -> list[str]:
    return [one.name for one in schema.label_named(schema_name).properties if set(values) <= set(one.values)]


def with_edge_test(thing: Thing, test: Test) -> Thing:
    """The condition on the relationship to where the user works, the one that the question speaks of already if any."""
    links = list(thing.links)
    for at, link in enumerate(links):
        if link.hops[0].types == (lexicon.EDGE,) and link.quantity == "some":
            links[at] = replace(link, edge_tests=(*link.edge_tests, test))
            return replace(thing, links=tuple(links))
    hops = roads.road("User", "Institution", "WORK")
    assert hops is not None
    anywhere = Thing("Institution", "institution")
    return replace(thing, links=(*links, Link(hops, anywhere, edge_tests=(test,))))


def linked(
    thing: Thing, target: Thing, verb: str | None, quantity: Quantity = "some", number: int = 0
) -> Thing:  # fmt: skip
    """The thing with a link. A file's role (input, output) says which relationship is meant where the verb does
    not."""
    by_role = {"input": "READ", "output": "WRITE"}
    if verb is None and target.role is not None and thing.label != "File":
        verb, target = by_role[target.role], replace(target, role=None)
    if verb is None and thing.role is not None and target.label != "File":
        verb, thing = by_role[thing.role], replace(thing, role=None)
    hops = roads.road(thing.label, target.label, verb)
    if hops is None:
        raise Objection(no_road(thing.label, target.label, verb))
    if quantity == "some":
        for at, link in enumerate(thing.links):
            if link.hops == hops and link.target.bare and link.target.kind is None and link.quantity == "some":
                merged = replace(link, target=target)  # "postdocs at CINECA": one and the same workplace
                return replace(thing, links=(*thing.links[:at], merged, *thing.links[at + 1 :]))
    return replace(thing, links=(*thing.links, Link(hops, target, quantity, number)))


def moment_test(thing: Thing, relation: str, first: Period, last: Period | None = None) -> Thing:
    """The thing at a time: IN, ON, BEFORE, AFTER, SINCE, UNTIL, BETWEEN periods."""
    moment = lexicon.moment_of(thing.schema_name)
    if moment is None:
        raise Objection(f"The graph does not say when a {thing.schema_name} was.")
    return with_test(thing, moment.name, period_test(moment, relation, first, last))


def period_test(one: schema.Property, relation: str, first: Period, last: Period | None = None) -> Test:
    """The condition on a property that holds times, dates or years."""
    whole = one.type == "integer"
    if whole and (first.year is None or (last is not None and last.year is None)):
        raise Objection(f"{one.name} is a year; name one, as 2024.")
    start: Scalar = int(first.start[:4]) if whole else first.start
    end: Scalar = int((last or first).end[:4]) if whole else (last or first).end
    tests = {
        "BEFORE": Test(one.name, "<", start),
        "AFTER": Test(one.name, ">=", int(first.end[:4]) if whole else first.end),
        "SINCE": Test(one.name, ">=", start),
        "UNTIL": Test(one.name, "<", end),
    }
    return tests.get(relation) or Test(one.name, "from to", start, end)


def number_for(one: schema.Property, number: Number) -> int | float:
    """The number in the property's unit. Objection where the property is no number, or of another unit."""
    units = {"size": "bytes", "duration_s": "seconds"}
    if one.type not in NUMBERS:
        raise Objection(f"{one.name} is no number.")
    if number.unit is not None and units.get(one.name) != number.unit:
        raise Objection(f"{one.name} is not counted in {number.unit}.")
    return number.value


def no_such_property(thing: Thing, name: str) -> str:
    own = ", ".join(one.name for one in schema.label_named(thing.schema_name).properties)
    return f"{thing.schema_name} has no property {name}; it has {own}."


def no_road(start: str, end: str, verb: str | None) -> str:
    if start == end:
        return f"The graph has no relationship between one {start} and another."
    if verb is not None and roads.road(start, end) is not None:
        return f"No relationship between {start} and {end} means {roads.VERB_WORDS[verb]}."
    return f"The graph has no relationship between {start} and {end}."
