"""A place in a lattice to read from: what may begin here, optional words, values, and what the schema objected to."""

from collections.abc import Callable, Iterator
from typing import Any

from apps.graph.nl2cypher.grammar.applying import Objection
from apps.graph.nl2cypher.grammar.frames import Thing
from apps.graph.nl2cypher.grammar.lattice import Lattice, Tag

MAX_STEPS = 6_000
Things = list[tuple[Thing, int]]
Found = Iterator[tuple[Thing, int]]


class TooTangled(Exception):
    """More ways to read the question than are tried."""


class Reader:
    """Reads from one lattice. ``phrase`` reads the noun phrases that begin at a word (phrases.py).

    ``objections``: (how far the reading had come, what the schema does not allow).
    """

    def __init__(self, lattice: Lattice, phrase: "Callable[[Reader, int], Things]") -> None:
        self.lattice = lattice
        self.end = len(lattice.pieces)
        self.objections: list[tuple[int, str]] = []
        self._phrase = phrase
        self._read: dict[int, Things] = {}
        self._steps = 0

    def take(self, at: int, *kinds: str) -> Iterator[tuple[Tag, int]]:
        """Each tag of the kinds that begins here, and where it ends."""
        if at < self.end:
            for tag in self.lattice.tags[at]:
                if tag.kind in kinds:
                    yield tag, at + tag.length

    def starts(self, at: int, *kinds: str) -> bool:
        return any(True for _ in self.take(at, *kinds))

    def after(self, at: int, *kinds: str) -> list[int]:
        """Where the words after an optional tag of the kinds begin."""
        return list(dict.fromkeys([*(end for _, end in self.take(at, *kinds)), at]))

    def attempt(self, at: int, make: Callable[..., Thing], *arguments: Any, **named: Any) -> Iterator[Thing]:
        """What is made, or nothing and an objection. TooTangled after too many."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise TooTangled
        try:
            yield make(*arguments, **named)
        except Objection as objection:
            self.objections.append((at, str(objection)))

    def object_to(self, at: int, why: str) -> None:
        self.objections.append((at, why))

    def things(self, at: int) -> Things:
        """Noun phrases that begin here, each with the place after it."""
        if at not in self._read:
            self._read[at] = []  # nothing, for a phrase that would begin with itself
            self._read[at] = list(dict.fromkeys(self._phrase(self, at)))
        return self._read[at]

    def values(self, at: int) -> list[tuple[tuple[str, ...], int]]:
        """``failed``, ``failed or cancelled``, ``Italy, France and Spain``: the longest first."""
        found: list[tuple[tuple[str, ...], int]] = []
        for tag, end in self.take(at, "VAL"):
            for start in self.after(end, "OR", "AND"):
                if start != end:
                    for begin in self.after(start, "IN", "BE"):
                        found += [((tag.value, *more), last) for more, last in self.values(begin)]
            found.append(((tag.value,), end))
        return found
