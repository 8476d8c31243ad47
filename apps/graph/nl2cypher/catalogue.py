"""Stage 2: questions known by pattern. The same question always gets the same query, whatever the case, the plural and
the synonym it is asked with.

catalogue.json: ``patterns`` are written as people ask; ``{name:type}`` is a slot, whose value becomes the parameter of
that name. Types: name and text (lower-case for name), number, year, status, country, organism.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from apps.graph import schema
from apps.graph.nl2cypher.grammar.lattice import Lattice, Tag, lattice_of
from apps.graph.nl2cypher.types import Candidate, Parameters, Question, Value

_SLOT = re.compile(r"\{(\w+):(\w+)\}")
_LISTED = {"status": schema.STATUSES, "country": schema.COUNTRIES, "organism": schema.ORGANISMS}


@dataclass(frozen=True, slots=True)
class Slot:
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Entry:
    """``patterns``: sequences of canonical words and slots."""

    id: str
    patterns: tuple[tuple[str | Slot, ...], ...]
    cypher: str
    reading: str


def look_up(question: Question) -> Candidate | None:
    """The query of the entry whose pattern the whole question fits; None without one."""
    try:
        lattice = lattice_of(question.text)
    except ValueError:
        return None
    for start in _starts(lattice):
        for entry in entries():
            for pattern in entry.patterns:
                found = next(_fits(lattice, pattern, start), None)
                if found is not None:
                    return Candidate(entry.cypher, found, "catalogue", entry.reading, entry=entry.id)
    return None


@cache
def entries() -> tuple[Entry, ...]:
    """The catalogue, in the order of the file."""
    raw = json.loads((Path(__file__).parent / "catalogue.json").read_text(encoding="utf-8"))
    return tuple(
        Entry(one["id"], tuple(pattern_of(text) for text in one["patterns"]), one["cypher"], one["reading"])
        for one in raw
    )


def pattern_of(text: str) -> tuple[str | Slot, ...]:
    """The canonical words and slots of a pattern."""
    items: list[str | Slot] = []
    at = 0
    for match in _SLOT.finditer(text):
        items += _canonical(text[at : match.start()])
        items.append(Slot(match[1], match[2]))
        at = match.end()
    return tuple(items + _canonical(text[at:]))


def _canonical(text: str) -> list[str | Slot]:
    lattice = lattice_of(text)
    items: list[str | Slot] = []
    at = 0
    while at < len(lattice.pieces):
        tag = _canonical_tag(lattice, at)
        if not (at == 0 and tag.kind in ("LIST", "WHICH")):
            items.append(tag.canon or lattice.pieces[at].word)
        at += tag.length
    return items


def _canonical_tag(lattice: Lattice, at: int) -> Tag:
    tags = [tag for tag in lattice.tags[at] if tag.canon]
    longest = [tag for tag in tags if tag.length == tags[0].length]
    exact = [tag for tag in longest if ":" in tag.canon]  # a word of the schema rather than one of grammar
    return (exact or longest or [lattice.tags[at][-1]])[0]


def _starts(lattice: Lattice) -> list[int]:
    """Where the question begins: with ``show me``, ``which`` or without."""
    found = [0]
    for at in found:
        if at < len(lattice.tags):
            found += [at + tag.length for tag in lattice.tags[at] if tag.kind in ("LIST", "WHICH")]
    return list(dict.fromkeys(found))


def _fits(lattice: Lattice, pattern: tuple[str | Slot, ...], at: int) -> Iterator[Parameters]:
    if not pattern:
        if at == len(lattice.pieces):
            yield {}
        return
    if at >= len(lattice.pieces):
        return
    item, rest = pattern[0], pattern[1:]
    if isinstance(item, Slot):
        for value, length in _filled(lattice, item, at):
            for more in _fits(lattice, rest, at + length):
                yield {item.name: value, **more}
        return
    lengths = {tag.length for tag in lattice.tags[at] if tag.canon == item}
    if lattice.pieces[at].word == item and not lattice.pieces[at].quoted:
        lengths.add(1)
    for length in sorted(lengths, reverse=True):
        yield from _fits(lattice, rest, at + length)


def _filled(lattice: Lattice, slot: Slot, at: int) -> Iterator[tuple[Value, int]]:
    """Values of the slot's type that begin here."""
    for tag in lattice.tags[at]:
        match slot.type:
            case "name" if tag.kind in ("QUOTED", "NAME") or (tag.kind == "NUM" and tag.length == 1):
                yield tag.text.lower(), tag.length
            case "text" if tag.kind in ("QUOTED", "NAME", "WORD"):
                yield tag.text, tag.length
            case "number" if tag.kind == "NUM" and isinstance(tag.value.value, int) and tag.value.unit is None:
                yield tag.value.value, tag.length
            case "year" if tag.kind == "PERIOD" and tag.value.year is not None:
                yield tag.value.year, tag.length
            case listed if tag.kind == "VAL" and tag.value in _LISTED.get(listed, ()):
                yield tag.value, tag.length
