"""Ways to ask how things belong together: pairs, paths, values that several share, what somebody did."""

from apps.graph.nl2cypher.grammar import applying, phrases
from apps.graph.nl2cypher.grammar.columns import with_property
from apps.graph.nl2cypher.grammar.frames import Doubles, Listing, Pairs, Route, Thing
from apps.graph.nl2cypher.grammar.rankings import Meanings
from apps.graph.nl2cypher.grammar.reader import Reader
from apps.graph.nl2cypher.grammar.roads import OBJECTS, may_do, road


def pairs(read: Reader, at: int) -> Meanings:
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


def doubles(read: Reader, at: int) -> Meanings:
    """``genes with the same symbol``, ``users sharing an email``, ``duplicate emails of users``."""
    for thing, after in phrases.nouns(read, at):
        for that in read.after(after, "THAT"):
            for have in read.after(that, "WITH", "HAVE", "SHARE"):
                for start in [have, *read.after(have, "SAME")]:
                    if start != have or read.starts(that, "SHARE"):
                        for tag, end in read.take(start, "PROP"):
                            for found in with_property(read, thing, str(tag.value), end):
                                yield Doubles(str(tag.value), found), end


def routes(read: Reader, at: int) -> Meanings:
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


def what(read: Reader, at: int) -> Meanings:
    """``what did user X run``: the verb says of which label the answer is."""
    for word, start in read.take(at, "WHICH"):
        for do in read.after(start, "DO", "HAVE") if word.text == "what" else ():
            for agent, after in read.things(do) if do != start else ():
                for tag, end in read.take(after, "VERB"):
                    verb = "WORK" if tag.value == "EMPLOY" else str(tag.value)
                    if agent.named and may_do(agent.label, verb):
                        done = Thing(OBJECTS[verb][0], OBJECTS[verb][0].lower())
                        for made in read.attempt(end, applying.linked, done, agent, verb):
                            yield Listing(made), end


def owned(read: Reader, at: int) -> Meanings:
    """``user X's tasks``, ``mario.rossi's failed tasks``."""
    named = [one for one in phrases.nouns(read, at) if one[0].named]
    named += [(phrases.named(Thing("User", "user"), tag.text), end) for tag, end in read.take(at, "NAME")]
    for owner, after in named:
        for _, start in read.take(after, "POSS"):
            for thing, end in read.things(start):
                for made in read.attempt(end, applying.linked, thing, owner, None):
                    yield Listing(made), end
