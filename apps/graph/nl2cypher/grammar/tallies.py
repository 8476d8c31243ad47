"""Ways to ask for numbers: counts, counts for each key, averages and sums, and yes or no."""

from collections.abc import Iterator
from dataclasses import replace

from apps.graph.nl2cypher.grammar import applying, phrases, rankings
from apps.graph.nl2cypher.grammar.columns import endings, property_of_things, with_number, with_property
from apps.graph.nl2cypher.grammar.frames import Counting, Existing, Figure, Groups, Spread, Thing
from apps.graph.nl2cypher.grammar.keys import key_of, keys, property_key
from apps.graph.nl2cypher.grammar.rankings import Meanings
from apps.graph.nl2cypher.grammar.reader import Reader


def counting(read: Reader, at: int) -> Meanings:
    for _, after in read.take(at, "COUNT"):
        for start in read.after(after, "DISTINCT"):
            for thing, end in read.things(start):
                yield Counting(thing), end
    for thing, after in read.things(at):
        comma = after < read.end and read.lattice.pieces[after].text == ","
        for _, end in read.take(after + comma, "COUNT"):  # "tasks started in 2024, how many"
            yield Counting(thing), end
    for word, start in read.take(at, "SUM"):
        for thing, end in read.things(start) if word.text == "total" else ():
            yield Counting(thing), end
    for thing, after in _counted_nouns(read, at):
        yield Counting(thing), after


def counting_values(read: Reader, at: int) -> Meanings:
    """``how many different organisms (do the samples have)``."""
    for _, start in read.take(at, "COUNT"):
        for distinct in read.after(start, "DISTINCT"):
            for name, thing, end in property_of_things(read, distinct):
                for found in with_property(read, thing, name, end):
                    yield Figure("count", name, found), end


def existing(read: Reader, at: int) -> Meanings:
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
        for bare, after in [*phrases.nouns(read, start), *_runner(read, start)]:
            if bare.named:
                for thing, end in phrases.said_of(read, bare, after):
                    if thing != bare:
                        yield Existing(thing), end


def _runner(read: Reader, at: int) -> Iterator[tuple[Thing, int]]:
    """``(has) mario.rossi run ...``: the verb says that it is a user's name."""
    for tag, end in read.take(at, "QUOTED", "NAME"):
        if any(verb.value in ("RUN", "WORK") for verb, _ in read.take(end, "VERB")):
            yield phrases.named(Thing("User", "user"), tag.text), end


def groups(read: Reader, at: int) -> Meanings:
    """``tasks per user``, ``how many tasks does each user run``, ``for each status count the tasks``."""
    for counted in read.after(at, "COUNT", "NUMBEROF"):
        for thing, after in [*read.things(counted), *_counted_nouns(read, counted)]:
            for there in _before_key(read, after):
                for word, start in read.take(there, "PER", "BYKEY"):
                    if word.text == "by" and there and read.starts(there - 1, "VERB"):
                        continue  # "read by task" tells who, if not which
                    for key, end in keys(read, thing, start, one=word.text == "by"):
                        yield from rankings.ordered_groups(read, thing, key, end)
            for do in read.after(after, "DO", "BE"):
                yield from _each(read, thing, do, after)
    for _, start in read.take(at, "PER"):
        for count in _key_ends(read, start):
            for again in read.after(count, "LIST"):
                for meaning, end in figures(read, again):
                    for key, key_end in keys(read, meaning.thing, start):
                        if key_end in (count, count - 1) and meaning.key is None:
                            yield replace(meaning, key=key), end
            for _, again in read.take(count, "COUNT", "NUMBEROF", "LIST"):
                for first in read.after(again, "COUNT", "NUMBEROF"):
                    for thing, end in read.things(first):
                        for key, key_end in keys(read, thing, start):
                            if key_end in (count, count - 1):
                                yield Groups(thing, key), end


def _before_key(read: Reader, at: int) -> list[int]:
    """After ``(tasks) are there``, ``(tasks) were started``, ``(users) work``, ``(tasks) have``: then comes per."""
    deeds = [end for be in read.after(at, "BE") for _, end in read.take(be, "BEGUN", "PUBLISHED", "MADE")]
    works = [end for tag, end in read.take(at, "VERB") if tag.value == "WORK"]
    return list(dict.fromkeys([at, *endings(read, at), *deeds, *works, *(end for _, end in read.take(at, "HAVE"))]))


def spreads(read: Reader, at: int) -> Meanings:
    """``average number of tasks per user``."""
    for word, start in read.take(at, "AVG", "MAX", "MIN"):
        said = [end for _, end in read.take(start, "COUNT", "NUMBEROF")]
        for counted in said if read.starts(at, "SUP") else [*said, start]:  # "the largest file per user" is a file
            for thing, after in read.things(counted):
                for _, by in read.take(after, "PER"):
                    for key, end in keys(read, thing, by):
                        if key.hops and key.property is None:
                            yield Spread(word.kind.lower(), Groups(thing, key)), end  # type: ignore[arg-type]


def figures(read: Reader, at: int) -> Iterator[tuple[Figure, int]]:
    """``average size of fasta files (per user)``, ``total file size``, ``maximum duration of tasks``."""
    for word, start in read.take(at, "AVG", "SUM", "MAX", "MIN"):
        for name, thing, end in property_of_things(read, start):
            function = word.kind.lower()
            for found in with_number(read, thing, name, end):
                figure = Figure(function, name, found)  # type: ignore[arg-type]
                for by, again in read.take(end, "PER", "BYKEY"):
                    for key, last in keys(read, found, again, one=by.text == "by"):
                        yield Figure(function, name, found, key), last  # type: ignore[arg-type]
                yield figure, end


def _counted_nouns(read: Reader, at: int) -> Iterator[tuple[Thing, int]]:
    """``task count``, ``count of experiments``: the noun before the word, what is said of it after."""
    for thing, after in phrases.nouns(read, at):
        for tag, start in read.take(after, "COUNT"):
            if tag.text in ("count", "counts"):
                yield from phrases.said_of(read, thing, start)


def _key_ends(read: Reader, at: int) -> list[int]:
    ends = [end for _, end in read.take(at, "NOUN", "PROP", "PERIODWORD")]
    return [after for end in ends for after in read.after(end, "AND")]


def _each(read: Reader, thing: Thing, at: int, before: int) -> Meanings:
    """``(how many tasks) did each user run``, ``(how many tasks) does each user have``."""
    for _, start in read.take(at, "PER"):
        for tag, after in read.take(start, "PROP"):  # "(how many institutions) does each country have"
            for _, end in read.take(after, "HAVE"):
                if (own := property_key(thing, str(tag.value))) is not None:
                    yield Groups(thing, own), end
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
