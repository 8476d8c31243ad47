"""Most, least, largest, newest, sorted by: whatever puts an answer in order and cuts it."""

from collections.abc import Iterator
from dataclasses import replace

from apps.graph.nl2cypher.grammar import applying, lexicon, phrases, roads
from apps.graph.nl2cypher.grammar.applying import Objection
from apps.graph.nl2cypher.grammar.frames import Groups, Key, Listing, Meaning, Thing
from apps.graph.nl2cypher.grammar.keys import key_of, property_key
from apps.graph.nl2cypher.grammar.reader import Reader

Meanings = Iterator[tuple[Meaning, int]]
Listings = Iterator[tuple[Listing, int]]
SEVERAL = 10
"""How many "the largest files" are, when the question does not say."""


def ordered_list(read: Reader, listing: Listing, at: int) -> Listings:
    """The list, with ``sorted by size descending`` and the like after it."""
    for _, start in read.take(at, "ORDER"):
        for tag, after in read.take(start, "PROP"):
            for owner in _sortable(read, listing.thing, str(tag.value), after):
                for way, end in [*_ways(read, after), (False, after)]:
                    yield replace(listing, thing=owner, order=str(tag.value), descending=way), end
    yield listing, at


def ordered_groups(read: Reader, thing: Thing, key: Key, at: int) -> Meanings:
    """The groups, largest or smallest first if the question says so."""
    for _, start in read.take(at, "ORDER"):
        for _, end in read.take(start, "COUNT", "NUMBEROF"):
            yield Groups(thing, key, descending=True), end
    for way, end in _ways(read, at):
        yield Groups(thing, key, descending=way), end
    yield Groups(thing, key), at


def _ways(read: Reader, at: int) -> list[tuple[bool, int]]:
    return [(tag.kind == "DESC", end) for tag, end in read.take(at, "DESC", "ASC")]


def superlatives(read: Reader, at: int) -> Listings:
    """``5 largest files``, ``the newest task``, ``top 10 files by size``, ``files with the largest size``."""
    for number, start in numbers(read, at, ranked=True):
        for tag, after in read.take(start, "SUP"):
            for again, noun_at in numbers(read, after):
                for thing, end in read.things(noun_at):
                    for by in read.attempt(end, _ranked, thing, tag.value[0]):
                        limit = number or again or (SEVERAL if thing.plural else 1)
                        order = _order_of(by, tag.value[0])
                        listing = Listing(by, order=order, descending=tag.value[1], limit=limit)
                        for _, same in read.take(end, "BY"):  # "largest file by size"
                            for name, last in read.take(same, "PROP"):
                                if name.value == order:
                                    yield listing, last
                        yield listing, end
    for limit, descending, noun_at in _tops(read, at):
        for thing, after in read.things(noun_at):
            for _, by_at in read.take(after, "BY", "ORDER"):
                for tag, end in read.take(by_at, "PROP"):
                    for owner in _sortable(read, thing, str(tag.value), end):
                        yield Listing(owner, order=str(tag.value), descending=descending, limit=limit), end
    for number, thing_at in numbers(read, at):
        for thing, after in read.things(thing_at):
            for _, start in read.take(after, "WITH", "HAVE"):
                for word, prop_at in read.take(start, "MAX", "MIN", "SUP", "MOST", "LEAST"):
                    way = word.value[1] if word.kind == "SUP" else word.kind in ("MAX", "MOST")
                    for tag, end in read.take(prop_at, "PROP"):
                        for owner in read.attempt(end, _measured, thing, str(tag.value)):
                            limit = number or (SEVERAL if thing.plural else 1)
                            yield Listing(owner, order=str(tag.value), descending=way, limit=limit), end


def superlatives_after(read: Reader, at: int) -> Listings:
    """``which file is the biggest``, ``which 5 tasks took longest``, ``which task was started last``."""
    for number, start in numbers(read, at):
        for thing, after in read.things(start):
            for be in dict.fromkeys([*read.after(after, "BE", "TOOK")]):
                for begun in read.after(be, "BEGUN", "PUBLISHED", "MADE"):
                    for tag, end in read.take(begun, "SUP") if be != after else ():
                        for by in read.attempt(end, _ranked, thing, tag.value[0]):
                            limit = number or (SEVERAL if thing.plural else 1)
                            order = _order_of(by, tag.value[0])
                            yield Listing(by, order=order, descending=tag.value[1], limit=limit), end


def most_linked(read: Reader, at: int) -> Meanings:
    """``users with the most tasks``, ``which user ran the most tasks``, ``top 5 users by number of tasks``."""
    for number, start in numbers(read, at):
        for thing, after in read.things(start):
            for verb, most_at in _most_openings(read, thing, after):
                for word, other_at in read.take(most_at, "MOST", "LEAST"):
                    for other, end in read.things(other_at):
                        if verb is None and (near := _last_noun(read, start, after)) not in (None, thing.label):
                            read.object_to(
                                end, f"It is not clear whether the {near} or the {thing.label} has the most."
                            )
                            continue
                        limit = number or (SEVERAL if thing.plural else 1)
                        yield from _ranking(read, thing, other, verb, word.kind == "MOST", limit, end)
    for limit, descending, noun_at in _tops(read, at):
        for thing, after in read.things(noun_at):
            for _, by_at in read.take(after, "BY", "ORDER"):
                others = [one for _, end in read.take(by_at, "NUMBEROF", "COUNT") for one in read.things(end)]
                for other, noun_end in phrases.nouns(read, by_at):  # "by users", "by task count"
                    others += [(other, end) for end in read.after(noun_end, "COUNT")]
                for other, end in others:
                    if other.label != thing.label:
                        yield from _ranking(read, thing, other, None, descending, limit, end)


def richest(read: Reader, at: int) -> Meanings:
    """``which organism has the most samples``: things of one value of a property, counted."""
    for number, start in numbers(read, at):
        for tag, after in read.take(start, "PROP"):
            for _, most in read.take(after, "HAVE", "WITH"):
                for word, thing_at in read.take(most, "MOST", "LEAST"):
                    for thing, end in read.things(thing_at):
                        key = property_key(thing, str(tag.value))
                        if key is not None:
                            yield Groups(thing, key, descending=word.kind == "MOST", limit=number or 1), end


def commonest(read: Reader, at: int) -> Meanings:
    """``most common organism of samples``, ``the most frequent file extension``, ``which tissue is most common``."""
    for number, start in numbers(read, at):
        for word, prop_at in read.take(start, "COMMON", "RARE"):
            for again, name_at in numbers(read, prop_at):
                for thing, prop in phrases.nouns(read, name_at):  # "the most common sample organism"
                    for tag, end in read.take(prop, "PROP"):
                        key = property_key(thing, str(tag.value))
                        if key is not None:
                            limit = number or again or 1
                            yield Groups(thing, key, descending=word.kind == "COMMON", limit=limit), end
                for tag, after in read.take(name_at, "PROP"):
                    limit = number or again or 1
                    for of, end in _owners(read, str(tag.value), after):
                        key = property_key(of, str(tag.value))
                        if key is not None:
                            yield Groups(of, key, descending=word.kind == "COMMON", limit=limit), end
    for tag, after in read.take(at, "PROP"):
        for of, middle in _owners(read, str(tag.value), after):
            for be in read.after(middle, "BE"):
                for word, end in read.take(be, "COMMON", "RARE"):
                    key = property_key(of, str(tag.value))
                    if key is not None:
                        yield Groups(of, key, descending=word.kind == "COMMON", limit=1), end
        for _, be in read.take(after, "BE"):  # "which organism is most common among samples"
            for word, start in read.take(be, "COMMON", "RARE"):
                for of, end in _owners(read, str(tag.value), start):
                    key = property_key(of, str(tag.value))
                    if key is not None:
                        yield Groups(of, key, descending=word.kind == "COMMON", limit=1), end


def _owners(read: Reader, name: str, at: int) -> Iterator[tuple[Thing, int]]:
    for start in read.after(at, "OF", "IN", "AT"):
        if start != at:
            for thing, end in read.things(start):
                for owner in _sortable(read, thing, name, end):
                    yield owner, end
    owners = {label for label, one in lexicon.properties() if one.name == name}
    if len(owners) == 1 and (only := owners.pop()) in applying.schema.LABEL_NAMES:
        label = applying.schema.KINDS.get(only, only)
        noun = lexicon.VOCABULARY["nouns"][only][0]
        yield Thing(label, noun, only if only in applying.schema.KINDS else None), at


def _most_openings(read: Reader, thing: Thing, at: int) -> Iterator[tuple[str | None, int]]:
    for that in read.after(at, "THAT"):
        for have in read.after(that, "HAVE", "WITH"):
            if have != that:
                yield None, have
        for aux in read.after(that, "HAVE"):
            for tag, end in read.take(aux, "VERB"):
                yield ("WORK" if tag.value == "EMPLOY" else str(tag.value)), end
        for _, be in read.take(that, "BE"):  # "which file was read by the most tasks"
            for tag, end in read.take(be, "VERB"):
                for _, by in read.take(end, "BY") if roads.may_be_done(thing.label, str(tag.value)) else ():
                    yield str(tag.value), by


def _last_noun(read: Reader, start: int, end: int) -> str | None:
    """The label that the words just before ``end`` name: "files of the user" ends with User."""
    for at in range(end - 1, start - 1, -1):
        for thing, after in phrases.nouns(read, at):
            if after == end:
                return thing.label
    return None


def _ranking(
    read: Reader, thing: Thing, other: Thing, verb: str | None, descending: bool, limit: int, end: int
) -> Meanings:
    """The things by how many of the others there are for each: the others grouped by the things."""
    key = key_of(other, thing, verb)
    if key is None:
        read.object_to(end, applying.no_road(thing.label, other.label, verb))
        return
    yield Groups(other, key, descending, limit, key_tests=thing.tests, key_links=thing.links), end


def numbers(read: Reader, at: int, *, ranked: bool = False) -> list[tuple[int | None, int]]:
    """How many the question wants, and where it goes on; None and ``at`` where it does not say. ``ranked``: what comes
    after is in an order, so that ``top`` makes sense."""
    found: list[tuple[int | None, int]] = [(None, at)]
    tops = [end for tag, end in read.take(at, "TOP") if tag.text == "first" or (ranked and tag.text == "top")]
    for start in [at, *tops]:
        found += [
            (tag.value.value, end)
            for tag, end in read.take(start, "NUM")
            if tag.length == 1 and isinstance(tag.value.value, int) and tag.value.value > 0
        ]
    return found


def _tops(read: Reader, at: int) -> Iterator[tuple[int, bool, int]]:
    for word, start in read.take(at, "TOP", "BOTTOM"):
        for tag, end in read.take(start, "NUM"):
            if tag.length == 1 and isinstance(tag.value.value, int) and tag.value.value > 0:
                yield tag.value.value, word.kind == "TOP", end
        yield SEVERAL, word.kind == "TOP", start


def _ranked(thing: Thing, by: str) -> Thing:
    if by == "moment":
        if lexicon.moment_of(thing.schema_name) is None:
            raise Objection(f"The graph does not say when a {thing.schema_name} was.")
        return thing
    owner = applying.owner_of(thing, by)
    if owner is None:
        raise Objection(applying.no_such_property(thing, by))
    return owner


def _order_of(thing: Thing, by: str) -> str:
    moment = lexicon.moment_of(thing.schema_name)
    return moment.name if by == "moment" and moment is not None else by


def _measured(thing: Thing, name: str) -> Thing:
    """The thing that has a number or a time of this name: the longest name is not the last in the alphabet."""
    one = applying.property_on(thing, name)
    if one.type not in (*applying.NUMBERS, *applying.MOMENTS):
        raise Objection(f"{one.name} has no size: it is text.")
    return _ranked(thing, name)


def _sortable(read: Reader, thing: Thing, name: str, at: int) -> Iterator[Thing]:
    yield from read.attempt(at, _ranked, thing, name)
