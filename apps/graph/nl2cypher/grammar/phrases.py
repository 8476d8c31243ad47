"""Noun phrases: a noun with everything that is said of it. Every way to read one is tried; the one that takes in the
most words at the nearest noun comes first."""

from collections.abc import Sequence
from dataclasses import replace

from apps.graph import schema
from apps.graph.nl2cypher.grammar import applying, clauses
from apps.graph.nl2cypher.grammar.applying import Objection
from apps.graph.nl2cypher.grammar.frames import Role, Test, Thing
from apps.graph.nl2cypher.grammar.lattice import Tag
from apps.graph.nl2cypher.grammar.lexicon import VOCABULARY, Noun
from apps.graph.nl2cypher.grammar.reader import Reader, Things

Before = tuple[tuple[str, ...] | Role | Test, ...]  # listed values, a role, or what an adjective says
ALWAYS_PLURAL = ("people", "staff", "everybody", "everyone")


def things(read: Reader, at: int) -> Things:
    """Noun phrases from here on."""
    found: Things = []
    for start in read.after(at, "ANY"):
        for thing, end in nouns(read, start):
            # what follows a name is not said of it: "users at institution X with 3 tasks" are users with 3 tasks
            found += [(thing, end)] if thing.named else said_of(read, thing, end)
    return found


def nouns(read: Reader, at: int) -> Things:
    """Nouns alone, with what stands before them and their names."""
    found: Things = []
    for before, start in _before(read, at):
        for tag, after in read.take(start, "NOUN"):
            for thing in read.attempt(after, noun_thing, tag, before):
                found += _named(read, thing, after)
    return found


def said_of(read: Reader, thing: Thing, at: int) -> Things:
    """The thing with what is said of it from here on: as much as can be, then less."""
    found: Things = []
    for start in dict.fromkeys([at, *read.after(at, "AND")]):
        for more, end in clauses.modifiers(read, thing, start):
            if end > start:
                found += said_of(read, more, end)
    found.append((thing, at))
    return list(dict.fromkeys(found))


def noun_thing(tag: Tag, before: Before = ()) -> Thing:
    """The thing of a noun with listed values (failed, human) and roles (input) before it. Objection where they do not
    go together."""
    noun: Noun = tag.value
    thing = Thing(noun.label, noun.word, noun.kind, plural=_is_plural(tag), role=noun.role)
    if noun.test is not None:
        thing = applying.with_values(thing, (noun.test[1],))
    for one in before:
        if isinstance(one, Test):
            thing = applying.with_test(thing, one.property, one)
        elif isinstance(one, tuple):
            thing = applying.with_values(thing, one, place=True)
        elif thing.label != "File":
            raise Objection(f"A {thing.label} is no {one} of a task; files are.")
        else:
            thing = replace(thing, role=one)
    return thing


def named(thing: Thing, name: str) -> Thing:
    """The one of that name."""
    return replace(thing, tests=(*thing.tests, Test("name", "named", name)), named=True, plural=False)


def _before(read: Reader, at: int) -> list[tuple[Before, int]]:
    found: list[tuple[Before, int]] = [((), at)]  # nothing first: a "fasta file" is a noun, no file with that ending
    nouns_end = max((end for _, end in read.take(at, "NOUN")), default=at)
    for values, end in read.values(at):
        if end < nouns_end:
            continue
        found += [((values, *more), last) for more, last in _before(read, end)]
    for tag, end in read.take(at, "ADJ"):
        test = Test(*tag.value)
        found += [((test, *more), last) for more, last in _before(read, end)]
    for tag, end in read.take(at, "ROLE"):
        role: Role = tag.value
        found += [((role, *more), last) for more, last in _before(read, end)]
    return found


def _named(read: Reader, thing: Thing, at: int) -> Things:
    found: Things = []
    if not thing.plural:
        found = [
            (named(thing, tag.text), end)
            for tag, end in read.take(at, "QUOTED", "NAME", "NUM")
            if tag.length == 1 or tag.kind == "NAME"
        ]
    found.append((thing, at))
    return found


def _is_plural(tag: Tag) -> bool:
    singular = _singulars()
    return tag.text in ALWAYS_PLURAL or tag.text not in singular


def _singulars() -> Sequence[str]:
    words: list[str] = [word for each in VOCABULARY["nouns"].values() for word in each]
    words += [word for one in VOCABULARY["nouns_with_value"] for word in one["words"]]
    return words + [word for each in VOCABULARY["roles"].values() for word in each]


def name_of(schema_name: str) -> str:
    """The property that people call a node of the label or kind by."""
    return schema.label_named(schema_name).name
