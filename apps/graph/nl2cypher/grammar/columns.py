"""Ways to ask for properties: their different values, or those of each thing."""

from collections.abc import Iterator
from dataclasses import replace

from apps.graph.nl2cypher.grammar import applying, phrases, rankings
from apps.graph.nl2cypher.grammar.applying import Objection
from apps.graph.nl2cypher.grammar.frames import Listing, Thing, Values
from apps.graph.nl2cypher.grammar.lexicon import VOCABULARY, property_of
from apps.graph.nl2cypher.grammar.rankings import Meanings
from apps.graph.nl2cypher.grammar.reader import Reader
from apps.graph.nl2cypher.grammar.spelling import forms


def values(read: Reader, at: int) -> Meanings:
    """``different organisms of samples``, ``which tissues are there``, ``statuses do tasks have``."""
    for distinct in read.after(at, "DISTINCT"):
        for name, thing, end in property_of_things(read, distinct):
            asks_for_values = distinct != at or read.starts(end - 1, "HAVE") or _endings_differ(read, end)
            asks_for_values |= (
                thing.bare and thing.plural and _is_shared(name, thing, read.lattice.pieces[distinct].word)
            )
            if asks_for_values and not thing.named:
                for found in with_property(read, thing, name, end):
                    yield Values(name, found), end


def values_of(read: Reader, at: int) -> Meanings:
    """``which chromosome is gene X on``, ``(in) which journals did the publications appear``."""
    for names, after in _names(read, at):
        for _, do in read.take(after, "DO"):  # "which version does each tool have"
            for each in read.after(do, "PER"):
                for thing, before in read.things(each):
                    for _, end in read.take(before, "HAVE") if thing.named or each != do else ():
                        yield from _columns(read, thing, names, end)
        for be in read.after(after, "BE", "DO"):
            for of in read.after(be, "OF", "IN") if be != after else []:
                for thing, end in [*read.things(of), *_owned_by_name(names, read, of)]:
                    for last in dict.fromkeys([*read.after(end, "IN", "AT"), *read.after(end, "PUBLISHED")]):
                        if thing.named:
                            yield from _columns(read, thing, names, last)
                        elif len(names) == 1:
                            for found in with_property(read, thing, names[0], last):
                                yield Values(names[0], found), last


def properties(read: Reader, at: int) -> Meanings:
    """``names and sizes of the fasta files``, ``status of task X``, ``the emails of users at CINECA``."""
    for names, after in _names(read, at):
        for _, start in read.take(after, "OF", "PER"):
            for thing, end in [*read.things(start), *_owned_by_name(names, read, start)]:
                yield from _columns(read, thing, names, end)
            for ranked, end in rankings.superlatives(read, start):
                for plain, _ in _columns(read, ranked.thing, names, end):
                    yield replace(ranked, thing=plain.thing, columns=plain.columns), end
    for thing, after in phrases.nouns(read, at):
        for start in read.after(after, "POSS"):
            for names, end in _names(read, start):
                yield from _columns(read, thing, names, end)
    for thing, after in read.things(at):
        for _, start in [*read.take(after, "WITH", "AND")]:
            for _, their in read.take(start, "THEIR"):
                for names, end in _names(read, their):
                    yield from _columns(read, thing, names, end)


def property_of_things(read: Reader, at: int) -> Iterator[tuple[str, Thing, int]]:
    """``size of files``, ``file size``, ``sizes that the files have``, ``files' sizes``."""
    for tag, after in read.take(at, "PROP"):
        for be in read.after(after, "BE"):
            for _, of in read.take(be, "OF", "IN"):
                for thing, end in read.things(of):
                    yield str(tag.value), thing, end
            for thing, last in read.things(be) if be != after else ():  # "(how many) species are the samples from"
                for _, end in read.take(last, "OF", "IN"):
                    yield str(tag.value), thing, end
        for do in read.after(after, "DO"):
            for thing, before in read.things(do):
                for _, end in read.take(before, "HAVE"):
                    yield str(tag.value), thing, end
        owner = _only_owner(tag.value)
        if owner is not None:
            yield str(tag.value), owner, after
    for thing, after in phrases.nouns(read, at):
        for start in read.after(after, "POSS"):
            for tag, end in read.take(start, "PROP"):
                for more, last in phrases.said_of(read, thing, end):
                    yield str(tag.value), more, last


def with_property(read: Reader, thing: Thing, name: str, at: int) -> Iterator[Thing]:
    def check() -> Thing:
        owner = applying.owner_of(thing, name)
        if owner is None:
            raise Objection(applying.no_such_property(thing, name))
        return owner

    yield from read.attempt(at, check)


def with_number(read: Reader, thing: Thing, name: str, at: int) -> Iterator[Thing]:
    def check() -> Thing:
        owner = applying.owner_of(thing, name)
        one = applying.property_on(owner or thing, name)
        if one.type not in applying.NUMBERS or owner is None:
            raise Objection(f"{one.name} is no number to calculate with.")
        return owner

    yield from read.attempt(at, check)


def endings(read: Reader, at: int) -> list[int]:
    """After ``(are) there``, ``do we have``."""
    found = []
    for be in read.after(at, "BE", "DO"):
        for there in read.after(be, "THERE", "ANYWORK"):
            found += read.after(there, "ANY")
    return found


def _is_shared(name: str, thing: Thing, written: str) -> bool:
    """Whether ``written`` is the plural of a property with few values: "the protocols of the experiments"."""
    one = property_of(thing.schema_name, name)
    few = one is not None and (bool(one.values) or one.name in VOCABULARY["shared"])
    return few and len(forms(written)) > 1


def _endings_differ(read: Reader, end: int) -> bool:
    return end != read.end and read.end in endings(read, end)


def _names(read: Reader, at: int) -> Iterator[tuple[tuple[str, ...], int]]:
    for tag, end in read.take(at, "PROP"):
        for _, start in read.take(end, "AND"):
            for more, last in _names(read, start):
                yield (str(tag.value), *more), last
        yield (str(tag.value),), end


def _columns(read: Reader, thing: Thing, names: tuple[str, ...], at: int) -> rankings.Listings:
    found = thing
    for name in names:
        owners = list(with_property(read, found, name, at))
        if not owners:
            return
        found = owners[0]
    own = tuple(one.name for name in names if (one := property_of(found.schema_name, name)) is not None)
    yield from rankings.ordered_list(read, Listing(found, own), at)


def _owned_by_name(names: tuple[str, ...], read: Reader, at: int) -> Iterator[tuple[Thing, int]]:
    """``(chromosome of) EGFR``: a bare name, where only one label has the first property."""
    owner = _only_owner(names[0])
    if owner is not None:
        for tag, end in read.take(at, "QUOTED", "NAME"):
            yield phrases.named(owner, tag.text), end


def _only_owner(name: str) -> Thing | None:
    """The one label that has the property, where only one does."""
    owners = [label for label, one in applying.lexicon.properties() if one.name == name]
    if len(owners) != 1 or owners[0] not in applying.schema.LABEL_NAMES:
        return None
    kind = owners[0] if owners[0] in applying.schema.KINDS else None
    label = applying.schema.KINDS.get(owners[0], owners[0])
    return Thing(label, applying.lexicon.VOCABULARY["nouns"][owners[0]][0], kind)
