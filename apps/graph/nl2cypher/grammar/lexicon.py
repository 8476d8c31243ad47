"""Phrases and what they may mean: the schema's own names, and the words of vocabulary.json."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from apps.graph import schema
from apps.graph.nl2cypher.grammar.frames import Role

VOCABULARY: dict[str, Any] = json.loads((Path(__file__).parent / "vocabulary.json").read_text(encoding="utf-8"))
Phrase = tuple[str, ...]
EDGE = "WORKS_AT"  # the one relationship with properties; they are said of the user


@dataclass(frozen=True, slots=True)
class Meaning:
    """One thing that a phrase may mean. ``value``: of NOUN a Noun, of PROP a property's name, of VAL a spelled value,
    of VERB a verb of roads.py, of SUP (property, descending), else nothing. ``canon``: one word for all its
    synonyms."""

    kind: str
    value: Any
    canon: str


@dataclass(frozen=True, slots=True)
class Noun:
    label: str
    kind: str | None = None
    test: tuple[str, str] | None = None
    role: Role | None = None
    word: str = ""


@cache
def phrases() -> dict[Phrase, tuple[Meaning, ...]]:
    """Lower-case words -> what they may mean."""
    found: dict[Phrase, list[Meaning]] = {}

    def say(words: str, meaning: Meaning) -> None:
        meanings = found.setdefault(tuple(words.lower().split()), [])
        if meaning not in meanings:
            meanings.append(meaning)

    for name, words in VOCABULARY["nouns"].items():
        label = schema.KINDS.get(name, name)
        noun = Noun(label, name if name in schema.KINDS else None, word=words[0])
        for word in words:
            say(word, Meaning("NOUN", noun, f"n:{name}"))
    for one in VOCABULARY["nouns_with_value"]:
        noun = Noun(one["label"], test=(one["property"], one["value"]), word=one["words"][0])
        for word in one["words"]:
            say(word, Meaning("NOUN", noun, f"n:{one['words'][0]}"))
    for role, words in VOCABULARY["roles"].items():
        for word in words:
            say(word, Meaning("NOUN", Noun("File", role=role, word=f"{role} file"), f"n:{role}"))
            say(word, Meaning("ROLE", role, f"n:{role}"))
    for name, words in VOCABULARY["properties"].items():
        for word in (*words, *([name] if name != "since" else [])):
            say(word, Meaning("PROP", name, f"p:{name}"))
    for spelled in all_values():
        for word in (spelled, *VOCABULARY["values"].get(spelled, ())):
            if len(word) > 2 and not word.isdigit():
                say(word, Meaning("VAL", spelled, f"v:{spelled}"))
    for verb, words in VOCABULARY["verbs"].items():
        for word in words:
            say(word, Meaning("VERB", verb, f"d:{verb}"))
    for kind, words in VOCABULARY["words"].items():
        for word in words:
            say(word, Meaning(kind, word, f"{kind} {word}" if kind in ("MAX", "MIN") else kind))
    for one in VOCABULARY["superlatives"]:
        for word in one["words"]:
            say(word, Meaning("SUP", (one["by"], one["descending"]), f"s:{one['by']}:{one['descending']}"))
    for one in VOCABULARY["adjectives"]:
        for word in one["words"]:
            say(word, Meaning("ADJ", (one["property"], one["operator"]), f"a:{word}"))
    for period, words in VOCABULARY["periods"].items():
        for word in words:
            say(word, Meaning("PERIODWORD", period, f"period:{period}"))
    return {phrase: tuple(meanings) for phrase, meanings in found.items()}


@cache
def dropped() -> tuple[Phrase, ...]:
    """Phrases that say nothing, longest first."""
    return tuple(sorted((tuple(words.split()) for words in VOCABULARY["dropped"]), key=len, reverse=True))


@cache
def all_values() -> tuple[str, ...]:
    """Every value that the schema lists for a property of text."""
    return tuple(dict.fromkeys(value for _, one in properties() for value in one.values))


@cache
def properties() -> tuple[tuple[str, schema.Property], ...]:
    """(label, kind or relationship type, property), all of them."""
    of_labels = [
        (each.label, one) for label in schema.LABELS for each in (label, *label.kinds) for one in each.properties
    ]
    return (*of_labels, *((each.type, one) for each in schema.RELATIONSHIPS for one in each.properties))


@cache
def correctable() -> frozenset[str]:
    """Single words that a slip may have been meant to be: nouns, properties, values, verbs and the words for counting,
    in all their spellings."""
    kinds = {"NOUN", "PROP", "VERB", "COUNT", "LIST", "SUP", "AVG", "WITHOUT", "WHICH", "PER"}
    values = {*schema.STATUSES, *schema.TISSUES}  # names of countries and species are too many to believe a slip into
    words = {
        word
        for phrase, meanings in phrases().items()
        if any(meaning.kind in kinds or (meaning.kind == "VAL" and meaning.value in values) for meaning in meanings)
        for word in phrase
    }
    return frozenset(word for word in words if word.isalpha() and len(word) > 3)


@cache
def known_words() -> frozenset[str]:
    """Every word of any phrase."""
    return frozenset(word for phrase in (*phrases(), *dropped()) for word in phrase)


def property_of(schema_name: str, name: str) -> schema.Property | None:
    """What ``name`` means on a label or kind: its own property of that name; or for id, name, date, type and version
    the one that stands for it there."""
    label = schema.label_named(schema_name)
    own = {one.name: one for one in label.properties}
    if name in own:
        return own[name]
    stands_for = {
        "id": label.key,
        "name": label.name if label.name != label.key else None,
        "date": VOCABULARY["moments"].get(label.label),
        "type": next((one for one in own if one.endswith("type")), None),
        "version": next((one for one in own if one.endswith("_version")), None),
    }
    return own.get(stands_for.get(name) or "")


def edge_property(label: str, name: str) -> schema.Property | None:
    """A property of where a user works, said of the user."""
    if label != "User":
        return None
    return next((one for one in schema.relationship_named(EDGE).properties if one.name == name), None)


def moment_of(schema_name: str) -> schema.Property | None:
    """The property that says when."""
    label = schema.KINDS.get(schema_name, schema_name)
    name = VOCABULARY["moments"].get(label)
    return property_of(label, name) if name else None
