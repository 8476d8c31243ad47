"""Ways to ask. Each reads a whole question, from its first word to its last, or nothing: a word that is left over is a
word that was not understood."""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass

from apps.graph.nl2cypher.grammar import columns, pairings, rankings, tallies
from apps.graph.nl2cypher.grammar.columns import endings
from apps.graph.nl2cypher.grammar.frames import Link, Listing, Meaning
from apps.graph.nl2cypher.grammar.rankings import Meanings
from apps.graph.nl2cypher.grammar.reader import Reader


def meaning_of(read: Reader) -> Meaning | None:
    """The reading of the whole question: of the first way to ask that fits, the one whose things lie nearest to each
    other. "Users at hospitals with 3 tasks" are users with tasks, not hospitals whose users have."""
    for form in FORMS:
        found = list(_readings(read, form))
        if found:
            return min(found, key=_hops)
    return None


def _readings(read: Reader, form: Callable[[Reader, int], Meanings]) -> Iterator[Meaning]:
    for start in _beginnings(read):
        for meaning, end in form(read, start):
            if any(last == read.end for last in [end, *endings(read, end)]):
                yield meaning


def _hops(part: object) -> int:
    """Relationships that a meaning goes over, all links together."""
    if isinstance(part, Link):
        return len(part.hops) + _hops(part.target)
    if isinstance(part, tuple):
        return sum(_hops(one) for one in part)
    if is_dataclass(part):
        return sum(_hops(getattr(part, one.name)) for one in fields(part))
    return 0


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


def _listing(read: Reader, at: int) -> Meanings:
    for limit, start in rankings.numbers(read, at):
        for thing, end in read.things(start):
            yield from rankings.ordered_list(read, Listing(thing, limit=limit), end)


FORMS: tuple[Callable[[Reader, int], Meanings], ...] = (
    tallies.spreads, tallies.groups, rankings.most_linked, rankings.superlatives, rankings.superlatives_after,
    rankings.commonest, rankings.richest, tallies.figures, tallies.counting, tallies.counting_values, tallies.existing,
    pairings.what, pairings.owned, pairings.pairs, pairings.doubles, pairings.routes, columns.values, columns.values_of,
    columns.properties, _listing,
)  # fmt: skip
