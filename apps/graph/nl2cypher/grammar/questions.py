"""Ways to ask. Each reads a whole question, from its first word to its last, or nothing: a word that is left over is a
word that was not understood."""

from collections.abc import Callable, Iterator

from apps.graph.nl2cypher.grammar import columns, pairings, rankings, tallies
from apps.graph.nl2cypher.grammar.columns import endings
from apps.graph.nl2cypher.grammar.frames import Listing, Meaning
from apps.graph.nl2cypher.grammar.rankings import Meanings
from apps.graph.nl2cypher.grammar.reader import Reader


def meanings(read: Reader) -> Iterator[Meaning]:
    """Every reading of the whole question, the likeliest first."""
    for form in FORMS:
        for start in _beginnings(read):
            for meaning, end in form(read, start):
                if any(last == read.end for last in [end, *endings(read, end)]):
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
