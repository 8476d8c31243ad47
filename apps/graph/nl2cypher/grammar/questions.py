"""Ways to ask. Each reads a whole question, from its first word to its last, or nothing: a word that is left over is a
word that was not understood."""

from collections.abc import Callable, Iterator

from apps.graph.nl2cypher.grammar import applying, phrases, rankings
from apps.graph.nl2cypher.grammar.applying import Objection
from apps.graph.nl2cypher.grammar.frames import (
    Counting,
    Doubles,
    Existing,
    Figure,
    Groups,
    Listing,
    Meaning,
    Pairs,
    Route,
    Spread,
    Thing,
    Values,
)
from apps.graph.nl2cypher.grammar.keys import key_of, keys
from apps.graph.nl2cypher.grammar.lexicon import property_of
from apps.graph.nl2cypher.grammar.reader import Reader
from apps.graph.nl2cypher.grammar.roads import road

Meanings = Iterator[tuple[Meaning, int]]


def meanings(read: Reader) -> Iterator[Meaning]:
    """Every reading of the whole question, the likeliest first."""
    for form in FORMS:
        for start in _beginnings(read):
            for meaning, end in form(read, start):
                if any(last == read.end for last in [end, *_endings(read, end)]):
                    yield meaning


def _beginnings(read: Reader) -> list[int]:
    """After ``show me``, ``which``, ``what are``."""
    found = [0]
    for start in found:
        found += [end for _, end in read.take(start, "LIST", "WHICH") if end not in found]
        for tag, end in read.take(start, "PER"):
            if start and tag.text in ("each", "every") and end not in found:  # "list every user"
                found.append(end)
        for _, which in read.take(start, "IN", "AT") if start == 0 else ():
            found += [end for _, end in read.take(which, "WHICH") if end not in found]
    return found[::-1]


def _endings(read: Reader, at: int) -> list[int]:
    """After ``(are) there``, ``do we have``."""
    found = []
    for be in read.after(at, "BE", "DO"):
        for there in read.after(be, "THERE", "ANYWORK"):
            found += read.after(there, "ANY")
    return found


def _counting(read: Reader, at: int) -> Meanings:
    for _, start in read.take(at, "COUNT"):
        for thing, end in read.things(start):
            yield Counting(thing), end
    for thing, after in read.things(at):
        for _, end in read.take(after, "COUNT"):  # "tasks started in 2024, how many"
            yield Counting(thing), end
    for word, start in read.take(at, "SUM"):
        for thing, end in read.things(start) if word.text == "total" else ():
            yield Counting(thing), end
    for thing, after in _counted_nouns(read, at):
        yield Counting(thing), after


def _counted_nouns(read: Reader, at: int) -> Iterator[tuple[Thing, int]]:
    """``task count``, ``count of experiments``: the noun before the word, what is said of it after."""
    for thing, after in phrases.nouns(read, at):
        for tag, start in read.take(after, "COUNT"):
            if tag.text == "count":
                yield from phrases.said_of(read, thing, start)


def _counting_values(read: Reader, at: int) -> Meanings:
    """``how many different organisms (do the samples have)``."""
    for _, start in read.take(at, "COUNT"):
        for distinct in read.after(start, "DISTINCT"):
            for name, thing, end in _property_of_things(read, distinct):
                for found in _with_property(read, thing, name, end):
                    yield Figure("count", name, found), end


def _existing(read: Reader, at: int) -> Meanings:
    for _, start in read.take(at, "ANYWORK"):
        for again in read.after(start, "ANY"):
            for thing, end in read.things(again):
                yield Existing(thing), end
    for _, start in read.take(at, "DO", "BE", "HAVE"):  # "is any task running"
        for _, again in read.take(start, "ANY"):
            for thing, end in read.things(again):
                if not thing.bare:
                    yield Existing(thing), end
    for _, start in read.take(at, "DO", "BE", "HAVE"):  # "did user X run ...", "is task X failed"
        for bare, after in phrases.nouns(read, start):
            if bare.named:
                for thing, end in phrases.said_of(read, bare, after):
                    if thing != bare:
                        yield Existing(thing), end


def _groups(read: Reader, at: int) -> Meanings:
    """``tasks per user``, ``how many tasks does each user run``, ``for each status count the tasks``."""
    for counted in read.after(at, "COUNT", "NUMBEROF"):
        for thing, after in [*read.things(counted), *_counted_nouns(read, counted)]:
            for there in [after, *_endings(read, after)]:
                for word, start in read.take(there, "PER", "BYKEY"):
                    for key, end in keys(read, thing, start, one=word.text == "by"):
                        yield from rankings.ordered_groups(read, thing, key, end)
            for do in read.after(after, "DO", "BE"):
                yield from _each(read, thing, do, after)
    for _, start in read.take(at, "PER"):
        for count in _key_ends(read, start):
            for _, again in read.take(count, "COUNT", "NUMBEROF", "LIST"):
                for first in read.after(again, "COUNT", "NUMBEROF"):
                    for thing, end in read.things(first):
                        for key, key_end in keys(read, thing, start):
                            if key_end in (count, count - 1):
                                yield Groups(thing, key), end


def _key_ends(read: Reader, at: int) -> list[int]:
    ends = [end for _, end in read.take(at, "NOUN", "PROP", "PERIODWORD")]
    return [after for end in ends for after in read.after(end, "AND")]


def _each(read: Reader, thing: Thing, at: int, before: int) -> Meanings:
    """``(how many tasks) did each user run``, ``(how many tasks) does each user have``."""
    for _, start in read.take(at, "PER"):
        for tag, after in read.take(start, "NOUN"):
            for word, end in read.take(after, "VERB", "HAVE"):
                for key_thing in read.attempt(end, phrases.noun_thing, tag):
                    verb = str(word.value) if word.kind == "VERB" else None
                    if verb == "EMPLOY":
                        verb = "WORK"
                    for _ in read.attempt(end, applying.linked, thing, key_thing, verb):
                        key = key_of(thing, key_thing, verb)
                        if key is not None:
                            yield Groups(thing, key), end


def _spreads(read: Reader, at: int) -> Meanings:
    """``average number of tasks per user``."""
    for word, start in read.take(at, "AVG", "MAX", "MIN"):
        for counted in read.after(start, "COUNT", "NUMBEROF"):
            for thing, after in read.things(counted):
                for _, by in read.take(after, "PER"):
                    for key, end in keys(read, thing, by):
                        if key.hops and key.property is None:
                            yield Spread(word.kind.lower(), Groups(thing, key)), end  # type: ignore[arg-type]


def _figures(read: Reader, at: int) -> Meanings:
    """``average size of fasta files (per user)``, ``total file size``, ``maximum duration of tasks``."""
    for word, start in read.take(at, "AVG", "SUM", "MAX", "MIN"):
        for name, thing, end in _property_of_things(read, start):
            function = word.kind.lower()
            for found in _with_number(read, thing, name, end):
                figure = Figure(function, name, found)  # type: ignore[arg-type]
                for by, again in read.take(end, "PER", "BYKEY"):
                    for key, last in keys(read, found, again, one=by.text == "by"):
                        yield Figure(function, name, found, key), last  # type: ignore[arg-type]
                yield figure, end


def _property_of_things(read: Reader, at: int) -> Iterator[tuple[str, Thing, int]]:
    """``size of files``, ``file size``, ``sizes that the files have``, ``files' sizes``."""
    for tag, after in read.take(at, "PROP"):
        for of in read.after(after, "OF", "IN"):
            if of != after:
                for thing, end in read.things(of):
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


def _only_owner(name: str) -> Thing | None:
    """The one label that has the property, where only one does."""
    owners = [label for label, one in applying.lexicon.properties() if one.name == name]
    if len(owners) != 1 or owners[0] not in applying.schema.LABEL_NAMES:
        return None
    kind = owners[0] if owners[0] in applying.schema.KINDS else None
    label = applying.schema.KINDS.get(owners[0], owners[0])
    return Thing(label, applying.lexicon.VOCABULARY["nouns"][owners[0]][0], kind)


def _with_property(read: Reader, thing: Thing, name: str, at: int) -> Iterator[Thing]:
    def check() -> Thing:
        owner = applying.owner_of(thing, name)
        if owner is None:
            raise Objection(applying.no_such_property(thing, name))
        return owner

    yield from read.attempt(at, check)


def _with_number(read: Reader, thing: Thing, name: str, at: int) -> Iterator[Thing]:
    def check() -> Thing:
        owner = applying.owner_of(thing, name)
        one = applying.property_on(owner or thing, name)
        if one.type not in applying.NUMBERS or owner is None:
            raise Objection(f"{one.name} is no number to calculate with.")
        return owner

    yield from read.attempt(at, check)


def _values(read: Reader, at: int) -> Meanings:
    """``different organisms of samples``, ``which tissues are there``, ``statuses do tasks have``."""
    for distinct in read.after(at, "DISTINCT"):
        for name, thing, end in _property_of_things(read, distinct):
            asks_for_values = distinct != at or read.starts(end - 1, "HAVE") or _endings_differ(read, end)
            if asks_for_values and not thing.named:
                for found in _with_property(read, thing, name, end):
                    yield Values(name, found), end


def _values_of(read: Reader, at: int) -> Meanings:
    """``which chromosome is gene X on``, ``(in) which journals did the publications appear``."""
    for names, after in _names(read, at):
        for be in read.after(after, "BE", "DO"):
            for of in read.after(be, "OF", "IN") if be != after else []:
                for thing, end in read.things(of):
                    for last in dict.fromkeys([*read.after(end, "IN", "AT"), *read.after(end, "PUBLISHED")]):
                        if thing.named:
                            yield from _columns(read, thing, names, last)
                        elif len(names) == 1:
                            for found in _with_property(read, thing, names[0], last):
                                yield Values(names[0], found), last


def _endings_differ(read: Reader, end: int) -> bool:
    return end != read.end and read.end in _endings(read, end)


def _properties(read: Reader, at: int) -> Meanings:
    """``names and sizes of the fasta files``, ``status of task X``, ``the emails of users at CINECA``."""
    for names, after in _names(read, at):
        for _, start in read.take(after, "OF", "PER"):
            for thing, end in read.things(start):
                yield from _columns(read, thing, names, end)
    for thing, after in phrases.nouns(read, at):
        for start in read.after(after, "POSS"):
            for names, end in _names(read, start):
                yield from _columns(read, thing, names, end)
    for thing, after in read.things(at):
        for _, start in [*read.take(after, "WITH", "AND")]:
            for _, their in read.take(start, "THEIR"):
                for names, end in _names(read, their):
                    yield from _columns(read, thing, names, end)


def _names(read: Reader, at: int) -> Iterator[tuple[tuple[str, ...], int]]:
    for tag, end in read.take(at, "PROP"):
        for _, start in read.take(end, "AND"):
            for more, last in _names(read, start):
                yield (str(tag.value), *more), last
        yield (str(tag.value),), end


def _columns(read: Reader, thing: Thing, names: tuple[str, ...], at: int) -> Meanings:
    found = thing
    for name in names:
        owners = list(_with_property(read, found, name, at))
        if not owners:
            return
        found = owners[0]
    own = tuple(one.name for name in names if (one := property_of(found.schema_name, name)) is not None)
    yield from rankings.ordered_list(read, Listing(found, own), at)


def _pairs(read: Reader, at: int) -> Meanings:
    """``which users ran which tasks``, ``users and their institutions``."""
    for thing, after in read.things(at):
        for tag, start in read.take(after, "VERB"):
            for _, other_at in read.take(start, "WHICH"):
                for other, end in read.things(other_at):
                    verb = "WORK" if tag.value == "EMPLOY" else str(tag.value)
                    yield from _pair(read, thing, other, verb, end)
        for _, start in read.take(after, "WITH", "AND"):
            for _, other_at in read.take(start, "THEIR"):
                for other, end in read.things(other_at):
                    yield from _pair(read, thing, other, None, end)


def _pair(read: Reader, thing: Thing, other: Thing, verb: str | None, end: int) -> Meanings:
    for made in read.attempt(end, applying.linked, Thing(thing.label, thing.noun), other, verb):
        link = made.links[0]
        yield Pairs(thing, link.hops, link.target), end


def _doubles(read: Reader, at: int) -> Meanings:
    """``genes with the same symbol``, ``users sharing an email``, ``duplicate emails of users``."""
    for thing, after in phrases.nouns(read, at):
        for that in read.after(after, "THAT"):
            for have in read.after(that, "WITH", "HAVE", "SHARE"):
                for start in [have, *read.after(have, "SAME")]:
                    if start != have or read.starts(that, "SHARE"):
                        for tag, end in read.take(start, "PROP"):
                            for found in _with_property(read, thing, str(tag.value), end):
                                yield Doubles(str(tag.value), found), end


def _routes(read: Reader, at: int) -> Meanings:
    """``how is file X connected to user Y``, ``path between X and Y``, ``shortest path from X to Y``."""
    for how in [at, *read.after(at, "HOWIS")]:
        if how != at:
            for start, after in read.things(how):
                for be in read.after(after, "BE"):
                    for _, again in read.take(be, "LINKED"):
                        for end_thing, end in read.things(again):
                            yield from _route(start, end_thing, end)
                    for _, again in read.take(after, "AND", "TO"):
                        for end_thing, before in read.things(again):
                            for _, end in read.take(before, "LINKED"):
                                yield from _route(start, end_thing, end)
    for _, path in read.take(at, "PATH"):
        for _, first in read.take(path, "BETWEEN", "FROMTO", "OF", "IN"):
            for start, after in phrases.nouns(read, first):
                for _, again in read.take(after, "AND", "TO"):
                    for end_thing, end in phrases.nouns(read, again):
                        yield from _route(start, end_thing, end)


def _route(start: Thing, end_thing: Thing, end: int) -> Meanings:
    if start.named and end_thing.named and (start.label == end_thing.label or road(start.label, end_thing.label)):
        yield Route(start, end_thing), end


def _listing(read: Reader, at: int) -> Meanings:
    for limit, start in rankings.numbers(read, at):
        for thing, end in read.things(start):
            yield from rankings.ordered_list(read, Listing(thing, limit=limit), end)


FORMS: tuple[Callable[[Reader, int], Meanings], ...] = (
    _spreads, _groups, rankings.most_linked, rankings.superlatives, rankings.superlatives_after, rankings.commonest, _figures, _counting, _counting_values,
    _existing, _pairs, _doubles, _routes, _values, _values_of, _properties, _listing,
)  # fmt: skip
