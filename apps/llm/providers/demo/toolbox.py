"""Which of the offered tools a request is about: words shared with a tool's name, description and parameters, weighed
by how few of the tools have them.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic_core import from_json, to_json

from apps.llm.language import words
from apps.llm.types import ToolSpec

NAME, PARAMETER, LISTED, DESCRIPTION = 3.0, 1.2, 1.2, 1.0  # what a shared word is worth, by where the tool has it
MOST_BUT_NAME = 2.5
LEAST_SCORE = 1.6
LEAST_COVERAGE = 0.2  # of the request's words, weighed
MAX_PARAMETERS = 60
# Words that many requests share and that tell no tool from another.
_FAINT = frozenset(
    {
        "list",
        "name",
        "user",
        "value",
        "type",
        "get",
        "id",
        "use",
        "all",
        "information",
        "data",
        "message",
        "tool",
        "result",
    }
)


@dataclass(frozen=True, slots=True)
class Match:
    """``names``: how many of the request's words are in the tool's name."""

    tool: ToolSpec
    score: float
    coverage: float
    names: int

    @property
    def is_clear(self) -> bool:
        return self.score >= LEAST_SCORE and self.coverage >= LEAST_COVERAGE


def ranked(tools: tuple[ToolSpec, ...], text: str) -> list[Match]:
    """All tools, the best first; of equals the one that was offered first."""
    profiles = [_profile(tool.name, tool.description[:2_000], to_json(tool.parameters)) for tool in tools]
    asked = words.terms(text)[:200]
    lowered = text[: words.READ_CHARS].lower()
    holders = {word: sum(word in profile for profile in profiles) for word in asked}
    rarity = {
        word: math.log(1 + len(tools) / max(held, 0.5)) * (0.3 if word in _FAINT else 1.0)
        for word, held in holders.items()
    }
    scale = math.log(1 + len(tools))
    everything = sum(rarity[word] for word in asked) or 1.0
    matches = []
    for order, (tool, profile) in enumerate(zip(tools, profiles, strict=True)):
        score = shared = 0.0
        names = 0
        for word in asked:
            worth = profile.get(word, 0.0)
            score += worth * rarity[word] / scale
            shared += rarity[word] if worth else 0.0
            names += worth == NAME
        if len(tool.name) > 3 and _is_named(tool.name.lower(), lowered):
            score, shared = score + 100.0, everything
        matches.append((-score, order, Match(tool, score, shared / everything, names)))
    return [match for _, _, match in sorted(matches, key=lambda one: one[:2])]


def best(tools: tuple[ToolSpec, ...], text: str) -> Match | None:
    """The tool that the request is clearly about, if there is one. What follows a colon or the first line is often
    what the request is about, not the request: the head is asked first."""
    head = text.partition("\n")[0].partition(": ")[0]
    for part in (head, text) if len(head) < len(text) and len(words.words(head)) > 1 else (text,):
        found = ranked(tools, part)
        if found and found[0].is_clear:
            return found[0]
    return None


def _is_named(name: str, text: str) -> bool:
    """Whether the tool's whole name is said; a name of one plain word is no more than that word."""
    if name.isalpha():
        return any(
            f"{verb} {name} tool" in text or f"{verb} the {name} tool" in text
            for verb in ("use", "call", "with", "usa")
        )
    return name in text


@lru_cache(maxsize=1_000)
def _profile(name: str, description: str, parameters: bytes) -> dict[str, float]:
    """Each of the tool's terms with its worth."""
    profile: dict[str, float] = {}

    def add(terms: list[str], worth: float) -> None:
        for word in terms:
            profile[word] = NAME if worth == NAME else min(profile.get(word, 0.0) + worth, MOST_BUT_NAME)

    add(words.terms(description), DESCRIPTION)
    schema: Any = from_json(parameters)
    properties = schema.get("properties") if isinstance(schema, dict) else None
    for key, part in list((properties or {}).items())[:MAX_PARAMETERS]:
        add([words.term(word) for word in words.name_words(key)], PARAMETER)
        if isinstance(part, dict):
            add(words.terms(str(part.get("description", ""))[:500]), DESCRIPTION / 2)
            listed = part.get("enum")
            for value in listed[:50] if isinstance(listed, list) else []:
                add([words.term(word) for word in words.name_words(str(value))], LISTED)
    add([words.term(word) for word in words.name_words(name) if len(word) > 1 or word.isdigit()], NAME)
    return profile
