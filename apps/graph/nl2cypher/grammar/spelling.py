"""Words as people write them: pieces of a sentence, plurals, and small slips of the finger."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

MAX_PIECES = 80
TRANSPOSED_FROM, MISSED_FROM, CHANGED_FROM, CHANGED_TWICE_FROM = 4, 5, 6, 10
"""Letters a word needs before a slip in it is believed: two swapped, one missing or too many, one wrong, two wrong."""

_PIECE = re.compile(
    r"""(?P<quoted>"[^"]*"|“[^”]*”|«[^»]*»|`[^`]*`|(?<!\w)'[^']+'(?!\w)|(?<!\w)‘[^’]+’(?!\w))"""
    r"""|(?P<number>(?<![\w.])-?\d{1,3}(?:,\d{3})+(?![\w,])|(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.-]*\w))"""
    r"""|(?P<word>[^\W_][\w.@:/+*-]*[\w+*]|[^\W_]|_\w+)|(?P<sign><=|>=|<>|!=|[<>=,])""",
)
_NOT = re.compile(r"\b(do|does|did|is|are|was|were|has|have|had)n['’]t\b", re.IGNORECASE)
_POSSESSIVE = re.compile(r"(?<=\w)['’]s\b")


@dataclass(frozen=True, slots=True)
class Piece:
    """``word``: lower case, as the lexicon spells; ``text``: as written, without quotes. ``indefinite``: "a" or "any"
    stood before it."""

    text: str
    word: str
    kind: str
    indefinite: bool = False

    @property
    def quoted(self) -> bool:
        return self.kind == "quoted"


def pieces(text: str) -> list[Piece]:
    """The words, numbers, quoted texts and signs, in order; other punctuation is nothing."""
    found = []
    text = _NOT.sub(r"\1 not", text)
    for match in _PIECE.finditer(_POSSESSIVE.sub(" 's ", text).replace(" 's ", " _s ")):
        kind, written = str(match.lastgroup), match.group()
        plain = written[1:-1] if kind == "quoted" else written
        if written == "_s":
            plain = "'s"
        found.append(Piece(plain, plain.lower(), kind))
    return found


def forms(word: str) -> list[str]:
    """The word, and what it may be the plural of."""
    found = [word]
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        if word.endswith("ies"):
            found.append(word[:-3] + "y")
        if word.endswith("ses") or word.endswith(("xes", "ches", "shes")):
            found.append(word[:-2])
        found.append(word[:-1])
    return found


def plural(noun: str) -> str:
    """Of a noun phrase: its last word."""
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def slip(word: str, known: Iterable[str]) -> str | None:
    """The one known word that this is with two letters swapped, or one wrong, missing or too many (two in long words);
    None when there is none, or more than one as near."""
    if not word.isalpha() or len(word) < TRANSPOSED_FROM:
        return None
    allowed = 2 if len(word) >= CHANGED_TWICE_FROM else 1
    near: dict[str, int] = {}
    for other in known:
        if word.startswith(other):
            continue  # a sampler is no sample
        if other[0] != word[0] or abs(len(other) - len(word)) > allowed or len(other) < TRANSPOSED_FROM:
            continue
        swapped = _is_swap(word, other)
        least = CHANGED_FROM if len(word) == len(other) else MISSED_FROM
        if not swapped and min(len(word), len(other)) < least:
            continue
        distance = 1 if swapped else _distance(word, other)
        if distance <= allowed:
            near[other] = distance
    best = [other for other, distance in near.items() if distance == min(near.values())]
    return best[0] if len(best) == 1 else None


def _is_swap(one: str, other: str) -> bool:
    if len(one) != len(other):
        return False
    differ = [at for at in range(len(one)) if one[at] != other[at]]
    if len(differ) != 2 or differ[1] != differ[0] + 1:
        return False
    first, second = differ
    return one[first] == other[second] and one[second] == other[first]


def _distance(one: str, other: str) -> int:
    """Levenshtein's."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        last, row[0] = row[0], number
        for at, against in enumerate(other, 1):
            last, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, last + (letter != against))
    return row[-1]
