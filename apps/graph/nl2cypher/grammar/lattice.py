"""A question as a lattice: at each word, everything that the phrase beginning there may mean, the longest first."""

import calendar
import re
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import product
from typing import Any

from apps.graph.nl2cypher.grammar import lexicon, spelling
from apps.graph.nl2cypher.grammar.spelling import Piece

LONGEST_PHRASE = 5
_NUMBER_WORDS = {word: number for number, word in enumerate(
    ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"), start=1,
)} | {"twenty": 20, "fifty": 50, "hundred": 100, "dozen": 12, "once": 1, "twice": 2}  # fmt: skip
_UNITS: dict[str, tuple[str, float]] = {
    "byte": ("bytes", 1), "b": ("bytes", 1), "kb": ("bytes", 1e3), "mb": ("bytes", 1e6), "gb": ("bytes", 1e9),
    "tb": ("bytes", 1e12), "kib": ("bytes", 2**10), "mib": ("bytes", 2**20), "gib": ("bytes", 2**30),
    "kilobyte": ("bytes", 1e3), "megabyte": ("bytes", 1e6), "gigabyte": ("bytes", 1e9), "terabyte": ("bytes", 1e12),
    "second": ("seconds", 1), "sec": ("seconds", 1), "s": ("seconds", 1), "minute": ("seconds", 60),
    "min": ("seconds", 60), "hour": ("seconds", 3600), "h": ("seconds", 3600), "day": ("seconds", 86400),
}  # fmt: skip
_DAYS = frozenset(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"))
_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_name) if name} | {
    name.lower(): number for number, name in enumerate(calendar.month_abbr) if name
}
_NUMBER_WITH_UNIT = re.compile(r"(\d+(?:\.\d+)?)([a-z]{1,3})")
_NAME_LINKS = frozenset({"of", "di", "de", "del", "della", "for", "the", "and"})
YEARS = range(1900, 2101)
_TOTALS = (("in", "total"), ("altogether",))
_PRONOUNS: dict[str, tuple[str, ...]] = {
    "nobody": ("no", "user"), "nowhere": ("at", "no", "institution"),
    "RUN nothing": ("no", "task"), "READ nothing": ("no", "file"), "WRITE nothing": ("no", "file"),
    "RUN anything": ("task",), "READ anything": ("file",), "WRITE anything": ("file",),
}  # fmt: skip
_COUNTING = frozenset({"how", "number", "count", "sum", "average"})


@dataclass(frozen=True, slots=True)
class Number:
    """``unit``: bytes or seconds, already counted in."""

    value: int | float
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """Days from ``start`` to before ``end``, as text like 2024-05-31. ``year`` where it is a whole one."""

    start: str
    end: str
    year: int | None = None


@dataclass(frozen=True, slots=True)
class Tag:
    kind: str
    value: Any
    length: int
    text: str
    canon: str = ""


@dataclass(frozen=True, slots=True)
class Lattice:
    """``tags[i]`` begin at word i. ``corrections``: (written, read) of slips of the finger."""

    pieces: tuple[Piece, ...]
    tags: tuple[tuple[Tag, ...], ...]
    corrections: tuple[tuple[str, str], ...]

    @property
    def unknown(self) -> tuple[str, ...]:
        """Words that mean nothing here, outside of every phrase, number and name."""
        covered: set[int] = set()
        for at, tags in enumerate(self.tags):
            for tag in tags:
                if tag.kind != "WORD":
                    covered.update(range(at, at + tag.length))
        return tuple(dict.fromkeys(one.text for at, one in enumerate(self.pieces) if at not in covered))


def lattice_of(text: str) -> Lattice:
    """Of a cleaned question. ValueError when it has too many words."""
    raw = spelling.pieces(text)
    if len(raw) > spelling.MAX_PIECES:
        raise ValueError(f"The question has {len(raw)} words; at most {spelling.MAX_PIECES} are read.")
    kept, corrections = _corrected(_without_pronouns(_without_fillers(raw)))
    tags = tuple(tuple(sorted(_tags_at(kept, at), key=lambda tag: -tag.length)) for at in range(len(kept)))
    return Lattice(tuple(kept), tags, tuple(corrections))


def _without_fillers(raw: list[Piece]) -> list[Piece]:
    counts = not _COUNTING.isdisjoint(one.word for one in raw)
    kept: list[Piece] = []
    at = 0
    while at < len(raw):
        for phrase in lexicon.dropped():
            span = raw[at : at + len(phrase)]
            if tuple(one.word for one in span) == phrase and not any(one.quoted for one in span):
                if phrase in _TOTALS and not counts:
                    continue  # "users in total" asks for a number
                if phrase[0] == "all" and kept and (_takes_object(kept[-1]) or kept[-1].word == "by"):
                    continue  # "who ran all tasks", "read by all tasks" are other questions than without it
                at += len(phrase)
                break
        else:
            follows_article = at > 0 and raw[at - 1].word in ("a", "an", "any")
            kept.append(replace(raw[at], indefinite=follows_article))
            at += 1
    while kept and kept[-1].text == ",":
        kept.pop()
    return kept


def _without_pronouns(kept: list[Piece]) -> list[Piece]:
    """``no user`` for nobody, ``wrote no file`` for wrote nothing, ``work at no institution`` for work nowhere."""
    found: list[Piece] = []
    deed = None
    for one in kept:
        meanings = lexicon.phrases().get((one.word,), ())
        deed = next((meaning.value for meaning in meanings if meaning.kind == "VERB"), deed)
        words = () if one.quoted else _PRONOUNS.get(one.word) or _PRONOUNS.get(f"{deed} {one.word}", ())
        found += [replace(one, text=word, word=word) for word in words] or [one]
    return found


def _takes_object(one: Piece) -> bool:
    meanings = lexicon.phrases().get((one.word,), ())
    return any(meaning.kind in ("VERB", "WITH", "HAVE") for meaning in meanings)


def _corrected(kept: list[Piece]) -> tuple[list[Piece], list[tuple[str, str]]]:
    """Slips put right, where the word is plain lower case and means nothing as it stands."""
    known = lexicon.known_words() | _NUMBER_WORDS.keys() | _UNITS.keys() | _MONTHS.keys()
    corrections, found = [], []
    for one in kept:
        right = None
        if one.kind == "word" and one.text[1:].islower() and not known & set(spelling.forms(one.word)):
            right = spelling.slip(one.word, lexicon.correctable())
            if right is None and one.word.endswith("s"):
                right = spelling.slip(one.word[:-1], lexicon.correctable())
        if right is not None:
            corrections.append((one.text, right))
            one = replace(one, text=right, word=right)
        found.append(one)
    return found, corrections


def _tags_at(kept: list[Piece], at: int) -> list[Tag]:
    first = kept[at]
    if first.quoted:
        return [Tag("QUOTED", first.text, 1, first.text), Tag("WORD", first.text, 1, first.text)]
    found = [*_phrase_tags(kept, at), *_number_tags(kept, at), *_period_tags(kept, at)]
    known = any(tag.length == 1 for tag in found)
    found += _name_tags(kept, at, known)
    found.append(Tag("WORD", first.text, 1, first.text))
    return found


def _phrase_tags(kept: list[Piece], at: int) -> list[Tag]:
    found, seen = [], set()
    phrases = lexicon.phrases()
    for length in range(1, min(LONGEST_PHRASE, len(kept) - at) + 1):
        span = kept[at : at + length]
        if any(one.quoted for one in span):
            break
        for words in product(*(spelling.forms(one.word) for one in span)):
            for meaning in phrases.get(words, ()):
                if (meaning, length) not in seen:
                    seen.add((meaning, length))
                    text = " ".join(one.word for one in span)
                    found.append(Tag(meaning.kind, meaning.value, length, text, meaning.canon))
    return found


def _number_tags(kept: list[Piece], at: int) -> list[Tag]:
    one = kept[at]
    value: int | float
    if one.kind == "number":
        plain = one.text.replace(",", "")
        value = int(plain) if plain.lstrip("-").isdigit() and len(plain) < 19 else float(plain)
    elif one.word in _NUMBER_WORDS:
        value = _NUMBER_WORDS[one.word]
    elif (match := _NUMBER_WITH_UNIT.fullmatch(one.word)) and match[2] in _UNITS:
        unit, factor = _UNITS[match[2]]
        return [Tag("NUM", Number(_whole(float(match[1]) * factor), unit), 1, one.text, "num")]
    elif one.indefinite and (of := next((_UNITS[form] for form in spelling.forms(one.word) if form in _UNITS), None)):
        return [Tag("NUM", Number(_whole(of[1]), of[0]), 1, one.text, "num")]  # "longer than an hour"
    else:
        return []
    found = [Tag("NUM", Number(value), 1, one.text, "num")]
    if at + 1 < len(kept):
        after = next((_UNITS[form] for form in spelling.forms(kept[at + 1].word) if form in _UNITS), None)
        if after is not None:
            text = f"{one.text} {kept[at + 1].text}"
            found.append(Tag("NUM", Number(_whole(value * after[1]), after[0]), 2, text, "num"))
    return found


def _whole(value: float) -> int | float:
    return int(value) if float(value).is_integer() else value


def _period_tags(kept: list[Piece], at: int) -> list[Tag]:
    words = [one.word for one in kept[at : at + 3]]
    found = []
    if words[0].isdigit() and len(words[0]) == 4 and int(words[0]) in YEARS:
        found.append(_period(1, words[0], int(words[0])))
    if words[0] == "year" and len(words) > 1 and words[1].isdigit() and int(words[1]) in YEARS:
        found.append(_period(2, " ".join(words[:2]), int(words[1])))
    if re.fullmatch(r"\d{4}-\d{2}(-\d{2})?", words[0]):
        found.append(_period(1, words[0], *map(int, words[0].split("-"))))
    if len(words) > 1 and words[0] in _MONTHS and words[1].isdigit() and len(words[1]) == 4:
        found.append(_period(2, " ".join(words[:2]), int(words[1]), _MONTHS[words[0]]))
    if len(words) > 2 and words[0].isdigit() and words[1] in _MONTHS and words[2].isdigit() and len(words[2]) == 4:
        found.append(_period(3, " ".join(words), int(words[2]), _MONTHS[words[1]], int(words[0])))
    return [tag for tag in found if tag is not None]


def _period(length: int, text: str, year: int, month: int | None = None, day: int | None = None) -> Tag | None:
    try:
        start = date(year, month or 1, day or 1)
        if day is not None:
            end = start + timedelta(days=1)
        elif month is not None:
            end = date(year + month // 12, month % 12 + 1, 1)
        else:
            end = date(year + 1, 1, 1)
    except ValueError:
        return None
    whole = year if month is None else None
    return Tag("PERIOD", Period(start.isoformat(), end.isoformat(), whole), length, text, "period")


def _name_tags(kept: list[Piece], at: int, known: bool) -> list[Tag]:
    """What can only be somebody's or something's name: TP53, mario.rossi, University of Bologna."""
    one = kept[at]
    found = []
    if one.word in _DAYS or one.word in _MONTHS:
        return []  # "failed on Monday" is about a day, not about a user of that name
    last = at
    while last + 1 < len(kept) and (_is_capital(kept[last + 1]) or _links_names(kept, last + 1)):
        last += 1
    if _is_capital(one) and last > at:
        for end in range(last, at, -1):
            if _is_capital(kept[end]):
                text = " ".join(piece.text for piece in kept[at : end + 1])
                found.append(Tag("NAME", text, end - at + 1, text, "name"))
    if not known and one.kind == "word" and (_is_capital(one) or re.search(r"[\d_.@]|[a-z][A-Z]|[A-Z]{2}", one.text)):
        found.append(Tag("NAME", one.text, 1, one.text, "name"))
    return found


def _is_capital(one: Piece) -> bool:
    return one.kind == "word" and one.text[:1].isupper()


def _links_names(kept: list[Piece], at: int) -> bool:
    return kept[at].word in _NAME_LINKS and at + 1 < len(kept) and _is_capital(kept[at + 1])
