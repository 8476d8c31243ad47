"""The entries of an array: the steps of a goal, values of an enumeration that are meant, items that were listed."""

from dataclasses import dataclass
from typing import Any

from apps.llm.language import words
from apps.llm.language.goals import requests_of
from apps.llm.providers.demo import leaves
from apps.llm.providers.demo.shapes import Schema, types_of
from apps.llm.providers.demo.source import Source

_STEPS = words.term_set("steps todos todo plan tasks actions subtasks stages phases passi azioni attività piano")
_KEYWORDS = words.term_set("keywords keyword tags terms topics entities parole")


@dataclass(frozen=True, slots=True)
class Entry:
    """A value as it is, or the source that an entry is filled from."""

    value: Any = None
    source: Source | None = None


def entries_of(item: Schema, name: str, source: Source, *, most: int) -> list[Entry]:
    """What speaks for entries, in order; empty when nothing does."""
    if most <= 0:
        return []
    meant = {words.term(word) for word in words.name_words(name)}
    kinds = types_of(item)
    if source.step is not None and meant & {"depend", "depends", "dependenc", "requires", "after", "prerequisit"}:
        return []
    if not source.is_call and source.step is None and meant & _STEPS:
        return _steps(source, kinds, most)
    if isinstance(item.get("enum"), list):
        return [Entry(value) for value in leaves.ranked_choices(item, item["enum"], name, source)[:most]]
    if "object" in kinds:
        return [] if source.is_call else [Entry(source=source.at(0))]
    values = source.values
    if {"integer", "number"} & set(kinds):
        return [Entry(value) for value in values.numbers[:most]]
    if "string" not in kinds and kinds:
        return []
    if "email" in meant or item.get("format") == "email":
        return [Entry(value) for value in values.emails[:most]]
    if meant & {"url", "uri", "link"} or item.get("format") == "uri":
        return [Entry(value) for value in values.urls[:most]]
    if name.lower().endswith(("ids", "_id", "uuids")) or item.get("format") == "uuid":
        return [Entry(value) for value in values.ids[:most]]
    if not source.is_call and meant & _KEYWORDS:
        return [Entry(value) for value in dict.fromkeys([*values.symbols, *values.terms])][:most]
    if source.is_call or meant & {"list", "value", "items", "item", "name", "gene", "protein"}:
        listed = values.listed()
        return [
            Entry(value)
            for value in (listed if not source.is_call or values.quoted or ": " in values.text else values.symbols)[
                :most
            ]
        ]
    return []


def _steps(source: Source, kinds: list[str], most: int) -> list[Entry]:
    steps = requests_of(source.values.text) or [source.instruction]
    if len(steps) > most:
        steps = [*steps[: most - 1], "; ".join(steps[most - 1 :])]
    if kinds == ["string"]:
        return [Entry(value=step, source=source.for_step(step, index)) for index, step in enumerate(steps) if step]
    return [Entry(source=source.for_step(step, index)) for index, step in enumerate(steps) if step]
