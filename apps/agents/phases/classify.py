"""Phase 1: what the prompt wants (SPEC 7.1, contract 8.1): the catalogue, then rules, then a model if these are unsure.

    >>> classify(view("How many users are there?"), ports)
    Intent(category='GRAPH', confidence=0.95, reason="It is the known prompt 'how many users are there'.", ...)

A model only decides between what reads; nothing that is written in a prompt, and no model, makes a change out of a
question. A change that its asker may not make becomes a question of SECURITY, answered with the right that is missing.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from apps.agents.phases import catalogue, messages, rights
from apps.agents.phases.reading import Reading, read
from apps.agents.prompts import texts
from apps.agents.types import CATEGORIES, Category, Intent, Ports, RunView
from apps.llm.errors import CompletionError
from apps.llm.language import intents, words

# Below these the rules are unsure. CHAT at its own is what is left when no rule spoke.
THRESHOLDS: dict[Category, float] = {
    "CHAT": 0.60, "SECURITY": 0.75, "ADMIN": 0.70, "DANGEROUS": 0.70, "GRAPH": 0.80, "EXPLAIN": 0.75,
}  # fmt: skip
FALLBACK_CONFIDENCE = 0.50
MODEL_CONFIDENCE_MOST = 0.90  # a model's own number is a claim
_SEVERITY: dict[Category, int] = {"CHAT": 0, "GRAPH": 1, "SECURITY": 2, "EXPLAIN": 3, "ADMIN": 4, "DANGEROUS": 5}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "category": {"type": "string", "enum": list(CATEGORIES)},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "reason": {"type": "string", "maxLength": 300},
    },
    "required": ["category", "confidence", "reason"],
    "additionalProperties": False,
}


def classify(view: RunView, ports: Ports) -> Intent:
    """The intent of the run's prompt, as far as its asker may have it. Never fails for want of a model."""
    reading = read(view.prompt)
    if reading.hidden:
        ports.report("classify", f"{reading.hidden} invisible characters of the prompt were left out")
    intent = without_model(reading)
    if not is_sure(intent):
        intent = _by_model(view, reading, intent, ports)
    return _within_rights(view, reading, intent)


def without_model(reading: Reading) -> Intent:
    """The catalogue's word on a prompt, else the rules', sure of it or not; nobody is asked."""
    return _known(reading) or _by_rules(reading)


def _known(reading: Reading) -> Intent | None:
    """The catalogue's word, unless the prompt, where it differs, says something more severe."""
    found = catalogue.look_up(reading.text)
    if found is None:
        return None
    ruled = _by_rules(reading)
    harmless = _SEVERITY[ruled.category] < _SEVERITY["ADMIN"] or _SEVERITY[ruled.category] <= _SEVERITY[found.category]
    return found if harmless or ruled.confidence < THRESHOLDS[ruled.category] else None


def _by_rules(reading: Reading) -> Intent:
    """The rules' word on the prompt. A text that was brought along counts unless the person wants it worked on."""
    own = _ruled(reading.own)
    if reading.is_about_text and own.category not in ("ADMIN", "DANGEROUS"):
        return replace(own, category="CHAT", confidence=0.85, reason="It wants something done with a text it brings.")
    whole = own if reading.own == reading.text else _ruled(reading.text)
    disguised = [_ruled(text) for text in reading.decoded]
    return _severest(
        [own if own.category == "EXPLAIN" else whole, *(one for one in disguised if one.confidence >= 0.7)]
    )


def _ruled(text: str) -> Intent:
    return _severest(_ruled_window(window) for window in _windows(text))


def _ruled_window(text: str) -> Intent:
    found = intents.intent_of(text)
    return Intent(found.category, found.confidence, f"Decided by: {found.because}.", "rules")


def _windows(text: str) -> Iterable[str]:
    """All of a long text: what is asked may stand behind a preamble of any length."""
    step = words.READ_CHARS - 500
    return [text[start : start + words.READ_CHARS] for start in range(0, max(1, len(text)), step)]


def _severest(found: Iterable[Intent]) -> Intent:
    """The first of the most severe category that a rule is sure of; else the most confident."""
    every = list(found)
    sure = [intent for intent in every if is_sure(intent)]
    if sure:
        return max(sure, key=lambda intent: _SEVERITY[intent.category])
    return max(every, key=lambda intent: intent.confidence)


def is_sure(intent: Intent) -> bool:
    """Whether no model needs to be asked."""
    least = THRESHOLDS[intent.category]
    return intent.confidence > least if intent.category == "CHAT" else intent.confidence >= least


def _by_model(view: RunView, reading: Reading, ruled: Intent, ports: Ports) -> Intent:
    asked = messages.request_only(texts.CLASSIFY, reading.text)
    try:
        said = ports.complete(asked, purpose="classify", response_schema=SCHEMA).data
    except CompletionError as error:
        ports.report("classify", f"no model could be asked ({error.code}); the rules decide")
        return replace(ruled, confidence=min(ruled.confidence, FALLBACK_CONFIDENCE))
    category: Category = next(known for known in CATEGORIES if known == said["category"])
    if category == "ADMIN" and not intents.asks_for_change(reading.text):
        ports.report("classify", "the model saw a change that the prompt does not ask for; the rules decide")
        return ruled
    confidence = min(float(said["confidence"]), MODEL_CONFIDENCE_MOST)
    return Intent(category, confidence, str(said["reason"])[:300], "model")


def _within_rights(view: RunView, reading: Reading, intent: Intent) -> Intent:
    """A change that the asker may not make is refused before anything of it begins."""
    if intent.category == "ADMIN":
        needed = rights.change_needs(reading.text)
        if not rights.may(view, needed):
            return replace(
                intent, category="SECURITY", reason=f"It asks for a change that needs {needed}.", missing=needed
            )
    if intent.category in ("GRAPH", "EXPLAIN") and not rights.may(view, "graph:read"):
        return replace(intent, missing="graph:read")
    return intent
