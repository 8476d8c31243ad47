"""Stage 1: clean text, its language, what it speaks of, and what it wants done."""

import re
import unicodedata
from typing import Literal

from apps.graph.nl2cypher import intents
from apps.graph.nl2cypher.grammar.lattice import Lattice, lattice_of
from apps.graph.nl2cypher.grammar.lexicon import VOCABULARY
from apps.graph.nl2cypher.types import Entity, Question, Refusal, Refused

MAX_CHARS = 2_000
_SPACES = re.compile(r"\s+")
_ENTITY_KINDS = {"NOUN": "label", "PROP": "property", "VAL": "value", "NUM": "number", "PERIOD": "date",
                 "QUOTED": "quoted", "NAME": "name", "VERB": "verb"}  # fmt: skip
_ENGLISH = frozenset(("the", "of", "which", "how", "many", "show", "list", "with", "without", "and", "are", "is", "by"))


def normalize(original: str) -> Question:
    """The question as the next stages read it. Refused when it is empty or too long: it is never cut, because a
    question without its end is another question."""
    text = cleaned(original)
    if not text:
        raise Refused(Refusal("normalize", "", "There is no question.", "Ask something of the graph."))
    if len(text) > MAX_CHARS:
        reason = f"The question has {len(text)} characters; at most {MAX_CHARS} are read."
        raise Refused(Refusal("normalize", "", reason, "Ask it shorter."))
    language = language_of(text)
    if language == "it":
        text = in_english(text)
    explain_only, text = intents.without_explain(text)
    entities, corrections = _told(text)
    return Question(original, text, language, entities, explain_only, intents.destructive_wish(text), corrections)


def cleaned(text: str) -> str:
    """NFC, without control, format and unassigned characters (zero width, direction marks, tags), spaces single."""
    kept = (one if unicodedata.category(one)[0] != "C" else " " if one.isspace() else "" for one in text)
    return _SPACES.sub(" ", unicodedata.normalize("NFC", "".join(kept))).strip().rstrip("?!. ").lstrip("¿ ")


def language_of(text: str) -> Literal["en", "it"]:
    """it where more of the words are Italian than English."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    italian = sum(word in VOCABULARY["italian"] for word in words)
    english = sum(word in _ENGLISH for word in words)
    return "it" if italian > max(1, english) else "en"


def in_english(text: str) -> str:
    """Word by word, the longest phrases first; what is not in the vocabulary stays."""
    words = text.split(" ")
    found, at = [], 0
    while at < len(words):
        for length in (3, 2, 1):
            phrase = " ".join(words[at : at + length]).lower()
            if phrase in VOCABULARY["italian"]:
                found.append(VOCABULARY["italian"][phrase])
                at += length
                break
        else:
            found.append(words[at])
            at += 1
    return " ".join(found)


def _told(text: str) -> tuple[tuple[Entity, ...], tuple[tuple[str, str], ...]]:
    try:
        lattice = lattice_of(text)
    except ValueError:
        return (), ()
    return tuple(_entities(lattice)), lattice.corrections


def _entities(lattice: Lattice) -> list[Entity]:
    found, at = [], 0
    while at < len(lattice.tags):
        tag = next((one for one in lattice.tags[at] if one.kind in _ENTITY_KINDS), None)
        if tag is None:
            at += 1
            continue
        value = tag.value
        if tag.kind == "NOUN":
            value = value.kind or value.label
        elif tag.kind == "NUM":
            value = value.value
        elif tag.kind == "PERIOD":
            value = value.start
        found.append(Entity(_ENTITY_KINDS[tag.kind], tag.text, value))  # type: ignore[arg-type]
        at += tag.length
    return found
