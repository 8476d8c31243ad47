"""Prompts whose category is known (contract 8.1): data, compared as people would say that two prompts are the same."""

import re

from apps.agents.prompts.texts import CATALOGUE
from apps.agents.types import CATEGORIES, Intent

LEAST_LIKENESS = 0.85
CONFIDENCE, CONFIDENCE_HIGH = 0.95, 0.98
LONGEST = 200
_BLANKS = re.compile(r"\s+")


def folded(prompt: str) -> str:
    """Lower case, blanks as one, no punctuation at the end."""
    return _BLANKS.sub(" ", prompt.lower()).strip().rstrip("?.!, ").strip()


def look_up(prompt: str) -> Intent | None:
    """The category of an equal entry, or of the likest one that is at least LEAST_LIKENESS like it; else None."""
    text = folded(prompt[: LONGEST * 2])
    if not text or len(text) > LONGEST:
        return None
    if (known := _KNOWN.get(text)) is not None:
        return known
    likeness, best = max((_likeness(text, entry), entry) for entry in _KNOWN)
    return _KNOWN[best] if likeness >= LEAST_LIKENESS else None


def _likeness(one: str, other: str) -> float:
    """Jaccard's measure of the words, or the share of the longer text that the shorter one, within it, makes up."""
    mine, theirs = set(one.split()), set(other.split())
    words = len(mine & theirs) / len(mine | theirs)
    shorter, longer = sorted((one, other), key=len)
    return max(words, len(shorter) / len(longer) if shorter in longer else 0.0)


def _entry(said: dict[str, str]) -> Intent:
    category = next(known for known in CATEGORIES if known == said["category"])
    confidence = CONFIDENCE_HIGH if said.get("severity") == "high" else CONFIDENCE
    return Intent(category, confidence, f"It is the known prompt {said['text']!r}.", "catalogue")


_KNOWN = {folded(said["text"]): _entry(said) for said in CATALOGUE}
