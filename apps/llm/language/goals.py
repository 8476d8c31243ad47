"""A goal in its steps, in the order they are asked for."""

import re

from apps.llm.language.words import READ_CHARS

MAX_STEPS = 32
_NUMBERED = re.compile(r"(?:^|(?<=[\s:;,.]))\(?\d{1,2}[.)]\s+(?=\S)")
_BULLET = re.compile(r"^[ \t]*[-*•][ \t]+", re.MULTILINE)
_THEN = re.compile(
    r"[,;.]?\s*\b(?:and then|and after that|after that|afterwards|and finally|finally|then|followed by"
    r"|e poi|ed infine|e infine|infine|poi|dopodiché|dopodiche|e successivamente|successivamente|quindi)\b[,:]?\s*",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+(?=[^\W\d_])|\n+")
_AND = re.compile(
    r"\s*,\s*(?:and|e|ed)\s+|\s+(?:and also|as well as|and|e anche|nonché|ed|e)\s+|\s*,\s+", re.IGNORECASE
)
_FIRST = re.compile(
    r"^(?:first(?:ly|\s+of\s+all)?|second(?:ly)?|third(?:ly)?|prima di tutto|per prima cosa|prima)[,:]?\s+", re.I
)
_INTRODUCTION = re.compile(r"[^.!?\n]{0,200}:\s*\Z")


def steps_of(goal: str) -> list[str]:
    """Numbered and bulleted lists by their items, other text at "then" and between sentences."""
    goal = goal[:READ_CHARS].strip()
    for marks in (_NUMBERED, _BULLET):
        if len(marks.findall(goal)) > 1:
            lead, *items = marks.split(goal)
            kept = [] if _INTRODUCTION.match(lead) else [lead]
            return _clean([*kept, *items])
    parts = [part for sentence in _SENTENCE.split(goal) for part in _THEN.split(sentence)]
    return _clean(parts)


def conjuncts_of(step: str) -> list[str]:
    """A step at its "and" and its commas: only some of the parts are steps."""
    return _clean(_AND.split(step[:READ_CHARS]))


def _clean(parts: list[str]) -> list[str]:
    cleaned = [_FIRST.sub("", part.strip().strip(",;").strip()).rstrip(" .;,") for part in parts]
    return [part for part in cleaned if any(letter.isalnum() for letter in part)][:MAX_STEPS]
